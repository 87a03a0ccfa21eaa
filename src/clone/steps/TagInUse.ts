// TagInUse: the tag of a copy is not moved to other content while pods are being started from it. Edge: whether they are is asked of
// whoever has the image copied.
import { Duration, Effect } from "effect"
import { CloneError } from "../CloneError.ts"
import type { Job } from "./Job.ts"
import type { Resolved } from "./Resolve.ts"

/** After what time it is asked again whether a rollout still uses a tag. */
const inUseRest = Duration.seconds(15)

/** The backup's tag does not move while pods are started from it: a pin does without it, the copy of a tag waits. */
export const keepTag = Effect.fnUntraced(function*({ environment, image, source }: Job, resolved: Resolved) {
  // a tag that was lost is used all the same: pods wait for it
  const named = resolved.named ?? environment.expected
  const moves = resolved.tag !== undefined && !resolved.held && named !== undefined && named !== resolved.digest
  if (!moves || !(yield* environment.tagInUse)) return resolved
  if (source.digest !== undefined) return { ...resolved, tag: undefined }
  return yield* new CloneError({
    image,
    reason: "tag-in-use",
    side: "backup",
    detail: `a rollout brings up ${named} by the copy's tag, which is moved to ${resolved.digest} afterwards`,
    retryable: true,
    retryAfter: inUseRest
  })
})
