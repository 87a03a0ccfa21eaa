// DecideWorkload: the plan of one workload as everything is at this moment: asked when its actor looks, and again when its
// patch is about to be sent, because waiting for a turn takes time and settings, pods and copies change meanwhile.
import { Clock, Effect, type Option, SubscriptionRef } from "effect"
import { uptime } from "../../telemetry/Uptime.ts"
import type { Backup } from "../../image/BackupName.ts"
import { Leadership } from "../../kube/lease/Leadership.ts"
import { WatchStates } from "../../kube/watch/WatchStates.ts"
import type { Settings } from "../../settings/Settings.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { Inventory } from "../../store/Inventory.ts"
import { WorkloadStore } from "../../store/WorkloadStore.ts"
import type { Facts } from "../../workload/Facts.ts"
import type { HeldMark } from "../../workload/HeldMark.ts"
import { kindOf } from "../../workload/Kinds.ts"
import { type Plan, plan } from "../../workload/Plan.ts"
import type { Workload } from "../../workload/Workload.ts"
import { shownPatchOf } from "../../workload/OurRollout.ts"
import type { Contests } from "./Contests.ts"
import { type Below, belowOf, gatherFacts } from "../GatherFacts.ts"
import { type RolloutsSeen, type Times, timesAt } from "../RolloutsSeen.ts"

export interface Decided extends Below {
  readonly workload: Workload
  /** What was seen of its rollout over time. */
  readonly times: Times
  readonly settings: Settings
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Milliseconds of a clock that only goes on. */
  readonly uptime: number
  readonly plan: Plan
  /** What is remembered of a fight over its images. */
  readonly remembered: HeldMark | undefined
  /** Whether somebody has rolled it back, and until when it is left alone for that. */
  readonly rolledBack: Facts["rolledBack"]
}

export interface Given {
  readonly ownNamespace: Option.Option<string>
  readonly target: Backup
  readonly seen: RolloutsSeen
  readonly contests: Contests
}

/**
 * Makes the function that decides about a key; undefined: there is no such workload.
 * @param seen takes note of each look, as `contests` does
 */
export const make = Effect.fnUntraced(function*({ contests, ownNamespace, seen, target }: Given) {
  const store = yield* WorkloadStore
  const inventory = yield* Inventory
  const settingsRef = yield* SettingsRef
  const states = yield* WatchStates
  const { mayWrite } = yield* Leadership

  return Effect.fnUntraced(function*(key: string): Effect.fn.Return<Decided | undefined> {
    const workload = store.get(key)
    if (workload === undefined) return undefined
    const settings = yield* SubscriptionRef.get(settingsRef)
    const now = yield* Clock.currentTimeMillis
    const up = yield* uptime
    const below = belowOf(store, workload)
    const { controlled, newestPods, pods } = below
    // of what another object controls, or what is never patched, there is nothing to remember
    const times = workload.owner === undefined && kindOf(workload.kind).mutable
      ? seen.note(workload, shownPatchOf(workload), pods, newestPods, { now, uptime: up })
      : timesAt(now)
    const remembered = contests.look(workload, { newest: newestPods, controlled }, now)
    const facts = gatherFacts(store, workload, {
      settings,
      backup: target,
      ownNamespace,
      now,
      uptime: up,
      state: (source) => inventory.state(source),
      assumeCopied: settings.DRY_RUN,
      explained: contests.isExplained(key),
      pullFailsSince: times.pullFailsSince,
      unheard: (resource) => states.unheard(resource, up)
    }, below)
    const planned = plan(workload, { ...facts, remembered, leads: yield* mayWrite })
    return {
      workload,
      ...below,
      times,
      settings,
      now,
      uptime: up,
      plan: planned,
      remembered,
      rolledBack: facts.rolledBack
    }
  })
})
