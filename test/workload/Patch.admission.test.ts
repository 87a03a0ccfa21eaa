import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { applyPatch } from "rfc6902"
import { admittedPod } from "../../src/admission/AdmittedPod.ts"
import { backupOf } from "../../src/image/BackupName.ts"
import { format, parse } from "../../src/image/ImageReference.ts"
import { PodObject } from "../../src/workload/ApiObjects.ts"
import { originalsAnnotation } from "../../src/workload/Originals.ts"
import { admissionPatch } from "../../src/workload/Patch.ts"
import type { Workload } from "../../src/workload/Workload.ts"
import { request } from "../admission/Reviewed.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const prefix = "backup.example/copies/"

/** Everything that parses and is no copy, as if all were copied. */
const replacementsOf = ({ images }: Workload) =>
  images.flatMap((slot) => {
    const reference = parse(slot.image)
    return Result.isFailure(reference) || slot.image.startsWith(prefix)
      ? []
      : [{ slot, to: format(backupOf(backup, reference.success)) }]
  })

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A pod without its images and the one annotation: what no patch may touch. */
const withoutImages = (value: unknown, path = ""): unknown => {
  if (Array.isArray(value)) return value.map((it) => withoutImages(it, `${path}[]`))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, below]) => {
      const at = `${path}/${key}`
      if (/^\/spec\/\w*[cC]ontainers\[\]\/image$|^\/spec\/volumes\[\]\/image\/reference$/.test(at)) return []
      // an annotation makes a map that was not there, or was null
      if (at === "/metadata/annotations") {
        const rest = Object.entries(isObject(below) ? below : {}).filter(([name]) => name !== originalsAnnotation)
        return rest.length === 0 ? [] : [[key, Object.fromEntries(rest)] as const]
      }
      return [[key, withoutImages(below, at)] as const]
    })
  )
}

const word = Schema.String.check(Schema.isPattern(/^[a-z]{1,6}$/))
const image = Schema.Literals([
  "nginx",
  "nginx:1.27",
  "ghcr.io/a/b@sha256:" + "a".repeat(64),
  "",
  "No Image",
  `${prefix}x/y:1`
])
const Around = Schema.Record(Schema.String, Schema.Json)

describe("the patch of a pod at admission", () => {
  it.effect.prop(
    "applies to exactly the object that was received, changes images and the annotation alone, and is empty the second time",
    { decoded: PodObject, image, name: word, around: Around },
    ({ around, decoded, image: given, name }) =>
      Effect.sync(() => {
        // what we read, with one container of a real image, and anything else around it
        const { spec, metadata } = decoded
        const object: unknown = JSON.parse(JSON.stringify({
          ...around,
          ...decoded,
          metadata: { ...around, ...metadata },
          spec: { ...around, ...spec, containers: [...spec?.containers ?? [], { ...around, name, image: given }] }
        }))
        const admitted = admittedPod(request(object))
        if (admitted === undefined) return
        const { workload } = admitted.pod
        const patch = admissionPatch(workload, replacementsOf(workload), backup, true)
        const patched: unknown = structuredClone(object)
        const errors = applyPatch(patched, patch.map((it) => ({ ...it }))).filter((it) => it !== null)
        assert.deepStrictEqual(errors, [])
        assert.deepStrictEqual(withoutImages(patched), withoutImages(object))
        const again = admittedPod(request(patched))?.pod.workload
        assert.isDefined(again)
        assert.deepStrictEqual(replacementsOf(again!), []) // just seen to be there
      }),
    { arbitrary: { runs: 300 } }
  )
})
