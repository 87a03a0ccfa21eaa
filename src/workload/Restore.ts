// Restore: the rules of undoing rewrites for good: whose originals are put back, when a workload may be touched for that, and
// whether its pods are back. Pure. Health and gates are those of a rewrite. Edge: to what it goes back is told by the source.
import { Result } from "effect"
import { type Backup, isUnder } from "../image/BackupName.ts"
import { parse } from "../image/ImageReference.ts"
import { rewriteMark } from "./Exempt.ts"
import { healthOf } from "./Health.ts"
import { kindOf } from "./Kinds.ts"
import { pullFailureOf } from "./OurRollout.ts"
import { verifiedOriginals } from "./Originals.ts"
import { complaint } from "./PutBack.ts"
import { deadlineOf } from "./Deadlines.ts"
import { cannotPull, failsLastingly, isGivenUp, isObserved, livePods, missing, replacesPods } from "./Rollout.ts"
import type { Namespace, Pod, Workload } from "./Workload.ts"

/** Why something that refers to the backup is left as it is, each with the sentence that explains it to a person. */
export const leftReasons = {
  "managed-by": "a tool or an operator owns its template and would undo the change",
  "owned": "another object controls it",
  "not-recorded": "its template names a copy and records no original: no rewrite of ours brought it there",
  "not-found": "there is no such workload",
  "not-at-source": "what it ran before was not seen at its source",
  "paused": "somebody has paused the Deployment, so its pods would not be replaced",
  "unhealthy": "not all of its pods are ready",
  "rolling-out": "a rollout of it is under way",
  "unseen": "the API server does not show it",
  "refused": "the API server refused the patch",
  "changed": "others changed it again and again while it was looked at",
  "stuck": "its originals are back, and its pods do not come up with them",
  "stopped": "another workload did not come up with its originals, so no further one was begun",
  "again": "it refers to the backup anew",
  "immutable": "the images of a Job or a bare Pod cannot be changed after creation",
  "mirror-pod": "it is a static pod of a node",
  "not-replaced": "its template is restored, and its pods are replaced only when somebody deletes them"
} as const

export type LeftReason = keyof typeof leftReasons

export type ToRestore =
  /** Nothing of its template refers to the backup, or what controls it is handled instead. */
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "Restore" }
  /** Its template is restored, and its pods are still being replaced. */
  | { readonly _tag: "UnderWay" }
  | { readonly _tag: "Left"; readonly reason: LeftReason; readonly detail: string }

export interface Given {
  readonly workload: Workload
  readonly backup: Backup
  readonly namespace: Namespace | undefined
  /** Controlling owners that are known, nearest first. */
  readonly owners: ReadonlyArray<Workload>
  readonly pods: ReadonlyArray<Pod>
  /** Whether a person has named this very workload. */
  readonly named: boolean
}

const nothing: ToRestore = { _tag: "Nothing" }

const left = (reason: LeftReason, detail: string): ToRestore => ({ _tag: "Left", reason, detail })

/** The first image of a template or a pod that is under the backup's prefix; undefined where none is. */
export const copyIn = ({ images }: Workload, backup: Backup): string | undefined =>
  images.find((it) => {
    const reference = parse(it.image)
    return Result.isSuccess(reference) && isUnder(backup, reference.success)
  })?.image

/** Whether pods that its controller replaces by itself still use the backup. */
const isLeaving = ({ backup, pods, workload }: Given): boolean =>
  replacesPods(workload) && !workload.paused && missing(workload) !== undefined &&
  livePods(pods).some((it) => copyIn(it.workload, backup) !== undefined)

const ofOwned = ({ named, owners, workload }: Given): ToRestore => {
  const { kind, name } = workload.owner ?? { kind: "", name: "" }
  // of an older revision only, or the matter of a workload that is looked at itself
  if (!named && (owners.length > 0 || workload.replicas === 0)) return nothing
  return left("owned", `${kind} ${name} controls it: ${owners.length > 0 ? "name that one" : "set the image there"}`)
}

