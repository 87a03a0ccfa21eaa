// GatherFacts: all that a decision about one workload depends on, out of the store. The same for the daemon and for `plan`.
import { Option } from "effect"
import type { Workloads } from "../store/WorkloadStore.ts"
import { fightsIn } from "../workload/Contest.ts"
import type { Facts } from "../workload/Facts.ts"
import { type Kind, kindOfObject, watchName } from "../workload/Kinds.ts"
import { calmAt, isRolledBack, waysOn } from "../workload/WentBack.ts"
import { newestPods } from "../workload/Rollout.ts"
import type { Pod, Workload } from "../workload/Workload.ts"

/** What must be seen beside the pods and the namespace of a workload, by its kind. */
const needed: Partial<Record<Kind["kind"], string>> = {
  Deployment: "replicasets",
  CronJob: "jobs",
  DaemonSet: "nodes",
  Extra: "replicasets"
}

type Given = Pick<Facts, "settings" | "backup" | "now" | "uptime" | "state" | "assumeCopied"> & {
  /** Whether it is known that a fight, or we ourselves, brought its originals back: that is no rollback. */
  readonly explained?: boolean
  /** Without it pulls that fail are seen for the first time now. */
  readonly pullFailsSince?: Facts["pullFailsSince"]
  readonly ownNamespace: Option.Option<string>
  /** Why what is known of a resource may be out of date; without it what was seen once counts. */
  readonly unheard?: (resource: string) => string | undefined
}

/** What must be seen to decide about a workload and is not, in words. Manifests are all that there is of their cluster. */
const unseenOf = (
  store: Workloads,
  workload: Workload,
  unheard: (resource: string) => string | undefined
): ReadonlyArray<string> => {
  if (!store.isOfCluster) return []
  const own = watchName(kindOfObject(workload))
  const beside = needed[workload.kind]
  const resources = ["pods", "namespaces", ...(own === "pods" ? [] : [own]), ...(beside === undefined ? [] : [beside])]
  return resources.flatMap((it) => (store.isSynced(it) ? unheard(it) : `${it} cannot be seen`) ?? [])
}

/** What is below a workload. */
export interface Below {
  readonly pods: ReadonlyArray<Pod>
  /** Those of its newest revision. */
  readonly newestPods: ReadonlySet<Pod>
  /** Objects other than pods that it controls itself. */
  readonly controlled: ReadonlyArray<Workload>
}

export const belowOf = (store: Workloads, workload: Workload): Below => {
  const pods = store.podsOf(workload)
  const controlled = store.controlledBy(workload)
  return { pods, controlled, newestPods: newestPods(workload, controlled, pods) }
}

const rolledBackOf = (
  workload: Workload,
  controlled: ReadonlyArray<Workload>,
  pods: ReadonlyArray<Pod>,
  { backup, now }: Given
): Facts["rolledBack"] => {
  // a fight that is written on it explains it, too
  const fought = workload.images.some((it) => fightsIn(workload.held, it.container, it.image, now) > 0)
  if (fought || !isRolledBack(workload, controlled)) return undefined
  const until = calmAt(workload, pods)
  return until !== undefined && until <= now ? undefined : { until, wayBack: waysOn(workload, controlled, backup) }
}

/** @param below where it was looked for already */
export const gatherFacts = (
  store: Workloads,
  workload: Workload,
  given: Given,
  below: Below = belowOf(store, workload)
): Facts => {
  const { controlled, newestPods: newest, pods } = below
  return {
    ...given,
    rolledBack: given.explained === true ? undefined : rolledBackOf(workload, controlled, pods, given),
    ownNamespace: Option.getOrUndefined(given.ownNamespace),
    namespace: store.namespace(workload.namespace),
    budgets: () => store.budgetsIn(workload.namespace),
    owners: store.ownersOf(workload),
    pods,
    newestPods: newest,
    pullFailsSince: given.pullFailsSince ?? (() => given.now),
    nodeReady: (name) => store.nodeReady(name),
    nodeHasPulled: (name) => store.nodeHasPulled(name),
    unseen: unseenOf(store, workload, given.unheard ?? (() => undefined))
  }
}
