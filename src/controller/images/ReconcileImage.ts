// ReconcileImage: the actor of one source image. Pending → copied or failed; a copy that was not seen for a while is looked
// at again, and its tag is compared with its source's now and then (Resync.ts). Retries belong to the image (FailedImages.ts): two
// hundred users of a dead one cost one retry. Where its registry answers nobody they belong to that: its images wait, and Waking.ts
// says which of them is tried. Every change wakes its users.
import { Duration, Effect, Result, SubscriptionRef } from "effect"
import { uptime } from "../../telemetry/Uptime.ts"
import { Cloner } from "../../clone/Cloner.ts"
import type { Digest } from "../../image/Digest.ts"
import { type ImageReference, parse } from "../../image/ImageReference.ts"
import type { Copy } from "../../image/ImageState.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { Inventory } from "../../store/Inventory.ts"
import { curable } from "../../workload/Freshness.ts"
import { make as makeAttempt } from "./AttemptCopy.ts"
import { make as makeCompareTags } from "./CompareTags.ts"
import { make as makeFailedImages, makeBecome } from "./FailedImages.ts"
import { make as makeFollowCopy } from "./FollowCopy.ts"
import { make as makeResync } from "./Resync.ts"
import { make as makeStayBehind } from "./StayBehind.ts"
import { make as makeTagUsers } from "./TagUsers.ts"
import { ImageQueue } from "../Queues.ts"

/** Inventory keys are formatted references; what is not one was never wanted. */
const referenceOf = (source: string): Effect.Effect<ImageReference> =>
  Effect.suspend(() => {
    const reference = parse(source)
    return Result.isFailure(reference) ? Effect.die(reference.failure) : Effect.succeed(reference.success)
  })

/** Makes the function that works on one source reference. */
export const make = Effect.gen(function*() {
  const cloner = yield* Cloner
  const inventory = yield* Inventory
  const images = yield* ImageQueue
  const settings = yield* SettingsRef
  const become = yield* makeBecome
  const failed = yield* makeFailedImages
  const following = yield* makeFollowCopy
  const comparisons = yield* makeCompareTags
  const { keepCopy, stayBehind } = yield* makeStayBehind(comparisons)
  const { tagInUse } = yield* makeTagUsers
  const attempt = yield* makeAttempt({ comparisons, failed, mayCopy: following.mayCopy })

  const copy = Effect.fnUntraced(function*(source: string, last?: Digest) {
    const { TAG_POLICY } = yield* SubscriptionRef.get(settings)
    const reference = yield* referenceOf(source)
    const failure = yield* attempt(
      source,
      reference,
      last ?? (TAG_POLICY === "keep" ? comparisons.lastOf(source)?.digest : undefined)
    )
    if (failure === undefined) return
    // another leads by now
    if (failure.reason === "unwanted" && !(yield* following.mayCopy(source))) return yield* following.later(source)
    if (yield* keepCopy(source, reference, failure)) return
    return yield* failed.fail(source, failure)
  })

  /** The backup has lost it, or another replica has moved its tag. */
  const restore = Effect.fnUntraced(function*(source: string, state: Copy) {
    if (!(yield* following.mayCopy(source))) {
      yield* become(source, { _tag: "Pending", why: "its copy has changed, and another replica copies" })
      return yield* following.follow(source)
    }
    yield* Effect.logWarning(`${source} is no longer whole in the backup and is copied again`)
    yield* become(source, { _tag: "Pending" })
    yield* copy(source, state.digest)
  })

  /** A copy that was seen whole long ago is seen again before anything is pointed to it. */
  const lookAgain = Effect.fnUntraced(function*(source: string, state: Copy) {
    const seen = yield* Effect.result(cloner.verify(yield* referenceOf(source), state.digest))
    if (Result.isSuccess(seen)) return yield* become(source, { ...state, verifiedAt: seen.success })
    if (seen.failure.reason !== "not-found") return yield* failed.fail(source, seen.failure)
    yield* restore(source, state)
  })

  const resync = yield* makeResync({
    comparisons,
    attempt,
    restore,
    stayBehind,
    mayCopy: following.mayCopy,
    tagInUse
  })

  return Effect.fn("reconcileImage")(function*(source: string) {
    const entry = inventory.get(source)
    if (entry === undefined) {
      failed.forget(source)
      following.forget(source)
      return yield* comparisons.forget(source)
    }
    const { DRY_RUN } = yield* SubscriptionRef.get(settings)
    if (DRY_RUN) {
      yield* comparisons.rest(source)
      return yield* Effect.logInfo("would be copied to the backup, but DRY_RUN is on")
    }
    const now = yield* uptime
    const { state } = entry
    if (state._tag !== "BackedUp" && !(yield* following.mayCopy(source))) return yield* following.follow(source)
    if (state._tag === "Pending") return yield* copy(source)
    if (state._tag === "BackedUp") {
      if (yield* resync(source, yield* referenceOf(source), state)) return
      return now - state.verifiedAt > curable ? yield* lookAgain(source, state) : undefined
    }
    if (state.silent !== undefined) {
      const silence = yield* cloner.silenceOf(state.silent)
      return silence === undefined || Duration.isZero(silence) ? yield* copy(source) : undefined
    }
    if (state.retryAt > now) return yield* images.offerAfter(source, Duration.millis(state.retryAt - now))
    return yield* copy(source)
  }, (effect, source) => Effect.annotateLogs(effect, { image: source }))
})
