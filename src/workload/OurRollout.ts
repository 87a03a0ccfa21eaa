// OurRollout: which rollouts are ours and still under way, read from the cluster alone, so that a restart forgets none
// (invariants 11 and 13). Pure. Ours: a verified originals entry, written by our field manager. Under way: not all pods have
// reached that revision.
import type { Backup } from "../image/BackupName.ts"
import { verifiedOriginals } from "./Originals.ts"
import { deadlineOf } from "./Deadlines.ts"
import { cannotPull, isBehindUs, isGivenUp, livePods, replacesPods, wasReached } from "./Rollout.ts"
import type { ContainerState, Pod, Workload } from "./Workload.ts"

export type RolloutState =
  | { readonly _tag: "None" }
  /** Takes a place; `until`, in milliseconds since the epoch, is when it has to be judged again, whatever happens or not. */
  | { readonly _tag: "UnderWay"; readonly until: number }
  /** Past its deadline: has given up its place, and stops further rollouts in its namespace. */
  | { readonly _tag: "Stuck"; readonly detail: string }

export interface PullFailure {
  readonly pod: Pod
  readonly container: ContainerState
}

/** Names what a patch of ours made of a workload; a later change of anything else is no rollout of ours. */
export const patchOf = (workload: Workload): string =>
  [workload.uid, workload.originals ?? "", ...workload.images.map((it) => it.image)].join(" ")

/** The same of what may never have been patched; undefined: it shows no patch of ours. */
export const shownPatchOf = (workload: Workload): string | undefined =>
  workload.originals === undefined ? undefined : patchOf(workload)

/**
 * Whether the template is as our patch left it: our field manager's, with originals that hold, and nobody has changed it since.
 * Images and annotation can come from a manifest that somebody exported: such a rollout is not ours.
 */
export const isOurPatch = (workload: Workload, backup: Backup): boolean =>
  workload.patchedAt !== undefined && (workload.templateChangedAt ?? 0) <= workload.patchedAt &&
  verifiedOriginals(workload, backup).size > 0

/** A pod of the workload, made since our patch, that cannot pull one of the images that we wrote. */
export const pullFailureOf = (
  workload: Workload,
  pods: ReadonlyArray<Pod>,
  backup: Backup
): PullFailure | undefined => {
  const ours = verifiedOriginals(workload, backup)
  const copies = new Set(workload.images.filter((it) => ours.has(it.container)).map((it) => it.image))
  const { patchedAt = 0 } = workload
  for (const pod of livePods(pods)) {
    if (pod.createdAt !== undefined && pod.createdAt < patchedAt) continue
    const container = pod.containers.find((it) => copies.has(it.image) && cannotPull(it))
    if (container !== undefined) return { pod, container }
  }
  return undefined
}

/** Whether a pod still has an image that our patch replaced. */
export const isFromBefore = (workload: Workload, ours: ReadonlyMap<string, string>, pod: Pod): boolean =>
  pod.workload.images.some((it) =>
    ours.has(it.container) &&
    workload.images.every((slot) => slot.container !== it.container || slot.image !== it.image)
  )

/** What a rollout is judged by beside the cluster: milliseconds since the epoch. */
export interface Times {
  readonly now: number
  /** When it last got further. */
  readonly progressAt: number
  /** Whether all its pods were seen to serve once, where the status says so only while they do. */
  readonly reached: boolean
}

/** Where the rollout that our patch started stands. */
export const rolloutState = (
  workload: Workload,
  pods: ReadonlyArray<Pod>,
  backup: Backup,
  { now, progressAt, reached }: Times
): RolloutState => {
  const { patchedAt, rollout } = workload
  const rolls = replacesPods(workload) && rollout !== undefined && rollout.desired > 0
  if (!rolls || workload.deleting || workload.paused) return { _tag: "None" }
  const ours = verifiedOriginals(workload, backup)
  // images and annotation can come from a manifest that somebody exported: such a rollout is not ours, and has no deadline
  if (patchedAt === undefined || ours.size === 0 || reached) return { _tag: "None" }
  // a place is kept until the pods are there again
  const back = !wasReached(workload) || rollout.available >= rollout.desired
  if (isBehindUs(workload, patchedAt, now) && back) return { _tag: "None" }
  const until = deadlineOf(workload, patchedAt, progressAt)
  if (!isGivenUp(workload) && now <= until) return { _tag: "UnderWay", until }
  const failure = pullFailureOf(workload, pods, backup)
  if (failure !== undefined) {
    return { _tag: "Stuck", detail: `${failure.pod.workload.name} cannot pull ${failure.container.image}` }
  }
  // pods that merely wait for a node were not running before either: nothing that we changed holds them up; and once no pod
  // is from before, our images have been reached: what is late is a change of somebody else, even after a restart of ours
  const live = livePods(pods)
  const started = live.some((pod) => pod.containers.some((it) => it.started))
  return started && live.some((pod) => isFromBefore(workload, ours, pod))
    ? { _tag: "Stuck", detail: `${workload.key} is past its deadline` }
    : { _tag: "None" }
}
