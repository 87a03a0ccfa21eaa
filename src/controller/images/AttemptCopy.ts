// AttemptCopy: one try to copy an image, with what the cloner has to know of its users; a copy that is there is said so in the
// inventory. Edge: what follows from a failure is the caller's.
import { Effect, Result, SubscriptionRef } from "effect"
import { type CloneError, Cloner } from "../../clone/Cloner.ts"
import type { Digest } from "../../image/Digest.ts"
import type { ImageReference } from "../../image/ImageReference.ts"
import type { Copy } from "../../image/ImageState.ts"
import { unclaimed } from "../../queue/FairTurns.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { Inventory } from "../../store/Inventory.ts"
import { WorkloadStore } from "../../store/WorkloadStore.ts"
import type { CompareTags } from "./CompareTags.ts"
import { type FailedImages, makeBecome } from "./FailedImages.ts"
import { make as makeTagUsers } from "./TagUsers.ts"
import { claimOf } from "./Urgency.ts"

interface Options {
  readonly comparisons: CompareTags
  readonly failed: FailedImages
  readonly mayCopy: (source: string) => Effect.Effect<boolean>
}

interface How {
  /** What the copy of a tag was last seen to be (CloneRequest). */
  readonly last: Digest | undefined
  /** Whether it waits for its turn without this fiber (CloneRequest). */
  readonly inLine: boolean
}

/** Makes the function that tries; undefined: it is copied. */
export const make = Effect.fnUntraced(function*({ comparisons, failed, mayCopy }: Options) {
  const cloner = yield* Cloner
  const inventory = yield* Inventory
  const store = yield* WorkloadStore
  const settings = yield* SettingsRef
  const become = yield* makeBecome
  const { doubtTag, tagInUse } = yield* makeTagUsers

  /** Whether it is to be copied as things are at this moment. */
  const wanted = (source: string) =>
    Effect.map(SubscriptionRef.get(settings), ({ DRY_RUN }) => !DRY_RUN && inventory.get(source) !== undefined)

  return Effect.fnUntraced(
    function*(
      source: string,
      reference: ImageReference,
      { inLine, last }: How
    ): Effect.fn.Return<CloneError | undefined> {
      yield* doubtTag(reference)
      const entry = inventory.get(source)
      const claim = entry === undefined ? unclaimed : claimOf(entry, store, failed.has(source))
      const copied = yield* Effect.result(cloner.clone(reference, {
        claim,
        inLine,
        last,
        mayCopy: mayCopy(source),
        tagInUse: tagInUse(reference),
        wanted: wanted(source),
        drifted: (digest, kept) => comparisons.drifted(source, digest, kept)
      }))
      if (Result.isFailure(copied)) return copied.failure
      yield* doubtTag(reference)
      failed.forget(source)
      const { contents, digest, original, verifiedAt } = copied.success
      // a tag that the backup has is copied without its source, which says at its turn whether it has it
      const before = entry?.state
      if (reference.digest !== undefined || (before?._tag === "Failed" && before.reason === "not-found")) {
        inventory.noteGone(source, undefined)
      }
      const copy: Copy = { _tag: "BackedUp", digest, original, contents, verifiedAt }
      yield* become(source, copy)
      if (reference.digest === undefined) yield* comparisons.copied(source, copy)
      return undefined
    }
  )
})
