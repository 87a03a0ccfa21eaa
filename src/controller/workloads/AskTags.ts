// AskTags: when a workload's own changes have the tags that it uses compared with their sources: it newly uses one, or somebody has
// changed its template. Edge: what follows is the image loop's, and so is everything that comes round by itself.
import { Effect } from "effect"
import { Inventory } from "../../store/Inventory.ts"
import { freshness } from "../../workload/Freshness.ts"
import type { Plan } from "../../workload/Plan.ts"
import { isTemplateChanged } from "../../workload/TagPulls.ts"
import { make as makeDoubt } from "../images/Doubt.ts"
import { ImageQueue } from "../Queues.ts"

/** Makes the function that is told of each plan of a workload, and of the one before. */
export const make = Effect.gen(function*() {
  const inventory = yield* Inventory
  const images = yield* ImageQueue
  const doubt = yield* makeDoubt

  /** New pods read what the tags name: they are compared soon. */
  const ask = (source: string): Effect.Effect<void> => {
    if (inventory.state(source)?._tag !== "BackedUp") return Effect.void
    inventory.ask(source)
    return images.offer(source)
  }

  /** A tag may have moved since it was looked at for others: who newly uses it gets what it names now. */
  const compareAgain = (source: string, uptime: number): Effect.Effect<void> => {
    const state = inventory.state(source)
    if (state?._tag !== "BackedUp" || uptime - state.verifiedAt <= freshness) return Effect.void
    // nothing is pointed to it as it is
    return state.behind === undefined ? doubt(source, "it is compared with its source for a new user") : ask(source)
  }

  return (
    now: Plan,
    before: Plan | undefined,
    at: { readonly now: number; readonly uptime: number }
  ): Effect.Effect<void> => {
    // pods that come and go are no new users: what they run is what their workload names
    if (now.workload.owner !== undefined) return Effect.void
    const changed = before !== undefined && isTemplateChanged(before.workload, now.workload, at.now)
    return Effect.forEach(now.wants.filter((it) => !it.includes("@")), (source) => {
      if (before?.wants.includes(source) !== true) return compareAgain(source, at.uptime)
      return changed ? ask(source) : Effect.void
    }, { discard: true })
  }
})
