// Rollout: what a rollout is and where it stands, by the status of a workload and by its pods. The one place that says which
// pods count, what a revision still lacks, whether it was reached, whom a change interrupts, and which failures are pulling.
// Pure. Edge: which rollouts are ours is OurRollout's; whether a workload may be touched now is Health's.
import { longestRollout } from "./Deadlines.ts"
import { kindOf } from "./Kinds.ts"
import type { ContainerState, Pod, Workload } from "./Workload.ts"

/** Pods that count: neither finished nor on their way out. */
export const livePods = (pods: ReadonlyArray<Pod>): ReadonlyArray<Pod> =>
  pods.filter((it) => !it.finished && !it.workload.deleting)

/** Whether something of the pod has run, or an init container of it runs now. */
export const hasStarted = (pod: Pod): boolean => pod.containers.some((it) => it.init ? it.running : it.started)

/** Whether two pod templates name the same images. */
export const sameImages = (one: Workload, other: Workload): boolean =>
  one.images.length === other.images.length &&
  one.images.every((it) => other.images.some((slot) => slot.container === it.container && slot.image === it.image))

/**
 * The pods that are known to be of the newest revision. For a Deployment those of the ReplicaSet that has its revision and its
 * images: while it is paused the newest template has no ReplicaSet (deployment controller, sync.go). For a DaemonSet and a
 * StatefulSet those with the label of that revision. None while the status is older than the object, nor for other kinds.
 * @param controlled the objects that it controls
 */
export const newestPods = (
  workload: Workload,
  controlled: ReadonlyArray<Workload>,
  pods: ReadonlyArray<Pod>
): ReadonlySet<Pod> => {
  const { kind, revision } = workload
  if (revision === undefined || !isObserved(workload)) return new Set()
  if (kind !== "Deployment") return new Set(pods.filter((it) => it.workload.revision === revision))
  const newest = controlled.find((it) => it.revision === revision && sameImages(it, workload))
  return new Set(pods.filter((it) => newest !== undefined && it.workload.owner?.uid === newest.uid))
}

/** Whether a change of its template replaces pods by itself; else it is harmless, and takes no place among rollouts. */
export const replacesPods = (workload: Workload): boolean =>
  kindOf(workload.kind).rolls && workload.strategy !== "OnDelete"

/** A number or a percentage of `total` as a number; absent or unreadable as `otherwise`. */
const resolve = (
  value: number | string | undefined,
  total: number,
  round: (share: number) => number,
  otherwise: number | string
): number => {
  const given = value ?? otherwise
  if (typeof given === "number") return given
  const percent = /^(\d+)%$/.exec(given)?.[1]
  return percent === undefined ? 0 : round(Number(percent) * total / 100)
}

/**
 * How many pods may be missing while the workload is rolled. A Deployment (deployment util, ResolveFenceposts) rounds down, and
 * may miss one where it may make none beside; a DaemonSet rounds up; a StatefulSet misses one at a time.
 */
export const resolvedMaxUnavailable = ({ kind, maxSurge, maxUnavailable, rollout, strategy }: Workload): number => {
  const desired = rollout?.desired ?? 0
  if (kind === "Deployment") {
    if (strategy === "Recreate") return desired
    const missed = resolve(maxUnavailable, desired, Math.floor, "25%")
    return missed === 0 && resolve(maxSurge, desired, Math.ceil, "25%") === 0 ? 1 : missed
  }
  return kind === "DaemonSet" ? resolve(maxUnavailable, desired, Math.ceil, 1) : 1
}

/** How many pods its controller brings to the newest revision by itself. */
const wantedPods = ({ kind, partition, rollout }: Workload): number =>
  Math.max(0, (rollout?.desired ?? 0) - (kind === "StatefulSet" ? partition : 0))

/** Whether its controller has seen what the object says now. */
export const isObserved = ({ generation, rollout }: Workload): boolean =>
  rollout !== undefined && rollout.observedGeneration >= (generation ?? 0)

