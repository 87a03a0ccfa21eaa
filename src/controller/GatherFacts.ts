// GatherFacts: all that a decision about one workload depends on, out of the store. The same for the daemon and for `plan`.
import { Option } from "effect"
import type { Workloads } from "../store/WorkloadStore.ts"
import type { Facts } from "../workload/Facts.ts"
import { newestPods } from "../workload/Rollout.ts"
import type { Workload } from "../workload/Workload.ts"

/** Without these nobody can tell what a workload runs or who opted out: nothing is rewritten then. */
const needed = ["pods", "replicasets", "namespaces"]

type Given = Pick<Facts, "settings" | "backup" | "now" | "state" | "assumeCopied"> & {
  /** Without it pulls that fail are seen for the first time now. */
  readonly pullFailsSince?: Facts["pullFailsSince"]
  readonly ownNamespace: Option.Option<string>
}

export const gatherFacts = (store: Workloads, workload: Workload, given: Given): Facts => {
  const pods = store.podsOf(workload)
  return {
    ...given,
    ownNamespace: Option.getOrUndefined(given.ownNamespace),
    namespace: store.namespace(workload.namespace),
    owners: store.ownersOf(workload),
    pods,
    newestPods: newestPods(workload, store.controlledBy(workload), pods),
    pullFailsSince: given.pullFailsSince ?? (() => given.now),
    nodeReady: (name) => store.nodeReady(name),
    nodeHasPulled: (name) => store.nodeHasPulled(name),
    podsKnown: needed.every((it) => store.isSynced(it))
  }
}
