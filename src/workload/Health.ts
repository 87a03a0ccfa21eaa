// Health: whether a workload that rolls may be touched now. The rule of `kubectl rollout status`
// (kubectl/pkg/polymorphichelpers/rollout_status.go) with all its pods ready; pods on nodes that are not Ready do not count.
import { hasStarted, isGivenUp, livePods, missing, resolvedMaxUnavailable } from "./Rollout.ts"
import type { Pod, Workload } from "./Workload.ts"

export type Health =
  /** None of its pods has a started container: a change interrupts nobody, and may be the cure. */
  | { readonly _tag: "Idle" }
  | { readonly _tag: "Settled" }
  | { readonly _tag: "RollingOut"; readonly detail: string }
  | { readonly _tag: "Unhealthy"; readonly detail: string }

/** Why nothing is begun while pods are missing; a DaemonSet may be short of less than it would miss itself. */
const shortage = (workload: Workload): string | undefined => {
  const { kind, rollout } = workload
  if (rollout === undefined) return undefined
  const { available, desired } = rollout
  const missed = desired - available
  if (missed <= 0 || (kind === "DaemonSet" && missed < resolvedMaxUnavailable(workload))) return undefined
  return `${available} of ${desired} pods are available`
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
    return isGivenUp(workload)
      ? { _tag: "Unhealthy", detail: `its rollout is past its deadline: ${lacks}` }
      : { _tag: "RollingOut", detail: lacks }
  }
  const short = shortage(workload)
  if (short !== undefined) return { _tag: "Unhealthy", detail: short }
  // a DaemonSet may miss some of its pods
  if (workload.kind === "DaemonSet") return { _tag: "Settled" }
  const unready = live.filter((it) => it.node === undefined || nodeReady(it.node)).find((it) => !it.ready)
  if (unready !== undefined) return { _tag: "Unhealthy", detail: `pod ${unready.workload.name} is not ready` }
  return live.length < workload.rollout.desired
    ? { _tag: "Unhealthy", detail: `${live.length} of ${workload.rollout.desired} pods exist` }
    : { _tag: "Settled" }
}
