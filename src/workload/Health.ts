// Health: whether a workload that rolls may be touched now. The rule of `kubectl rollout status`
// (kubectl/pkg/polymorphichelpers/rollout_status.go) with all its pods ready; pods on nodes that are not Ready do not count.
import type { Pod, Workload } from "./Workload.ts"

export type Health =
  /** None of its pods has a started container: a change interrupts nobody, and may be the cure. */
  | { readonly _tag: "Idle" }
  | { readonly _tag: "Settled" }
  | { readonly _tag: "RollingOut"; readonly detail: string }
  | { readonly _tag: "Unhealthy"; readonly detail: string }

/** Pods that count: neither finished nor on their way out. */
export const livePods = (pods: ReadonlyArray<Pod>): ReadonlyArray<Pod> =>
  pods.filter((it) => !it.finished && !it.workload.deleting)

const hasStarted = (pod: Pod): boolean => pod.containers.some((it) => it.init ? it.running : it.started)

/** Whether the status says that every pod is of the newest revision; undefined when it does, else what is missing. */
const missing = (workload: Workload): string | undefined => {
  const { generation, kind, partition, rollout, strategy } = workload
  if (rollout === undefined) return undefined
  if (rollout.observedGeneration < (generation ?? 0)) return "its controller has not seen its newest generation"
  if (strategy === "OnDelete") return undefined
  const wanted = Math.max(0, rollout.desired - (kind === "StatefulSet" ? partition : 0))
  if (rollout.updated < wanted) return `${rollout.updated} of ${wanted} pods are of the newest revision`
  if (kind === "Deployment" && rollout.current > rollout.updated) {
    return `${rollout.current - rollout.updated} pods of an older revision are still there`
  }
  if (kind === "StatefulSet" && partition === 0 && !rollout.revisionReached) return "its revisions differ"
  return undefined
}

/** Judges a workload by its status and its pods. */
export const healthOf = (
  workload: Workload,
  pods: ReadonlyArray<Pod>,
  nodeReady: (name: string) => boolean
): Health => {
  const live = livePods(pods)
  if (!live.some(hasStarted)) {
    // the watch of pods may be behind the one of workloads: what its controller calls available has started
    return (workload.rollout?.available ?? 0) > 0
      ? { _tag: "RollingOut", detail: "its pods have not been seen yet" }
      : { _tag: "Idle" }
  }
  if (workload.rollout === undefined) return { _tag: "Settled" }
  const lacks = missing(workload)
  if (lacks !== undefined) {
    return workload.rollout.progress === "ProgressDeadlineExceeded"
      ? { _tag: "Unhealthy", detail: `its rollout is past its deadline: ${lacks}` }
      : { _tag: "RollingOut", detail: lacks }
  }
  const here = live.filter((it) => it.node === undefined || nodeReady(it.node))
  const unready = here.find((it) => !it.ready)
  if (unready !== undefined) return { _tag: "Unhealthy", detail: `pod ${unready.workload.name} is not ready` }
  return live.length < workload.rollout.desired
    ? { _tag: "Unhealthy", detail: `${live.length} of ${workload.rollout.desired} pods exist` }
    : { _tag: "Settled" }
}
