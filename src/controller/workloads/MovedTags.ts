// MovedTags: which tags mean another image at their source than their copies hold (invariant 2). Asked just before a rewrite names
// them; a source that cannot answer leaves the copy as it is, and so does TAG_POLICY keep: there the copy says what its tag means.
import { Effect, Option, SubscriptionRef } from "effect"
import { SourceTags } from "../../clone/SourceTags.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { Inventory } from "../../store/Inventory.ts"
import type { Plan } from "../../workload/Plan.ts"
import { tagsNamed } from "../../workload/PlanImages.ts"
import { make as makeDoubt } from "../images/Doubt.ts"

/** Makes the function that tells the sources whose tags have moved of those that a plan would name; they are copied anew. */
export const make = Effect.gen(function*() {
  const inventory = yield* Inventory
  const tags = yield* SourceTags
  const doubt = yield* makeDoubt
  const settings = yield* SettingsRef

  return Effect.fnUntraced(function*(of: Plan): Effect.fn.Return<ReadonlyArray<string>> {
    if ((yield* SubscriptionRef.get(settings)).TAG_POLICY === "keep") return []
    const asked = yield* Effect.forEach(
      tagsNamed(of.images),
      (source) => Effect.map(tags.named(source), (named) => [source, Option.getOrUndefined(named)] as const),
      { concurrency: "unbounded" }
    )
    const moved = asked.flatMap(([source, named]) => {
      const state = inventory.state(source)
      const same = state?._tag !== "BackedUp" || named === undefined || named === state.digest ||
        named === state.original
      return same ? [] : [source]
    })
    yield* Effect.forEach(moved, (source) => doubt(source, "its tag has moved"), { discard: true })
    return moved
  })
})