/** What is to be done about one workload. */
export const toRestore = (given: Given): ToRestore => {
  const { backup, named, namespace, workload } = given
  if (workload.deleting) return nothing
  const copy = copyIn(workload, backup)
  if (copy === undefined) return isLeaving(given) ? { _tag: "UnderWay" } : nothing
  if (!kindOf(workload.kind).mutable) {
    return named ? left("immutable", `the images of a ${workload.kind} cannot be changed after creation`) : nothing
  }
  if (workload.owner !== undefined) return ofOwned(given)
  if (verifiedOriginals(workload, backup).size === 0) {
    return left("not-recorded", `its template names ${copy} and records no original: change its manifest`)
  }
  const mark = rewriteMark(workload, { namespace })
  if (workload.manager !== undefined && mark !== "patch" && !named) {
    return left("managed-by", `${workload.manager}: change the image there, or name ${workload.key} to have it patched`)
  }
  return workload.paused
    ? left("paused", `kubectl -n ${workload.namespace} rollout resume deployment/${workload.name}`)
    : { _tag: "Restore" }
}

export type Gate =
  /** `waits`: its pods are replaced, and it keeps its place until they are back. */
  | { readonly _tag: "Go"; readonly waits: boolean }
  | { readonly _tag: "Hold"; readonly reason: "rolling-out" | "unhealthy"; readonly detail: string }

/** A workload as it is at one moment, with its pods. */
export interface Sight {
  readonly workload: Workload
  readonly pods: ReadonlyArray<Pod>
  readonly newestPods: ReadonlySet<Pod>
  readonly nodeReady: (name: string) => boolean
}

/**
 * Whether a workload may be touched now: only healthy ones, as for a rewrite. One that lastingly cannot pull its copy is short
 * of pods because of that, and its original is the cure.
 * @param now milliseconds since the epoch
 */
export const gateOf = ({ nodeReady, pods, workload }: Sight, backup: Backup, now: number): Gate => {
  if (!replacesPods(workload)) return { _tag: "Go", waits: false }
  const failure = pullFailureOf(workload, pods, backup)
  if (failure !== undefined && failsLastingly(failure.container, now, now)) return { _tag: "Go", waits: true }
  const health = healthOf(workload, pods, nodeReady)
  switch (health._tag) {
    case "Idle":
      return { _tag: "Go", waits: false }
    case "Settled":
      return { _tag: "Go", waits: true }
    case "RollingOut":
      return { _tag: "Hold", reason: "rolling-out", detail: health.detail }
    case "Unhealthy":
      return { _tag: "Hold", reason: "unhealthy", detail: health.detail }
  }
}

/** What was seen of a restored workload over time, in milliseconds since the epoch. */
interface Times {
  readonly now: number
  readonly began: number
  readonly progressAt: number
  readonly pullFailsSince: (pod: Pod, container: string) => number
}

export type Return =
  | { readonly _tag: "Back" }
  | { readonly _tag: "Coming"; readonly detail: string }
  | { readonly _tag: "Stuck"; readonly detail: string; readonly pod: Pod | undefined }

/** A pod of the newest revision that lastingly cannot pull its image, in the kubelet's words. */
const pullProblem = ({ newestPods }: Sight, { now, pullFailsSince }: Times): Return | undefined => {
  for (const pod of livePods([...newestPods])) {
    const container = pod.containers.find(cannotPull)
    if (container === undefined) continue
    if (!failsLastingly(container, pullFailsSince(pod, container.container), now)) continue
    const words = container.message ?? container.waiting ?? "no message"
    return { _tag: "Stuck", detail: `pod ${pod.workload.name} cannot pull ${container.image}: ${words}`, pod }
  }
  return undefined
}

/** Whether the pods of a restored workload are all back and ready. */
export const returnOf = (sight: Sight, times: Times): Return => {
  const { newestPods, nodeReady, pods, workload } = sight
  const lacks = missing(workload)
  const health = healthOf(workload, pods, nodeReady)
  if (lacks === undefined && (health._tag === "Settled" || workload.rollout?.desired === 0)) return { _tag: "Back" }
  const cannot = pullProblem(sight, times)
  if (cannot !== undefined) return cannot
  // before its controller has seen the patch, the status speaks of what was
  const late = (isObserved(workload) && isGivenUp(workload)) ||
    times.now >= deadlineOf(workload, times.began, times.progressAt)
  if (late) return { _tag: "Stuck", ...complaint(newestPods) }
  return { _tag: "Coming", detail: lacks ?? ("detail" in health ? health.detail : "its pods are not back yet") }
}
