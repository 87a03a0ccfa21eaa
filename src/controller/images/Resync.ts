// Resync: one copy at its turn: seen again in the backup, compared with its source, and moved with it. What the backup has lost is
// restored; an outage of either side, or a tag that a rollout of ours uses, leaves everything as it is for later.
import { Effect, Result, SubscriptionRef } from "effect"
import { type CloneError, Cloner } from "../../clone/Cloner.ts"
import type { Digest } from "../../image/Digest.ts"
import type { ImageReference } from "../../image/ImageReference.ts"
import type { Copy } from "../../image/ImageState.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { Inventory } from "../../store/Inventory.ts"
import { ImageQueue } from "../Queues.ts"
import type { make as makeAttempt } from "./AttemptCopy.ts"
import type { CompareTags } from "./CompareTags.ts"
import { makeBecome } from "./FailedImages.ts"
import type { StayBehind } from "./StayBehind.ts"
import { often } from "./TagTurns.ts"

interface Options {
  readonly comparisons: CompareTags
  /** Copies the image and says so in the inventory; answers why not, if that fails. */
  readonly attempt: Effect.Success<ReturnType<typeof makeAttempt>>
  /** What follows where the backup has lost the copy. */
  readonly restore: (source: string, state: Copy, detail: string) => Effect.Effect<void>
  readonly stayBehind: StayBehind
  readonly mayCopy: (source: string) => Effect.Effect<boolean>
  readonly tagInUse: (reference: ImageReference) => Effect.Effect<boolean>
}

const caughtUp = (copy: Copy): Copy => {
  const { behind: _, ...now } = copy
  return now
}

/** Makes the function that looks at one copy, if its turn has come. True: there is nothing else to look at. */
export const make = Effect.fnUntraced(function*(given: Options) {
  const { attempt, comparisons, mayCopy, restore, stayBehind, tagInUse } = given
  const cloner = yield* Cloner
  const images = yield* ImageQueue
  const inventory = yield* Inventory
  const settings = yield* SettingsRef
  const become = yield* makeBecome

  /** Comes back when the rollout may have ended. */
  const wait = (source: string) => {
    inventory.ask(source)
    return images.offerAfter(source, often)
  }

  /** An outage changes nothing; whoever waits for a look asks for one of its own. */
  const unseen = Effect.fnUntraced(function*(source: string, state: Copy, failure: CloneError) {
    if (failure.reason === "not-found") return yield* restore(source, state, failure.detail)
    yield* Effect.logDebug(`its copy cannot be looked at; that is done later: ${failure.message}`)
    yield* comparisons.putOff(source, failure.retryAfter)
    yield* become(source, state)
  })

  /** What cannot be copied leaves the copy as it is, unless the backup says that it is gone. */
  const failed = Effect.fnUntraced(
    function*(source: string, reference: ImageReference, state: Copy, moving: Digest, failure: CloneError) {
      // nothing has failed: another replica leads by now, or nothing is copied any more
      if (failure.reason === "unwanted") {
        yield* comparisons.rest(source)
        return yield* become(source, state)
      }
      const seen = yield* Effect.result(cloner.verify(reference, state.digest))
      if (Result.isFailure(seen)) {
        // a backup that falls over under the copy is not to get it again and again
        if (seen.failure.reason !== "not-found") yield* comparisons.failed(source, moving, failure)
        return yield* unseen(source, { ...state, behind: moving }, seen.failure)
      }
      const now: Copy = { ...state, verifiedAt: seen.success }
      if (failure.reason === "tag-in-use") {
        yield* become(source, now)
        return yield* wait(source)
      }
      yield* stayBehind(source, now, moving, failure)
    }
  )

  /** The new image is copied whole, then the copy's tag is moved to it; until then nothing is patched to name the tag. */
  const follow = Effect.fnUntraced(function*(source: string, reference: ImageReference, state: Copy, moving: Digest) {
    yield* become(source, { ...state, moving })
    const failure = yield* attempt(source, reference, { last: state.digest, inLine: false })
    if (failure !== undefined) yield* failed(source, reference, state, moving, failure)
  })

  return Effect.fnUntraced(function*(source: string, reference: ImageReference, state: Copy) {
    if (reference.digest !== undefined) return false
    if (!(yield* mayCopy(source))) {
      yield* comparisons.rest(source)
      return false
    }
    if (!(yield* comparisons.isDue(source, state))) return false
    const { TAG_POLICY } = yield* SubscriptionRef.get(settings)
    // nothing would be moved now, so nobody is asked
    if (TAG_POLICY === "follow" && (yield* tagInUse(reference))) {
      yield* wait(source)
      return false
    }
    const { moving: _, ...before } = state
    const seen = yield* Effect.result(cloner.verify(reference, state.digest))
    if (Result.isFailure(seen)) {
      yield* unseen(source, before, seen.failure)
      return true
    }
    const now: Copy = { ...before, verifiedAt: seen.success }
    yield* become(source, now)
    const moved = yield* comparisons.ask(source, now)
    if (moved !== undefined) yield* follow(source, reference, now, moved)
    else if (now.behind !== undefined && comparisons.behindOf(source) === undefined) {
      yield* become(source, caughtUp(now))
    }
    return true
  })
})
