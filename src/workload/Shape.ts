// Shape: what a pod template is apart from its images, as a short text that is the same for the same template. It tells a
// release from the same release with copies. Edge: left out is what we and the Deployment's controller add to templates.
import { Hash } from "effect"
import { originalsAnnotation } from "./Originals.ts"

const added: ReadonlySet<string> = new Set([originalsAnnotation, "pod-template-hash", "creationTimestamp"])

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isEmpty = (value: unknown): boolean => value === null || (isObject(value) && Object.keys(value).length === 0)

/** A list of containers or volumes without what names their images. */
const imageless = (items: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  items.map((it) => isObject(it) ? { ...it, image: isObject(it["image"]) ? {} : undefined } : it)

const lists: ReadonlySet<string> = new Set(["containers", "initContainers", "volumes"])

const plain = (key: string, value: unknown): unknown => {
  if (Array.isArray(value)) {
    const items: ReadonlyArray<unknown> = value
    return (lists.has(key) ? imageless(items) : items).map((it) => plain("", it))
  }
  if (!isObject(value)) return value
  const entries = Object.entries(value).filter(([name]) => !added.has(name)).toSorted(([a], [b]) => a < b ? -1 : 1)
  return Object.fromEntries(
    entries.flatMap(([name, it]) => {
      const kept = plain(name, it)
      return isEmpty(kept) ? [] : [[name, kept] as const]
    })
  )
}

const below = (value: unknown, name: string): unknown => isObject(value) ? value[name] : undefined

/**
 * The shape of the pod template of an object, as the API server writes it: `spec.template`. A hash of 32 bits: compared are the
 * few revisions of one Deployment.
 */
export const shapeOf = (object: unknown): string => {
  const template = plain("", below(below(object, "spec"), "template")) ?? null
  return Hash.string(JSON.stringify(template)).toString(36)
}
