// Originals: the annotation that records what an image was before it was rewritten (invariant 3 of docs/architecture.md).
// It stands on the pod template, where rollbacks carry it along; tenants can write it, so an entry counts only when it
// maps to the very image that is there.
import { Result, Schema } from "effect"
import { type Backup, backupOf, convertedBackupOf, isCopyRepository, isUnder, keptBy } from "../image/BackupName.ts"
import { format, type ImageReference, parse } from "../image/ImageReference.ts"
import type { Workload } from "./Workload.ts"

/** JSON map from container name (`volume:<name>` for image volumes) to the image as it was written. */
export const originalsAnnotation = "image-cloner.io/original-images"

const isEntries = Schema.is(Schema.Record(Schema.String, Schema.String))
const none: ReadonlyMap<string, string> = new Map()

/** The entries of the annotation; none when it is absent or not such a map. Read at every look at a workload. */
export const readOriginals = (annotation: string | undefined): ReadonlyMap<string, string> => {
  if (annotation === undefined) return none
  try {
    const json: unknown = JSON.parse(annotation)
    return isEntries(json) ? new Map(Object.entries(json)) : none
  } catch {
    return none // anybody can write anything there; what is no map has no entry that counts
  }
}

/** The annotation's text; keys in order, so that the same entries are the same text. */
export const writeOriginals = (entries: ReadonlyMap<string, string>): string =>
  JSON.stringify(Object.fromEntries([...entries].toSorted(([a], [b]) => a < b ? -1 : a > b ? 1 : 0)))

export type Origin =
  | { readonly _tag: "Verified"; readonly original: string; readonly source: ImageReference }
  /** Somebody set another tag or digest on the copy: it is one of the same repository, and the entry counts no longer. */
  | { readonly _tag: "Bumped"; readonly before: string; readonly source: ImageReference }
  /** The entry claims another source than the image's name: somebody else wrote it. */
  | { readonly _tag: "Forged"; readonly claimed: string }
  | { readonly _tag: "None" }

/** Whether `present` is `name`, apart from a digest that pinning added. */
export const isName = (name: ImageReference, present: ImageReference): boolean =>
  format(name) === format(present) ||
  (name.digest === undefined && present.digest !== undefined &&
    format(name) === format({ ...present, digest: undefined }))

/**
 * What `present` is the copy of, if it can be one of `source`: the source itself, with the digest that pinning added. A
 * protection tag is what pinning made of an image that had to be converted, or what the source's digest became.
 */
const copiedFrom = (backup: Backup, source: ImageReference, present: ImageReference): ImageReference | undefined => {
  if (isName(backupOf(backup, source), present)) return { ...source, digest: source.digest ?? present.digest }
  const digest = source.digest ?? keptBy(present.tag)
  return digest !== undefined && isName(convertedBackupOf(backup, { ...source, digest }), present)
    ? { ...source, digest }
    : undefined
}

/** Whether `present` is the copy of `source`, with or without the digest that pinning adds. */
export const isCopyOf = (backup: Backup, source: ImageReference, present: ImageReference): boolean =>
  copiedFrom(backup, source, present) !== undefined

/** The image of the same repository that a copy with another tag or digest is one of. */
const bumped = ({ registry, repository }: ImageReference, { digest, tag }: ImageReference): ImageReference => {
  const kept = keptBy(tag)
  if (kept !== undefined) return { registry, repository, digest: kept }
  return {
    registry,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest })
  }
}

/** What an image under the backup's prefix was copied from, by the entry of its container. */
export const originOf = (backup: Backup, entry: string | undefined, present: ImageReference): Origin => {
  if (entry === undefined) return { _tag: "None" }
  const source = parse(entry)
  const copied = Result.isSuccess(source) ? copiedFrom(backup, source.success, present) : undefined
  if (copied !== undefined) return { _tag: "Verified", original: entry, source: copied }
  return Result.isSuccess(source) && isCopyRepository(backup, source.success, present)
    ? { _tag: "Bumped", before: entry, source: bumped(source.success, present) }
    : { _tag: "Forged", claimed: entry }
}

/** The entries that still hold: verified ones of containers whose image is their copy. All others are stale. */
export const verifiedOriginals = (workload: Workload, backup: Backup): ReadonlyMap<string, string> => {
  const entries = readOriginals(workload.originals)
  if (entries.size === 0) return none
  const verified = new Map<string, string>()
  for (const slot of workload.images) {
    const present = parse(slot.image)
    if (Result.isFailure(present) || !isUnder(backup, present.success)) continue
    const origin = originOf(backup, entries.get(slot.container), present.success)
    if (origin._tag === "Verified") verified.set(slot.container, origin.original)
  }
  return verified
}
