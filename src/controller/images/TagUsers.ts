// TagUsers: who would get other bytes if the backup's tag of an image were moved now: a rollout of ours that brings up pods by it, and
// whoever uses the tag alone while a pin of it is copied.
import { Effect } from "effect"
import { format, type ImageReference } from "../../image/ImageReference.ts"
import { Pacing } from "../../rewrite/Pacing.ts"
import { Inventory } from "../../store/Inventory.ts"
import { make as makeDoubt } from "./Doubt.ts"

/** Makes the two functions. */
export const make = Effect.gen(function*() {
  const inventory = yield* Inventory
  const pacing = yield* Pacing
  const doubt = yield* makeDoubt

  /** Whether a rollout of ours may be starting pods from the backup's tag of this image. */
  const tagInUse = ({ registry, repository, tag }: ImageReference): Effect.Effect<boolean> =>
    Effect.map(pacing.underWay, (keys) => {
      const users = inventory.get(format({ registry, repository, tag }))?.users ?? new Set()
      return [...keys].some((it) => users.has(it))
    })

  /**
   * Copying a tag with a digest moves the backup's tag where the source's has moved. Whoever uses the tag alone would get other
   * bytes than were looked at, so it is looked at anew: before, that nobody is pointed to it meanwhile, and after.
   */
  const doubtTag = ({ digest, registry, repository, tag }: ImageReference): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (digest === undefined || tag === undefined) return Effect.void
      const alone = format({ registry, repository, tag })
      const state = inventory.state(alone)
      if (state?._tag !== "BackedUp" || state.digest === digest || state.original === digest) return Effect.void
      return doubt(alone, "its tag may be moved by the copy of a pin")
    })
  return { doubtTag, tagInUse }
})
