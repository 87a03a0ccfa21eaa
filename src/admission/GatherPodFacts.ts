// GatherPodFacts: all that the decision about a pod at admission depends on, out of the stores. What its controller has made a
// moment ago is waited for, for a fifth of a second at most: a pod must not wait for us.
import { Clock, Duration, Effect, Option, SubscriptionRef } from "effect"
import { WatchStates } from "../kube/watch/WatchStates.ts"
import { backup as backupOf, type Settings } from "../settings/Settings.ts"
import { SettingsRef } from "../settings/SettingsRef.ts"
import { Inventory } from "../store/Inventory.ts"
import { type Workloads, WorkloadStore } from "../store/WorkloadStore.ts"
import { uptime } from "../telemetry/Uptime.ts"
import { ignoredNamespace } from "../workload/Exempt.ts"
import { kindOfObject, watchName } from "../workload/Kinds.ts"
import type { PodFacts } from "../workload/PlanPod.ts"
import type { Namespace, Pod, Workload } from "../workload/Workload.ts"
import type { AdmittedPod } from "./AdmittedPod.ts"
import { ownersOf, watchOf } from "./Owners.ts"

/** How long the cache is waited for, and how often it is looked at meanwhile. */
const patience = 200
const lookEvery = Duration.millis(10)

/** What of a pod's surroundings has been seen. */
interface Seen {
  readonly namespace: Namespace | undefined
  readonly owners: ReadonlyArray<Workload>
  /** What must be seen and is not, in words. */
  readonly missing: ReadonlyArray<string>
}

const look = (store: Workloads, { pod: { workload }, templateHash }: AdmittedPod, settings: Settings): Seen => {
  const namespace = store.namespace(workload.namespace)
  const owners = ownersOf(store, workload, templateHash, settings.EXTRA_KINDS)
  return {
    namespace,
    owners: owners._tag === "Known" ? owners.owners : [],
    missing: [
      ...(namespace === undefined ? [`namespace ${workload.namespace} cannot be seen yet`] : []),
      ...(owners._tag === "Unknown" ? [owners.detail] : [])
    ]
  }
}

/** Whether a pod has every container of another: what an injector has added since tells nothing of one that lacks it. */
const hasAll = ({ workload: { images } }: Pod, { images: wanted }: Workload): boolean =>
  wanted.every((slot) => images.some((it) => it.container === slot.container))

/** What has to be seen to tell whose pod it is, and what its like run. */
const resourcesOf = (
  { pod: { workload: { owner } } }: AdmittedPod,
  owners: ReadonlyArray<Workload>,
  { EXTRA_KINDS }: Settings
): ReadonlySet<string> => {
  const watched = owner && watchOf(owner, EXTRA_KINDS)
  return new Set([
    "pods",
    "namespaces",
    ...owners.map((it) => watchName(kindOfObject(it))),
    ...(watched === undefined ? [] : [watched])
  ])
}

/** Pods that the nearest owner has made from the same revision; kinds that make one revision only give none a name. */
const siblingsOf = (
  store: Workloads,
  { ephemeral, pod: { workload } }: AdmittedPod,
  owners: ReadonlyArray<Workload>
) => {
  const [nearest] = owners
  // no other pod has the container that somebody adds to this one
  if (ephemeral) return []
  // a Deployment that was found by name has pods of other revisions: the ReplicaSet of this one is new
  return nearest === undefined || nearest.uid !== workload.owner?.uid
    ? []
    : store.podsOf(nearest).filter((it) => it.workload.revision === workload.revision && hasAll(it, workload))
}

/** Facts without what is known of the backup and of pulling. */
export type Gathered = Omit<PodFacts, "backupFails" | "unshown" | "recreated">

/** Makes the function that gathers; it takes as long as the cache is waited for, and fails never. */
export const make = Effect.fnUntraced(function*(options: { readonly ownNamespace: Option.Option<string> }) {
  const store = yield* WorkloadStore
  const inventory = yield* Inventory
  const settingsRef = yield* SettingsRef
  const states = yield* WatchStates
  const ownNamespace = Option.getOrUndefined(options.ownNamespace)
  // BACKUP_REGISTRY and BACKUP_LAYOUT change with a restart only
  const backup = backupOf(yield* SubscriptionRef.get(settingsRef))

  const seenInTime = Effect.fnUntraced(function*(admitted: AdmittedPod, settings: Settings) {
    const started = yield* uptime
    const { namespace } = admitted.pod.workload
    const needless = ignoredNamespace(namespace, { settings, ownNamespace }) !== undefined
    for (;;) {
      const seen = look(store, admitted, settings)
      // a cache that was never filled is not waited for
      if (needless || seen.missing.length === 0 || !store.isSynced("namespaces")) return seen
      if ((yield* uptime) - started >= patience) return seen
      yield* Effect.sleep(lookEvery)
    }
  })

  return Effect.fnUntraced(function*(admitted: AdmittedPod): Effect.fn.Return<Gathered> {
    const settings = yield* SubscriptionRef.get(settingsRef)
    const { missing, namespace, owners } = yield* seenInTime(admitted, settings)
    const now = yield* Clock.currentTimeMillis
    const up = yield* uptime
    const unheard = [...resourcesOf(admitted, owners, settings)].flatMap((it) =>
      (store.isSynced(it) ? states.unheard(it, up) : `${it} have not been seen whole yet`) ?? []
    )
    const pods = siblingsOf(store, admitted, owners)
    return {
      settings,
      backup,
      ownNamespace,
      now,
      uptime: up,
      namespace,
      owners,
      pods,
      newestPods: new Set(pods),
      pullFailsSince: () => now,
      nodeReady: (name) => store.nodeReady(name),
      nodeHasPulled: () => true,
      state: (source) => inventory.state(source),
      assumeCopied: false,
      unseen: [...missing, ...unheard],
      budgets: () => [],
      rolledBack: undefined
    }
  })
})
