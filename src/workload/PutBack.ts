// PutBack: whether and when a rollout of ours has to be undone, by what is seen of its own pods (invariants 3 and 13). Pure. Only while
// the status says that the revision of our patch was never reached: what fails later, or after somebody has pulled, is an
// outage of the backup, and an outage changes nothing. Edge: to which image it goes back, and whether that is there, is asked
// by the workload loop.
import type { Backup } from "../image/BackupName.ts"
import { isOurPatch, type PullFailure, pullFailureOf } from "./OurRollout.ts"
import { verifiedOriginals } from "./Originals.ts"
import { deadlineOf, patienceOf } from "./Deadlines.ts"
import { failsLastingly, isBehindUs, isGivenUp, isObserved, lasting, livePods, replacesPods } from "./Rollout.ts"
import type { Pod, Workload } from "./Workload.ts"

/** For how long no pod can be made before what we did is undone, in milliseconds. */
const nothingMade = 2 * 60 * 1000

/** What this process has seen of a rollout over time: milliseconds since the epoch. */
export interface Seen {
  /** When a pod of the newest revision was last made. */
  readonly madeAt: number
  /** When it last got further. */
  readonly progressAt: number
  /** Whether all its pods were seen to serve once. */
  readonly reached: boolean
  /** When pods of it last failed to pull; -Infinity where that was not seen. */
  readonly unpulledAt: number
  /** None of its pods had run before our patch: nothing was lost by it. */
  readonly harmless: boolean
  readonly pullFailsSince: (pod: Pod, container: string) => number
}

/** What is to be done about a rollout of ours. */
export type Judgement =
  | { readonly _tag: "Keep" }
  /** Not yet: it has to be judged again then, in milliseconds since the epoch. */
  | { readonly _tag: "Later"; readonly at: number }
  /** Copies that were pulled before cannot be pulled now: nothing is changed. */
  | { readonly _tag: "Outage"; readonly failure: PullFailure }
  /** Pods cannot pull our copies, and none ever did. */
  | { readonly _tag: "CannotPull"; readonly failure: PullFailure }
  /** Its controller cannot make pods, in the words of the quota or policy. */
  | { readonly _tag: "NoPods"; readonly detail: string }
  /** Its pods were made and do not become ready. */
  | { readonly _tag: "NotReady"; readonly detail: string; readonly pod: Pod | undefined }

/** The same, or: pods are missing, and only events can tell whether they are refused; what is to be done where they are not. */
export type PutBack = Judgement | { readonly _tag: "PodsMissing"; readonly otherwise: Judgement }

export interface Given {
  readonly workload: Workload
  readonly pods: ReadonlyArray<Pod>
  readonly newestPods: ReadonlySet<Pod>
  readonly backup: Backup
  readonly seen: Seen
  /** Milliseconds since the epoch. */
  readonly now: number
}

const keep: Judgement = { _tag: "Keep" }

const until = (at: number, now: number, then: Judgement): Judgement => now >= at ? then : { _tag: "Later", at }

/** Whether a pod has ever started a container of one of the copies that we wrote. */
const hasPulled = (workload: Workload, backup: Backup, pod: Pod): boolean => {
  const ours = verifiedOriginals(workload, backup)
  return pod.containers.some((it) =>
    it.started && ours.has(it.container) &&
    workload.images.some((slot) => slot.container === it.container && slot.image === it.image)
  )
}

const pulling = ({ backup, now, pods, seen, workload }: Given, failure: PullFailure): Judgement => {
  const pulled = livePods(pods).some((it) => hasPulled(workload, backup, it))
  const behind = seen.reached || isBehindUs(workload, workload.patchedAt ?? 0, now)
  if (pulled || !isOurPatch(workload, backup) || behind) {
    return { _tag: "Outage", failure }
  }
  const since = seen.pullFailsSince(failure.pod, failure.container.container)
  return failsLastingly(failure.container, since, now)
    ? { _tag: "CannotPull", failure }
    : { _tag: "Later", at: since + lasting }
}

/** What is wrong with the first pod that is not ready, in its own words. */
export const complaint = (pods: Iterable<Pod>): { readonly detail: string; readonly pod: Pod | undefined } => {
  const pod = [...pods].find((it) => !it.ready && !it.workload.deleting)
  if (pod === undefined) return { detail: "its pods do not become available", pod }
  const waiting = pod.containers.find((it) => it.waiting !== undefined)
  const words = pod.unschedulable ??
    (waiting === undefined ? "it is not ready" : `${waiting.waiting}${waiting.message ? `, ${waiting.message}` : ""}`)
  return { detail: `pod ${pod.workload.name}: ${words}`, pod }
}

/** Whether pods are missing and its controller does not make them; one that is on its way out is not missing yet. */
const lacksPods = ({ newestPods, pods, workload }: Given): boolean => {
  const { kind, rollout } = workload
  if (rollout === undefined) return false
  if (kind === "Deployment") return rollout.failure !== undefined && livePods([...newestPods]).length < rollout.desired
  return pods.filter((it) => !it.finished).length < rollout.desired
}

/** Judges the rollout that our patch began. */
export const judgeRollout = (given: Given): PutBack => {
  const { backup, newestPods, now, pods, seen, workload } = given
  if (workload.deleting) return keep
  const failure = pullFailureOf(workload, pods, backup)
  if (failure !== undefined) return pulling(given, failure)
  const { patchedAt, rollout } = workload
  const rolling = rollout !== undefined && rollout.desired > 0 && replacesPods(workload) && !workload.paused
  if (!rolling || patchedAt === undefined || !isOurPatch(workload, backup)) return keep
  const behind = seen.reached || isBehindUs(workload, patchedAt, now)
  if (!isObserved(workload) || behind || seen.harmless) return keep
  const late: Judgement = { _tag: "NotReady", ...complaint(newestPods) }
  // an outage has an end: the kubelet tries again, and says nothing of pulling while it does
  const tried = seen.unpulledAt + patienceOf(workload)
  const deadline = isGivenUp(workload) ? -Infinity : deadlineOf(workload, patchedAt, seen.progressAt)
  const judged = until(Math.max(tried, deadline), now, late)
  if (!lacksPods(given)) return judged
  const lacking = seen.madeAt + nothingMade
  if (now < lacking) return { _tag: "Later", at: lacking }
  return rollout.failure === undefined
    ? { _tag: "PodsMissing", otherwise: judged }
    : { _tag: "NoPods", detail: rollout.failure }
}
