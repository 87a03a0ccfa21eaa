// PullSets: out of the store, with which pull secrets a workload's next pods and a pod that is there pull.
import type { Workloads } from "../store/WorkloadStore.ts"
import { type PullSet, pullSetOf, pullSetOfPod } from "../workload/PullSet.ts"
import type { Pod, Workload } from "../workload/Workload.ts"

function* podsIn(store: Workloads, namespace: string): Generator<Pod> {
  for (const pod of store.pods) if (pod.workload.namespace === namespace) yield pod
}

/** The set of a workload's next pods; undefined: nobody can tell. */
export const nextPullSet = (store: Workloads, workload: Workload): PullSet | undefined => {
  const { namespace, serviceAccount = "default" } = workload
  return pullSetOf(workload, {
    namespace: store.namespace(namespace),
    account: store.account(namespace, serviceAccount),
    // where accounts cannot be seen, pods that were made for one tell
    pods: store.isSynced("serviceaccounts") ? [] : podsIn(store, namespace)
  })
}

/** The set of a pod; undefined while its namespace has not been seen. */
export const pullSetOfSeen = (store: Workloads, pod: Pod): PullSet | undefined =>
  pullSetOfPod(pod, store.namespace(pod.workload.namespace))
