// Rollout: what a rollout is and where it stands, by the status of a workload and by its pods. The one place that says which
// pods count, what a revision still lacks, whether it was reached, whom a change interrupts, and which failures are pulling.
// Pure. Edge: which rollouts are ours is OurRollout's; whether a workload may be touched now is Health's.
import { kindOf } from "./Kinds.ts"
import type { ContainerState, Pod, Workload } from "./Workload.ts"

/** Kubernetes' own default of progressDeadlineSeconds. */
const defaultDeadlineSeconds = 600
/** Whoever writes a workload writes its deadline too, and must not hold a place for ever. */
const longestDeadlineSeconds = 3600

/** Pods that count: neither finished nor on their way out. */
export const livePods = (pods: ReadonlyArray<Pod>): ReadonlyArray<Pod> =>
  pods.filter((it) => !it.finished && !it.workload.deleting)

/** Whether something of the pod has run, or an init container of it runs now. */
export const hasStarted = (pod: Pod): boolean => pod.containers.some((it) => it.init ? it.running : it.started)

/** Whether two pod templates name the same images. */
const sameImages = (one: Workload, other: Workload): boolean =>
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

const everyPodStarted = (workload: Workload, pods: ReadonlyArray<Pod>): boolean =>
  livePods(pods).length >= (workload.rollout?.desired ?? 0) &&
  livePods(pods).every((pod) => {
    const main = pod.containers.filter((it) => !it.init)
    return main.length > 0 && main.every((it) => it.started)
  })

/**
 * Whether a Deployment's controller says that its newest revision was complete once; later failures do not take that back. It
 * says so too, of the revision before, while Recreate waits for the old pods to go (deployment controller, recreate.go).
 */
const wasComplete = ({ kind, rollout, strategy }: Workload): boolean =>
  kind === "Deployment" && rollout?.progress === "NewReplicaSetAvailable" &&
  (strategy !== "Recreate" || rollout.updated > 0)

/** Whether all pods have reached the newest revision once; what fails later is another matter. */
export const hasReached = (workload: Workload, pods: ReadonlyArray<Pod>): boolean => {
  if (!replacesPods(workload) || workload.rollout === undefined || workload.rollout.desired === 0) return true
  if (!isObserved(workload)) return false
  if (wasComplete(workload)) return true
  if (missingPods(workload) !== undefined) return false
  return revisionsMeet(workload) || everyPodStarted(workload, pods)
}

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

/** Whether its own controller has given its rollout up (deployment controller, progress.go). */
export const isGivenUp = ({ rollout }: Workload): boolean => rollout?.progress === "ProgressDeadlineExceeded"

/**
 * When a rollout that began at `since` is late, by the clock alone. A Deployment's deadline is one of progress, which its
 * controller judges; where it does, the clock only sets the longest time. Milliseconds since the epoch.
 */
export const deadlineOf = (workload: Workload, since: number): number => {
  const judged = workload.kind === "Deployment" && workload.rollout?.progress !== undefined
  const seconds = judged ? longestDeadlineSeconds : workload.deadlineSeconds ?? defaultDeadlineSeconds
  return since + Math.min(seconds, longestDeadlineSeconds) * 1000
}

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
