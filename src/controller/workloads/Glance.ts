// Glance: what there is to do with an object that another kind of ours makes, as Deployments do ReplicaSets and pods: what it runs
// is wanted, what its pod shows is noted, and nothing is decided about it, since its maker is rewritten. Most objects of a cluster
// are of this kind, so this takes no fiber. Edge: whatever needs more than that is left to ReconcileWorkload, as it was before.
import { Clock, Effect, Option, SubscriptionRef } from "effect"
import { WatchStates } from "../../kube/watch/WatchStates.ts"
import { Pacing } from "../../rewrite/Pacing.ts"
import { backup } from "../../settings/Settings.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { Inventory } from "../../store/Inventory.ts"
import { WorkloadStore } from "../../store/WorkloadStore.ts"
import { uptimeUnsafe } from "../../telemetry/Uptime.ts"
import { isMade } from "../../workload/Kinds.ts"
import { plan } from "../../workload/Plan.ts"
import { pulledAnew } from "../../workload/TagPulls.ts"
import { Decisions } from "../Decisions.ts"
import { gatherFacts } from "../GatherFacts.ts"
import { pullSetOfSeen } from "../PullSets.ts"
import { Coverage } from "../../upkeep/Coverage.ts"
import { unpulled } from "../../workload/Unpulled.ts"

/** Makes the function that does what a glance is enough for; false: it was not, and nothing was done. */
export const make = Effect.fnUntraced(function*({ ownNamespace }: { readonly ownNamespace: Option.Option<string> }) {
  const store = yield* WorkloadStore
  const inventory = yield* Inventory
  const decisions = yield* Decisions
  const settingsRef = yield* SettingsRef
  const states = yield* WatchStates
  const pacing = yield* Pacing
  const coverage = yield* Coverage
  const clock = yield* Clock.Clock
  // BACKUP_REGISTRY and BACKUP_LAYOUT change with a restart only
  const target = backup(yield* SubscriptionRef.get(settingsRef))

  return (key: string): boolean => {
    const workload = store.get(key)
    // what was decided about once, before it was adopted, has more to be forgotten
    if (workload === undefined || !isMade(workload) || workload.ownsImages || decisions.get(key) !== undefined) {
      return false
    }
    const namespaceIsSeen = store.namespace(workload.namespace) !== undefined
    if (!namespaceIsSeen && store.isSynced("namespaces")) return false
    const settings = SubscriptionRef.getUnsafe(settingsRef)
    const uptime = uptimeUnsafe(clock)
    const facts = gatherFacts(store, workload, {
      settings,
      backup: target,
      ownNamespace,
      now: clock.currentTimeMillisUnsafe(),
      uptime,
      state: (source) => inventory.state(source),
      assumeCopied: settings.DRY_RUN,
      unheard: (resource) => states.unheard(resource, uptime)
    })
    const planned = plan(workload, facts)
    const { images, wants } = planned
    const pulled = pulledAnew(images)
    const isNews = images.some((it) => it.stray !== undefined) || inventory.hasNews(wants, pulled) ||
      unpulled(planned, facts.pods).some((it) => inventory.state(it)?._tag === "BackedUp")
    if (isNews) return false
    const pod = store.pod(key)
    const set = pod === undefined ? undefined : pullSetOfSeen(store, pod)
    if (pod !== undefined && set !== undefined) pacing.observePod(pod, set, target)
    inventory.want(key, wants, pulled)
    if (pod !== undefined) coverage.notePod(pod, planned, (source) => inventory.state(source))
    return true
  }
})
