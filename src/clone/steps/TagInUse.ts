// TagInUse: the tag of a copy is not moved to other content while pods are being started from it. Edge: whether they are is asked of
// whoever has the image copied.
import { Duration, Effect } from "effect"
import { isProtectionTag } from "../../image/BackupName.ts"
import type { Digest } from "../../image/Digest.ts"
import type { Manifest } from "../../registry/api/Manifests.ts"
import { CloneError } from "../CloneError.ts"
import type { Job } from "./Job.ts"
import { movedFrom } from "./KeepDigest.ts"
import type { Resolved } from "./Resolve.ts"

/** After what time it is asked again whether a rollout still uses a tag. */
const inUseRest = Duration.seconds(15)

const inUse = ({ image }: Job, named: Digest, digest: Digest) =>
  new CloneError({
    image,
    reason: "tag-in-use",
    side: "backup",
    detail: `a rollout brings up ${named} by the copy's tag, which is moved to ${digest} afterwards`,
    retryable: true,
    retryAfter: inUseRest
  })

/** The backup's tag does not move while pods are started from it: a pin does without it, the copy of a tag waits. */
export const keepTag = Effect.fnUntraced(function*(job: Job, resolved: Resolved) {
  const { environment, source } = job
  const named = movedFrom(job, resolved)
  if (named === undefined || !(yield* environment.tagInUse)) return resolved
  if (source.digest !== undefined) return { ...resolved, tag: undefined }
  return yield* inUse(job, named, resolved.digest)
})

/**
 * The tags of these that may be put now. A rollout may have begun while the image was copied: then a pin does without its tag, and
 * the copy of a tag is whole but for that, and fails until the rollout has ended.
 */
export const puttable = Effect.fnUntraced(
  function*(
    job: Job,
    tags: ReadonlyArray<string>,
    root: Manifest
  ): Effect.fn.Return<ReadonlyArray<string>, CloneError> {
    const { backupTag, environment, source } = job
    const tag = tags.find((it) => !isProtectionTag(it))
    if (tag === undefined || !(yield* environment.tagInUse)) return tags
    const named = (yield* backupTag(tag))?.digest ?? environment.expected
    if (named === undefined || named === root.digest) return tags
    if (source.digest === undefined) return yield* inUse(job, named, root.digest)
    return tags.filter((it) => it !== tag)
  }
)