/** Pods that are not of the newest revision yet, or of an older one still, in words; undefined when there are none. */
const missingPods = (workload: Workload): string | undefined => {
  const { kind, rollout } = workload
  if (rollout === undefined) return undefined
  const wanted = wantedPods(workload)
  if (rollout.updated < wanted) return `${rollout.updated} of ${wanted} pods are of the newest revision`
  return kind === "Deployment" && rollout.current > rollout.updated
    ? `${rollout.current - rollout.updated} pods of an older revision are still there`
    : undefined
}

/** Whether a StatefulSet's controller says that all its pods are of one revision. */
const revisionsMeet = ({ kind, partition, rollout }: Workload): boolean =>
  kind === "StatefulSet" && partition === 0 && rollout?.revisionReached === true

/** What is missing until the status says that every pod is of the newest revision; undefined when nothing is. */
export const missing = (workload: Workload): string | undefined => {
  if (workload.rollout === undefined) return undefined
  if (!isObserved(workload)) return "its controller has not seen its newest generation"
  if (!replacesPods(workload)) return undefined
  const pods = missingPods(workload)
  if (pods !== undefined) return pods
  return workload.kind === "StatefulSet" && workload.partition === 0 && !revisionsMeet(workload)
    ? "its revisions differ"
    : undefined
}

/**
 * Whether a Deployment's controller says that its newest revision was complete once; later failures do not take that back. It
 * says so too, of the revision before, while Recreate waits for the old pods to go (deployment controller, recreate.go), and
 * where its first word of the new one was lost to another write (sync.go, getNewReplicaSet): then older pods tell.
 */
const wasComplete = ({ kind, rollout, strategy }: Workload): boolean =>
  kind === "Deployment" && rollout?.progress === "NewReplicaSetAvailable" && rollout.current <= rollout.updated &&
  (strategy !== "Recreate" || rollout.updated > 0)

/**
 * Whether the status says that all pods of the newest revision have served once. Of a DaemonSet, and of a StatefulSet that is not
 * rolled to its end, it says so only while they do.
 */
export const wasReached = (workload: Workload): boolean => {
  const { rollout } = workload
  if (rollout === undefined || !isObserved(workload)) return false
  if (wasComplete(workload) || revisionsMeet(workload)) return true
  const judged = workload.kind === "Deployment" && rollout.progress !== undefined
  return !judged && missing(workload) === undefined && rollout.available >= rollout.desired
}

/** A status that never tells whether a revision was reached is believed to have reached it after this time: milliseconds. */
const longestDoubt = longestRollout

/**
 * Whether a rollout that began then is behind us: its status says that its revision was reached, whatever fails later, or can
 * never say so and it is too long ago to be under way. Milliseconds since the epoch.
 */
export const isBehindUs = (workload: Workload, began: number, now: number): boolean => {
  const { kind, partition, rollout, strategy, succeededAt } = workload
  if (kind === "CronJob" && succeededAt !== undefined) return succeededAt >= began
  const tells = (kind === "Deployment" && (strategy !== "Recreate" || (rollout?.updated ?? 0) > 0)) ||
    (kind === "StatefulSet" && partition === 0 && strategy !== "OnDelete")
  return wasReached(workload) || (!tells && now - began > longestDoubt)
}

/** Whether its own controller has given its rollout up (deployment controller, progress.go). */
export const isGivenUp = ({ rollout }: Workload): boolean => rollout?.progress === "ProgressDeadlineExceeded"

/** What the kubelet says of a container whose image does not come (pkg/kubelet/images/types.go). */
const pullFailures: ReadonlySet<string> = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "RegistryUnavailable"
])

/** Whether a container waits because its image cannot be pulled. */
export const cannotPull = (container: ContainerState): boolean => pullFailures.has(container.waiting ?? "")

/** For how long pulling has to fail, from the first failure to another, until it counts as lasting: milliseconds. */
export const lasting = 30 * 1000

/**
 * Whether pulling fails lastingly: the kubelet has begun to wait longer between its tries, or failed over half a minute.
 * @param since when it was first seen to fail, milliseconds since the epoch
 */
export const failsLastingly = (container: ContainerState, since: number, now: number): boolean =>
  cannotPull(container) && (container.waiting === "ImagePullBackOff" || now - since >= lasting)
