// What the tests of patches at admission share: everything replaced that can be, and a pod without what a patch may touch.
import { Result } from "effect"
import { backupOf } from "../../src/image/BackupName.ts"
import { format, parse } from "../../src/image/ImageReference.ts"
import { originalsAnnotation } from "../../src/workload/Originals.ts"
import type { Workload } from "../../src/workload/Workload.ts"

export const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
export const prefix = "backup.example/copies/"

/** Everything that parses and is no copy, as if all were copied. */
export const replacementsOf = ({ images }: Workload) =>
  images.flatMap((slot) => {
    const reference = parse(slot.image)
    return Result.isFailure(reference) || slot.image.startsWith(prefix)
      ? []
      : [{ slot, to: format(backupOf(backup, reference.success)) }]
  })

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A pod without its images and the one annotation: what no patch may touch. */
export const withoutImages = (value: unknown, path = ""): unknown => {
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
