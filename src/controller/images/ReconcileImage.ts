// ReconcileImage: the actor of one source image. Pending → copied or failed; a copy is watched over (WatchOverCopy.ts). One whose turn
// to be copied has not come waits in line, without a fiber, and is called. Retries belong to the image (FailedImages.ts): two
// hundred users of a dead one cost one retry. Where its registry answers nobody they belong to that: its images wait, and Waking.ts
// says which of them is tried. Every change wakes its users.
import { Duration, Effect, SubscriptionRef } from "effect"
import { uptime } from "../../telemetry/Uptime.ts"
import { Cloner } from "../../clone/Cloner.ts"
import type { Copy, ImageState } from "../../image/ImageState.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { Inventory, referenceOf } from "../../store/Inventory.ts"
import { make as makeAttempt } from "./AttemptCopy.ts"
import { make as makeCompareTags } from "./CompareTags.ts"
import { make as makeFailedImages } from "./FailedImages.ts"
import { make as makeFollowCopy } from "./FollowCopy.ts"
import { make as makeStayBehind } from "./StayBehind.ts"
import { make as makeWatchOver } from "./WatchOverCopy.ts"
import { ImageQueue, offerAll } from "../Queues.ts"

/** Offers the images whose turn has come; never ends. */
export const callInLine = Effect.gen(function*() {
  const cloner = yield* Cloner
  const images = yield* ImageQueue
  return yield* Effect.forever(Effect.flatMap(cloner.calls, (sources) => offerAll(images, sources)))
})

/** Makes the function that works on one source reference. */
export const make = Effect.gen(function*() {
  const cloner = yield* Cloner
  const inventory = yield* Inventory
  const images = yield* ImageQueue
  const settings = yield* SettingsRef
  const failed = yield* makeFailedImages
  const following = yield* makeFollowCopy
  const comparisons = yield* makeCompareTags
  const { keepCopy, stayBehind } = yield* makeStayBehind(comparisons)
  const attempt = yield* makeAttempt({ comparisons, failed, mayCopy: following.mayCopy })

  const copy = Effect.fnUntraced(function*(source: string) {
    const { TAG_POLICY } = yield* SubscriptionRef.get(settings)
    const reference = yield* referenceOf(source)
    const state = inventory.state(source)
    const lost = state?._tag === "Pending" ? state.last : undefined
    const last = lost ?? (TAG_POLICY === "keep" ? comparisons.lastOf(source)?.digest : undefined)
    const failure = yield* attempt(source, reference, { last, inLine: true })
    // it is called when its turn comes
    if (failure === undefined || failure.reason === "in-line") return
    // another leads by now
    if (failure.reason === "unwanted" && !(yield* following.mayCopy(source))) return yield* following.later(source)
    if (yield* keepCopy(source, reference, failure)) return
    return yield* failed.fail(source, failure)
  })

  const watchOver = yield* makeWatchOver({ attempt, comparisons, failed, mayCopy: following.mayCopy, stayBehind })

  /** Whether what is not copied is tried now; else it is woken. */
  const isDue = Effect.fnUntraced(function*(source: string, state: Exclude<ImageState, Copy>) {
    if (state._tag === "Pending") return true
    if (state.silent !== undefined) {
      const silence = yield* cloner.silenceOf(state.silent)
      return silence === undefined || Duration.isZero(silence)
    }
    const rest = state.retryAt - (yield* uptime)
    if (rest > 0) yield* images.offerAfter(source, Duration.millis(rest))
    return rest <= 0
  })

  const forget = Effect.fnUntraced(function*(source: string) {
    failed.forget(source)
    following.forget(source)
    yield* comparisons.forget(source)
  })

  /** What there is to do for an image; false: it is not tried, and does not wait for its turn. */
  const act = Effect.fnUntraced(function*(source: string): Effect.fn.Return<boolean> {
    const entry = inventory.get(source)
    const { DRY_RUN } = yield* SubscriptionRef.get(settings)
    if (entry === undefined) yield* forget(source)
    else if (DRY_RUN) {
      yield* comparisons.rest(source)
      yield* Effect.logInfo("would be copied to the backup, but DRY_RUN is on")
    } else if (entry.state._tag === "BackedUp") yield* watchOver(source, entry.state)
    const state = DRY_RUN ? undefined : inventory.state(source)
    if (state === undefined || state._tag === "BackedUp") return false
    if (!(yield* following.mayCopy(source))) yield* following.follow(source)
    else if (yield* isDue(source, state)) yield* copy(source)
    else return false
    return true
  })

  return Effect.fn("reconcileImage")(
    (source: string) => Effect.flatMap(act(source), (tried) => tried ? Effect.void : cloner.stepOut(source)),
    (effect, source) => Effect.annotateLogs(effect, { image: source })
  )
})
