// ReconcileImage: the actor of one source image. Pending → copied or failed; a copy that was not seen for a while is looked
// at again. Retries belong to the image (FailedImages.ts): two hundred users of a dead one cost one retry. Where its registry
// answers nobody they belong to that: its images wait, and Waking.ts says which of them is tried. Every change wakes its users.
import { Duration, Effect, Result, SubscriptionRef } from "effect"
import { uptime } from "../../telemetry/Uptime.ts"
import { Cloner } from "../../clone/Cloner.ts"
import type { Digest } from "../../image/Digest.ts"
import { format, type ImageReference, parse } from "../../image/ImageReference.ts"
import type { ImageState } from "../../image/ImageState.ts"
import { Pacing } from "../../rewrite/Pacing.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { Inventory } from "../../store/Inventory.ts"
import { WorkloadStore } from "../../store/WorkloadStore.ts"
import { curable } from "../../workload/Freshness.ts"
import { unclaimed } from "../../queue/FairPermits.ts"
import { claimOf } from "./Urgency.ts"
import { make as makeDoubt } from "./Doubt.ts"
import { make as makeFailedImages, makeBecome } from "./FailedImages.ts"
import { make as makeFollowCopy } from "./FollowCopy.ts"
import { ImageQueue } from "../Queues.ts"

/** Makes the function that works on one source reference. */
export const make = Effect.gen(function*() {
  const cloner = yield* Cloner
  const inventory = yield* Inventory
  const images = yield* ImageQueue
  const store = yield* WorkloadStore
  const settings = yield* SettingsRef
  const pacing = yield* Pacing
  const doubt = yield* makeDoubt
  const become = yield* makeBecome
  const failed = yield* makeFailedImages
  const following = yield* makeFollowCopy

  /** Whether a rollout of ours may be starting pods from the backup's tag of this image. */
  const tagInUse = ({ registry, repository, tag }: ImageReference) =>
    Effect.map(pacing.underWay, (keys) => {
      const users = inventory.get(format({ registry, repository, tag }))?.users ?? new Set()
      return [...keys].some((it) => users.has(it))
    })

  /** Whether it is to be copied as things are at this moment. */
  const wanted = (source: string) =>
    Effect.map(SubscriptionRef.get(settings), ({ DRY_RUN }) => !DRY_RUN && inventory.get(source) !== undefined)

  /**
   * Copying a tag with a digest moves the backup's tag where the source's has moved. Whoever uses the tag alone would get other
   * bytes than were looked at, so it is looked at anew: before, that nobody is pointed to it meanwhile, and after.
   */
  const doubtTag = ({ digest, registry, repository, tag }: ImageReference) =>
    Effect.suspend(() => {
      if (digest === undefined || tag === undefined) return Effect.void
      const alone = format({ registry, repository, tag })
      const state = inventory.state(alone)
      if (state?._tag !== "BackedUp" || state.digest === digest || state.original === digest) return Effect.void
      return doubt(alone, "its tag may be moved by the copy of a pin")
    })

  const copy = Effect.fnUntraced(function*(source: string, last?: Digest) {
    const reference = parse(source)
    // inventory keys are formatted references; what is not one was never wanted
    if (Result.isFailure(reference)) return yield* Effect.die(reference.failure)
    yield* doubtTag(reference.success)
    const entry = inventory.get(source)
    const claim = entry === undefined ? unclaimed : claimOf(entry, store, failed.has(source))
    const mayCopy = following.mayCopy(source)
    const request = { claim, last, mayCopy, tagInUse: tagInUse(reference.success), wanted: wanted(source) }
    const copied = yield* Effect.result(cloner.clone(reference.success, request))
    if (Result.isFailure(copied)) {
      const { failure } = copied
      // another leads by now
      if (failure.reason === "unwanted" && !(yield* mayCopy)) return yield* following.later(source)
      return yield* failed.fail(source, failure)
    }
    yield* doubtTag(reference.success)
    failed.forget(source)
    const { contents, digest, original, verifiedAt } = copied.success
    yield* become(source, { _tag: "BackedUp", digest, original, contents, verifiedAt })
  })

  /** A copy that was seen whole long ago is seen again before anything is pointed to it. */
  const lookAgain = Effect.fnUntraced(function*(source: string, state: Extract<ImageState, { _tag: "BackedUp" }>) {
    const reference = parse(source)
    if (Result.isFailure(reference)) return yield* Effect.die(reference.failure)
    const seen = yield* Effect.result(cloner.verify(reference.success, state.digest))
    if (Result.isSuccess(seen)) return yield* become(source, { ...state, verifiedAt: seen.success })
    if (seen.failure.reason !== "not-found") return yield* failed.fail(source, seen.failure)
    yield* Effect.logWarning(`${source} is no longer whole in the backup and is copied again`)
    yield* become(source, { _tag: "Pending" })
    yield* copy(source, state.digest)
  })

  return Effect.fn("reconcileImage")(function*(source: string) {
    const entry = inventory.get(source)
    if (entry === undefined) {
      failed.forget(source)
      following.forget(source)
      return
    }
    const { DRY_RUN } = yield* SubscriptionRef.get(settings)
    if (DRY_RUN) return yield* Effect.logInfo("would be copied to the backup, but DRY_RUN is on")
    const now = yield* uptime
    const { state } = entry
    if (state._tag !== "BackedUp" && !(yield* following.mayCopy(source))) return yield* following.follow(source)
    if (state._tag === "Pending") return yield* copy(source)
    if (state._tag === "BackedUp") {
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
