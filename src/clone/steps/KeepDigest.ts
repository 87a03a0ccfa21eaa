// KeepDigest: with TAG_POLICY keep the backup's tag stays at the first digest that it named, whatever the source's tag names later;
// that it does is said. Edge: what is kept is seen whole, mended and tagged again like everything else, by the next steps.
import { Effect } from "effect"
import type { Digest } from "../../image/Digest.ts"
import type { Job } from "./Job.ts"
import type { Resolved } from "./Resolve.ts"

/** What the backup's tag would be moved away from; undefined where it is not moved. */
export const movedFrom = ({ environment }: Job, { digest, held, named, tag }: Resolved): Digest | undefined => {
  // a tag that was lost is used all the same: pods wait for it
  const before = named ?? environment.expected
  return tag !== undefined && !held && before !== digest ? before : undefined
}

/** Says what a source's tag names, what the copy's stays at, and what to do about it. */
export const warnOfDrift = (image: string, source: Digest, kept: Digest): Effect.Effect<void> =>
  Effect.logWarning(
    `${image} names ${source} at its source by now; TAG_POLICY keep leaves the copy's tag at ${kept}. To take the new image, `
      + "set TAG_POLICY to follow, or name it by its digest"
  )

/** The digest that the backup's tag names stays what is copied; a pin does without the tag. */
export const keepDigest = Effect.fnUntraced(function*(job: Job, resolved: Resolved): Effect.fn.Return<Resolved> {
  const { environment, image, source } = job
  const kept = environment.keepTags ? movedFrom(job, resolved) : undefined
  if (kept === undefined) return resolved
  if (source.digest !== undefined) return { ...resolved, tag: undefined }
  const { drifted = (at, stays) => warnOfDrift(image, at, stays) } = environment
  yield* drifted(resolved.original ?? resolved.digest, kept)
  // a tag that was lost comes back as what it was
  return { ...resolved, digest: kept, original: undefined, held: resolved.named !== undefined }
})
