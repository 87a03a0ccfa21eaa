// Look, the first step: what the image's name means now, and whether the backup holds that already. Asks for names only, and
// needs no permit of those that move bytes.
import { Clock, Duration, Effect, Result } from "effect"
import { type CloneError, unnamed } from "../CloneError.ts"
import type { Whole } from "../Ledger.ts"
import type { Job } from "./Job.ts"
import type { Resolved } from "./Resolve.ts"
import { ReferrersSeen } from "./ReferrersSeen.ts"
import { keepDigest } from "./KeepDigest.ts"
import { type Copied, remembered, report, tagImage } from "./Tag.ts"
import { keepTag } from "./TagInUse.ts"
import { type Instead, insteadOf } from "./WithoutSource.ts"

/** What a look told. */
export type Looked =
  /** There is something to be done for it. */
  | { readonly _tag: "Named"; readonly at: bigint; readonly resolved: Resolved }
  /** The backup holds it, with all its names. */
  | { readonly _tag: "There"; readonly at: bigint; readonly copied: Copied; readonly resolved: Resolved }
  /** The source cannot say. */
  | { readonly _tag: "Instead"; readonly at: bigint; readonly instead: Instead }

/** What was seen whole before, where the tag still names it. */
export const knownOf = ({ environment, into }: Job, { digest, held, tag }: Resolved): Whole | undefined =>
  environment.damaged === undefined && (tag === undefined || held)
    ? environment.ledger.whole(into.repository, digest)
    : undefined

/** All that there is to do for an image that is there, going by its tags and by what was seen before. */
const recognise = Effect.fnUntraced(function*(job: Job, resolved: Resolved) {
  const { damaged, believeTags } = job.environment
  const { digest, held, original } = resolved
  if (damaged === undefined && held && believeTags) {
    return yield* report(job, remembered(digest, { blobs: 0, bytes: 0, contents: new Set(), manifests: [] }, original))
  }
  const known = knownOf(job, resolved)
  if (known === undefined) return undefined
  const signed = original !== undefined || new ReferrersSeen(job).isKnown(digest)
  return signed ? yield* tagImage(job, remembered(digest, known, original)) : undefined
})

export const look = Effect.fnUntraced(function*(job: Job): Effect.fn.Return<Looked, CloneError> {
  const outcome = yield* job.resolve.pipe(
    Effect.flatMap((it) => keepDigest(job, it)),
    Effect.flatMap((it) => keepTag(job, it)),
    Effect.result
  )
  const at = yield* Clock.monotonicTimeNanos
  if (Result.isFailure(outcome)) {
    return { _tag: "Instead", at, instead: yield* Effect.mapError(insteadOf(job, outcome.failure), unnamed) }
  }
  const resolved = outcome.success
  const copied = yield* recognise(job, resolved)
  return copied === undefined ? { _tag: "Named", at, resolved } : { _tag: "There", at, copied, resolved }
})

/** The same answer, or a new one: a name may mean something else after a long wait. */
export const lookAgain = (job: Job, before: Looked): Effect.Effect<Looked, CloneError> =>
  Effect.flatMap(
    Clock.monotonicTimeNanos,
    (now) =>
      now - before.at < Duration.toNanosUnsafe(job.environment.limits.namesKept) ? Effect.succeed(before) : look(job)
  )
