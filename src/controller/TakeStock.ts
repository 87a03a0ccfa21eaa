// TakeStock: what is under way and what is proven must be known of all workloads and pods before the first is rewritten.
import { Clock, Effect, SubscriptionRef } from "effect"
import { Pacing } from "../rewrite/Pacing.ts"
import { backup } from "../settings/Settings.ts"
import { SettingsRef } from "../settings/SettingsRef.ts"
import { WorkloadStore } from "../store/WorkloadStore.ts"
import { kindOf } from "../workload/Kinds.ts"
import { pullSetOfSeen } from "./PullSets.ts"
import { timesAt } from "./RolloutsSeen.ts"

/** Tells pacing of everything that the store has; to be done once, when the cluster has been seen whole. */
export const takeStock = Effect.gen(function*() {
  const store = yield* WorkloadStore
  const pacing = yield* Pacing
  const target = backup(yield* SubscriptionRef.get(yield* SettingsRef))
  const seen = timesAt(yield* Clock.currentTimeMillis)
  for (const workload of store.all) {
    // of the others pacing remembers nothing, and there are many
    if (kindOf(workload.kind).rolls) yield* pacing.observe(workload, store.podsOf(workload), target, seen)
  }
  // what other pods run on a node takes the proof from an image that is there already
  for (const observe of [pacing.notePod, pacing.observePod]) {
    for (const pod of store.pods) {
      const set = pullSetOfSeen(store, pod)
      if (set !== undefined) observe(pod, set, target)
    }
  }
})
