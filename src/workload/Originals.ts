// Originals: the annotation that records what an image was before it was rewritten (invariant 3 of docs/architecture.md).
// It stands on the pod template, where rollbacks carry it along; tenants can write it, so an entry counts only when it
// maps to the very image that is there.
import { Option, Result, Schema } from "effect"
import { type Backup, backupOf } from "../image/BackupName.ts"
import { format, type ImageReference, parse } from "../image/ImageReference.ts"

/** JSON map from container name (`volume:<name>` for image volumes) to the image as it was written. */
export const originalsAnnotation = "image-cloner.io/original-images"

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Record(Schema.String, Schema.String)))

/** The entries of the annotation; none when it is absent or not such a map. */
export const readOriginals = (annotation: string | undefined): ReadonlyMap<string, string> =>
  annotation === undefined
    ? new Map()
    : new Map(Object.entries(Option.getOrElse(decode(annotation), () => ({}))))

/** The annotation's text; keys in order, so that the same entries are the same text. */
export const writeOriginals = (entries: ReadonlyMap<string, string>): string =>
  JSON.stringify(Object.fromEntries([...entries].toSorted(([a], [b]) => a < b ? -1 : a > b ? 1 : 0)))

export type Origin =
  | { readonly _tag: "Verified"; readonly original: string; readonly source: ImageReference }
  /** The entry claims another source than the image's name: somebody else wrote it. */
  | { readonly _tag: "Forged"; readonly claimed: string }
  | { readonly _tag: "None" }

/** Whether `present` is the name of the copy of `source`, apart from a digest that pinning added. */
const isCopyOf = (backup: Backup, source: ImageReference, present: ImageReference): boolean => {
  const name = backupOf(backup, source)
  if (format(name) === format(present)) return true
  return name.digest === undefined && present.digest !== undefined &&
    format(name) === format({ ...present, digest: undefined })
}

/** What an image under the backup's prefix was copied from, by the entry of its container. */
export const originOf = (backup: Backup, entry: string | undefined, present: ImageReference): Origin => {
  if (entry === undefined) return { _tag: "None" }
  const source = parse(entry)
  if (Result.isFailure(source) || !isCopyOf(backup, source.success, present)) return { _tag: "Forged", claimed: entry }
  const digest = source.success.digest ?? present.digest
  return { _tag: "Verified", original: entry, source: { ...source.success, digest } }
}
