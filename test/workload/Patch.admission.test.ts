import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { applyPatch } from "rfc6902"
import { admittedPod } from "../../src/admission/AdmittedPod.ts"
import { PodObject } from "../../src/workload/ApiObjects.ts"
import { admissionPatch } from "../../src/workload/Patch.ts"
import { backup, prefix, replacementsOf, withoutImages } from "../admission/Patched.ts"
import { request } from "../admission/Reviewed.ts"

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
