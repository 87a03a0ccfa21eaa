// Remains: what of a cluster still refers to the backup: the proof that a restore has done all, or what it has not. Asked of the
// cluster anew when all is done, never of what was meant to be done. Edge: Jobs, bare and static pods, and pods that no
// controller replaces by itself cannot be helped by a patch: they are named and do not count.
import type { Backup } from "../../image/BackupName.ts"
import type { Workloads } from "../../store/WorkloadStore.ts"
import { kindOf } from "../../workload/Kinds.ts"
import { copyIn, type LeftReason, type ToRestore, toRestore } from "../../workload/Restore.ts"
import { livePods, replacesPods } from "../../workload/Rollout.ts"
import { isInScope, isNamed, type Scope } from "../../workload/Scope.ts"
import type { Workload } from "../../workload/Workload.ts"

export interface Remaining {
  readonly key: string
  readonly reason: LeftReason
  readonly detail: string
  /** Whether a restore had to do something about it. */
  readonly counts: boolean
}

const remaining = (of: Workload, reason: LeftReason, detail: string, counts = false): Remaining => ({
  key: of.key,
  reason,
  detail,
  counts
})

/** What is to be done about a workload of a store. */
export const wishOf = (store: Workloads, workload: Workload, backup: Backup, scope: Scope): ToRestore =>
  toRestore({
    workload,
    backup,
    namespace: store.namespace(workload.namespace),
    owners: store.ownersOf(workload),
    pods: store.podsOf(workload),
    named: isNamed(scope, workload.key)
  })

/** A Job that still needs its image; one that its CronJob keeps and that runs nothing has had its day. */
const ofJob = (store: Workloads, job: Workload, backup: Backup): Remaining | undefined => {
  const copy = copyIn(job, backup)
  const over = job.owner !== undefined && livePods(store.podsOf(job)).length === 0
  return copy === undefined || job.deleting || over
    ? undefined
    : remaining(job, "immutable", `it uses ${copy} until it is made anew`)
}

/** Pods that nobody replaces; those of Jobs are their Job's matter, and what its controller is replacing is not left. */
const ofPods = (store: Workloads, workload: Workload, backup: Backup): Remaining | undefined => {
  if (workload.owner !== undefined || workload.kind === "CronJob" || !kindOf(workload.kind).mutable) return undefined
  const pods = livePods(store.podsOf(workload)).filter((it) => copyIn(it.workload, backup) !== undefined)
  if (pods.length === 0) return undefined
  const names = pods.map((it) => it.workload.name).join(" ")
  if (workload.extra !== undefined) {
    return remaining(workload, "rolling-out", `its own controller replaces its pods ${names}, as it sees fit`)
  }
  return replacesPods(workload) && workload.partition === 0
    ? remaining(workload, "rolling-out", `its pods ${names} are still there`, true)
    : remaining(workload, "not-replaced", `kubectl -n ${workload.namespace} delete pod ${names}`)
}

const ofTemplate = (store: Workloads, workload: Workload, backup: Backup, scope: Scope): Remaining | undefined => {
  const wish = wishOf(store, workload, backup, scope)
  switch (wish._tag) {
    case "Left":
      return remaining(workload, wish.reason, wish.detail, true)
    case "Restore":
      return remaining(workload, "again", "it refers to the backup since it was looked at: run it again", true)
    case "UnderWay":
      return remaining(workload, "rolling-out", "its pods are still being replaced", true)
    case "Nothing":
      return workload.kind === "Job" ? ofJob(store, workload, backup) : ofPods(store, workload, backup)
  }
}

/** A pod that nothing controls that is looked at. */
const ofPod = (pod: Workload, backup: Backup, scope: Scope): Remaining | undefined => {
  const copy = copyIn(pod, backup)
  if (copy === undefined || pod.deleting) return undefined
  // a static pod is its node's, which counts as its controlling owner
  if (pod.mirror) return remaining(pod, "mirror-pod", `its node's manifest names ${copy}`)
  return pod.owner === undefined
    ? remaining(pod, "immutable", `it uses ${copy} until it is made anew`, isNamed(scope, pod.key))
    : remaining(pod, "owned", `${pod.owner.kind} ${pod.owner.name}, which is not looked at, makes it of ${copy}`, true)
}

/** All that still refers to the backup, in the order of its names. */
export const remainsOf = (store: Workloads, backup: Backup, scope: Scope): ReadonlyArray<Remaining> =>
  store.all.filter((it) => isInScope(scope, it, store.ownersOf(it))).flatMap((workload) => {
    const pod = store.pod(workload.key)
    if (pod === undefined) return ofTemplate(store, workload, backup, scope) ?? []
    const apart = livePods([pod]).length > 0 && store.ownersOf(workload).length === 0
    return apart ? ofPod(workload, backup, scope) ?? [] : []
  }).toSorted((a, b) => a.key.localeCompare(b.key))
