// WithoutSource: what is left where the source cannot answer. A tag that the backup holds whole is a backup all the same; a tag that
// the backup has lost is put back to what was last seen under it.
import { Effect, Option } from "effect"
import { protectionTag } from "../../image/BackupName.ts"
import type { Digest } from "../../image/Digest.ts"
import type { CloneError } from "../CloneError.ts"
import { copyTree } from "../tree/CopyTree.ts"
import { fetchManifest } from "../tree/FetchManifest.ts"
import type { Job } from "./Job.ts"
import { missingTags, type Untagged, walked } from "./Tag.ts"

/** What the backup has instead of an answer of the source. */
export interface Instead {
  readonly digest: Digest
  /** The tag that the backup has lost. */
  readonly lost: string | undefined
  /** Why the source was not asked, or cannot be believed. */
  readonly why: CloneError
}

/** Fails with `why` where the backup has nothing to offer either. */
export const insteadOf = Effect.fnUntraced(function*(job: Job, why: CloneError): Effect.fn.Return<Instead, CloneError> {
  const { backupTag, environment, source } = job
  // a tag in use that was lost comes back as what it was, whatever its source means by it now
  const inUse = why.reason === "tag-in-use"
  if (source.digest !== undefined || (why.side !== "source" && !inUse)) return yield* why
  const tag = source.tag ?? "latest"
  const held = Option.getOrUndefined(yield* Effect.option(backupTag(tag)))?.digest
  if (inUse && held !== undefined) return yield* why
  const digest = held ?? environment.last
  return digest === undefined ? yield* why : { digest, lost: held === undefined ? tag : undefined, why }
})

/** Sees that the backup holds all of it, and which tags it has lost. */
export const withoutSource = Effect.fnUntraced(function*(
  job: Job,
  { digest, lost, why }: Instead
): Effect.fn.Return<Untagged, CloneError> {
  const context = job.walk()
  const tally = yield* fetchManifest(context, digest).pipe(
    Effect.flatMap((fetched) => copyTree(context, fetched)),
    Effect.mapError(() => why)
  )
  const missing = lost === undefined ? [] : yield* missingTags(job, [protectionTag(digest), lost], tally.root)
  const told = why.reason === "tag-in-use"
    ? "the tag was lost while a rollout uses it; it names the same image again"
    : "the source cannot be asked; the backup holds the image"
  yield* Effect.logInfo(told).pipe(
    Effect.annotateLogs({ image: job.image, reason: why.reason, restores: missing.join(", ") })
  )
  return walked(digest, tally, missing)
})
