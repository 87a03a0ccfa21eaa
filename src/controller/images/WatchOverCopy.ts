// WatchOverCopy: what becomes of an image that is copied: a copy that was not seen for a while is looked at again, its tag is compared
// with its source's now and then (Resync.ts), all of it is looked at where pods cannot pull it, and what the backup has lost is pending
// again.
import { Effect, Result, Semaphore } from "effect"
import { Cloner } from "../../clone/Cloner.ts"
import type { ImageReference } from "../../image/ImageReference.ts"
import type { Copy } from "../../image/ImageState.ts"
import { Inventory, referenceOf } from "../../store/Inventory.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import { curable } from "../../workload/Freshness.ts"
import type { make as makeAttempt } from "./AttemptCopy.ts"
import type { CompareTags } from "./CompareTags.ts"
import { type FailedImages, makeBecome } from "./FailedImages.ts"
import { make as makeResync } from "./Resync.ts"
import type { StayBehind } from "./StayBehind.ts"
import { make as makeTagUsers } from "./TagUsers.ts"

/** Copies that are walked through at the same time, each by some requests. */
const walksAtOnce = 4

interface Options {
  readonly attempt: Effect.Success<ReturnType<typeof makeAttempt>>
  readonly comparisons: CompareTags
  readonly failed: FailedImages
  readonly mayCopy: (source: string) => Effect.Effect<boolean>
  readonly stayBehind: StayBehind
}

/** Makes the function that looks at a copy if that is due. */
export const make = Effect.fnUntraced(function*({ attempt, comparisons, failed, mayCopy, stayBehind }: Options) {
  const cloner = yield* Cloner
  const inventory = yield* Inventory
  const become = yield* makeBecome
  const { tagInUse } = yield* makeTagUsers
  // pods of many images cannot pull where it is the nodes' fault
  const walks = yield* Semaphore.make(walksAtOnce)

  /** The backup has lost it, or another replica has moved its tag. */
  const restore = Effect.fnUntraced(function*(source: string, state: Copy, detail: string) {
    if (!(yield* mayCopy(source))) {
      return yield* become(source, { _tag: "Pending", why: "its copy has changed, and another replica copies" })
    }
    yield* Effect.logWarning(`${source} is no longer whole in the backup and is copied again: ${detail}`)
    yield* become(source, { _tag: "Pending", last: state.digest })
  })

  /** A copy that was seen whole long ago is seen again before anything is pointed to it. */
  const lookAgain = Effect.fnUntraced(function*(source: string, reference: ImageReference, state: Copy) {
    const seen = yield* Effect.result(cloner.verify(reference, state.digest))
    if (Result.isSuccess(seen)) return yield* become(source, { ...state, verifiedAt: seen.success })
    if (seen.failure.reason !== "not-found") return yield* failed.fail(source, seen.failure)
    yield* restore(source, state, seen.failure.detail)
  })

  /** Whether the manifest of a copy is there, and what that names is not. Where nobody can tell, it is looked at as any other. */
  const isTorn = Effect.fnUntraced(function*(source: string, reference: ImageReference, state: Copy) {
    const seen = yield* Effect.result(walks.withPermit(cloner.verifyWhole(reference, state.digest)))
    if (Result.isSuccess(seen)) return false
    if (seen.failure.reason === "not-found") {
      yield* restore(source, state, seen.failure.detail)
      return true
    }
    yield* Effect.logDebug(`not all of its copy can be looked at: ${seen.failure.message}`)
    return false
  })

  const resync = yield* makeResync({ comparisons, attempt, restore, stayBehind, mayCopy, tagInUse })

  return Effect.fnUntraced(function*(source: string, state: Copy) {
    const reference = yield* referenceOf(source)
    if (inventory.takeSuspected(source) && (yield* isTorn(source, reference, state))) return
    // also then: whatever woke it has taken the place of the wake for its tag's turn
    if (yield* resync(source, reference, state)) return
    if ((yield* uptime) - state.verifiedAt > curable) yield* lookAgain(source, reference, state)
  })
})
