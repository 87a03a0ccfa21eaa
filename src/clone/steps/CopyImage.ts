// One image from its source to the backup, leaf first: blobs, configs, image manifests, indexes, then the tags, the
// human one last. Everything is looked for in the backup before the source is asked, so a retry costs what is missing.
// Edge: permits are given and the single flight is seen to by Cloner.ts; what the names are is image/BackupName.ts.
import { Effect } from "effect"
import { isUnder } from "../../image/BackupName.ts"
import type { ImageReference } from "../../image/ImageReference.ts"
import { CloneError } from "../CloneError.ts"
import type { Progress } from "../Progress.ts"
import { copy } from "./Copy.ts"
import type { CopyEnvironment } from "./CopyEnvironment.ts"
import { fetch } from "./Fetch.ts"
import { makeJob } from "./Job.ts"
import { look } from "./Look.ts"
import { type Copied, tagImage } from "./Tag.ts"

/** Copies one image and sees that it is there. */
export const copyImage = Effect.fnUntraced(function*(
  environment: CopyEnvironment,
  source: ImageReference,
  progress: Progress
): Effect.fn.Return<Copied, CloneError> {
  const job = makeJob(environment, source, progress)
  if (isUnder(environment.backup, source)) {
    return yield* new CloneError({
      image: job.image,
      reason: "unsupported",
      side: "source",
      detail: "it is in the backup already",
      retryable: false,
      retryAfter: undefined
    })
  }
  // one that has waited in line has been looked at; what that told is told again, or asked anew, by fetch
  const looked = environment.lookBefore() ?? (yield* environment.looking(look(job)))
  if (looked._tag === "There") return looked.copied
  return yield* environment.inTurn({
    fetch: fetch(job, looked),
    copy: (rooted) => copy(job, rooted),
    tag: (untagged) => tagImage(job, untagged)
  }).pipe(Effect.tapError((error) =>
    Effect.sync(() => {
      if (error.reason === "in-line") environment.keepLook(looked)
    })
  ))
})
