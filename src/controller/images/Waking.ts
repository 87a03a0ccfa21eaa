// Waking: which images are tried now, of those that wait for a registry that gives nobody an answer: the most urgent one when
// it may be asked again, all of them once it answers. Looked up anew every time: an image that is no longer wanted, or that
// waits for something else by now, is nobody's turn. Edge: how long a registry is left alone is registry/Reachability.ts's,
// and how many of those woken are copied at once is ResizablePermits'.
import { Duration, Effect, SubscriptionRef } from "effect"
import { Cloner } from "../../clone/Cloner.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { Inventory, type InventoryEntry } from "../../store/Inventory.ts"
import { WorkloadStore } from "../../store/WorkloadStore.ts"
import { claimOf } from "./Urgency.ts"

/** The registry that an image waits for. */
const awaited = ({ state }: InventoryEntry): string | undefined => state._tag === "Failed" ? state.silent : undefined

/** Makes `due`, which tells the source references of those whose turn it is; none while DRY_RUN is on. */
export const make = Effect.gen(function*() {
  const cloner = yield* Cloner
  const inventory = yield* Inventory
  const store = yield* WorkloadStore
  const settings = yield* SettingsRef

  const mostUrgent = (entries: ReadonlyArray<InventoryEntry>): ReadonlyArray<string> => {
    let first: { readonly source: string; readonly urgency: number } | undefined
    for (const entry of entries) {
      const { urgency } = claimOf(entry, store, false)
      if (first === undefined || urgency > first.urgency) first = { source: entry.source, urgency }
    }
    return first === undefined ? [] : [first.source]
  }

  const due = Effect.gen(function*() {
    const { DRY_RUN } = yield* SubscriptionRef.get(settings)
    const sources: Array<string> = []
    if (DRY_RUN) return sources
    for (const [registry, entries] of Map.groupBy(inventory.all, awaited)) {
      if (registry === undefined) continue
      const rest = yield* cloner.silenceOf(registry)
      // what waits for its turn already is called
      const others = entries.filter((it) => !cloner.isInLine(it.source))
      if (rest === undefined) { for (const { source } of others) sources.push(source) }
      else if (Duration.isZero(rest) && others.length === entries.length) sources.push(...mostUrgent(entries))
    }
    return sources
  })
  return { due }
})
