// Ownership: what our field manager holds of an object (`metadata.managedFields`, KEP-555), and the patch that gives it up.
// To the API server whoever changes an image owns it, and each later server-side apply by the manifest's author is refused,
// whatever it changes. So we keep one field, the originals annotation: it says that a rewrite was ours, and when.
// Pure. Edge: Update entries alone; nobody applies under our name but somebody who means it.
import { Option, Schema } from "effect"
import { Tracked } from "./ApiObjects.ts"
import type { Kind } from "./Kinds.ts"
import { fieldManager, holdsImage, holdsSpec, type ManagedField } from "./Marks.ts"
import { originalsAnnotation } from "./Originals.ts"
import type { Operation } from "./Patch.ts"

const decode = Schema.decodeUnknownOption(Tracked)

/** Where the annotation stands, from the object's root. */
const annotationPath = (kind: Kind): ReadonlyArray<string> => [
  ...kind.template.split("/").slice(1),
  "metadata",
  "annotations",
  originalsAnnotation
]

const isAt = (object: unknown, path: ReadonlyArray<string>): boolean => {
  let value = object
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return false
    value = Reflect.get(value, key)
  }
  return value !== null
}

/** Fields that are the annotation alone, without the map it is in: that is whoever's it was. */
const claimOf = (path: ReadonlyArray<string>): unknown =>
  path.reduceRight<unknown>((below, key) => ({ [`f:${key}`]: below }), {})

/** Indexes of our entries that hold an image. */
const excess = (
  kind: Kind["kind"],
  entries: ReadonlyArray<ManagedField>,
  annotated: boolean
): ReadonlyArray<number> => {
  const holds = kind === "Extra" ? holdsSpec : holdsImage
  const found = entries.flatMap((it, index) =>
    it.manager === fieldManager && it.operation === "Update" && holds(it.fieldsV1) ? [index] : []
  )
  // with its last entry an object is tracked no more, and the next apply conflicts over all that it changes
  return !annotated && found.length === entries.length ? [] : found
}

/**
 * Whether our field manager holds an image that `disownPatch` would give up.
 * @param annotated whether the template carries the originals annotation
 */
export const ownsImages = (kind: Kind["kind"], entries: ReadonlyArray<ManagedField>, annotated: boolean): boolean =>
  excess(kind, entries, annotated).length > 0

/**
 * The patch that leaves our field manager the annotation alone, or nothing where there is none, as after a put-back: an entry
 * without a field goes. It changes neither the object's spec nor the time of our entry.
 * @param object as the API server answered it
 * @returns no operations where nothing is to be given up, or nothing is known of who owns what
 */
export const disownPatch = (kind: Kind, object: unknown): ReadonlyArray<Operation> => {
  const tracked = Option.getOrUndefined(decode(object))?.metadata
  if (tracked === undefined) return []
  const path = annotationPath(kind)
  const annotated = isAt(object, path)
  const indexes = excess(kind.kind, tracked.managedFields ?? [], annotated)
  if (indexes.length === 0) return []
  const value = annotated ? claimOf(path) : {}
  return [
    // entries have no name, only a place in a list that the server sorts with every write
    { op: "test", path: "/metadata/resourceVersion", value: tracked.resourceVersion },
    ...indexes.map((it): Operation => ({ op: "replace", path: `/metadata/managedFields/${it}/fieldsV1`, value }))
  ]
}
