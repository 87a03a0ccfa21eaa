// PutBackWorkload: undoes a rollout of ours that does not come up, and says what is in the way. It is held by no stop, rest or
// turn. Edge: whether to is PutBack's, a pure rule; to what, and whether that is there, is PutBackTargets'.
import { Duration, Effect, Result } from "effect"
import type { Backup } from "../../image/BackupName.ts"
import type { KubeError } from "../../kube/KubeError.ts"
import { Pacing } from "../../rewrite/Pacing.ts"
import { Rewriter } from "../../rewrite/Rewriter.ts"
import { Inventory } from "../../store/Inventory.ts"
import { WorkloadStore } from "../../store/WorkloadStore.ts"
import { heldAnnotation, type HeldMark, writeHeld } from "../../workload/HeldMark.ts"
import { restorePatch } from "../../workload/Patch.ts"
import type { Verdict } from "../../workload/Verdict.ts"
import type { Judgement } from "../../workload/PutBack.ts"
import { isRefusal } from "../../workload/PullSet.ts"
import type { HoldReason } from "../../workload/Reason.ts"
import type { Workload } from "../../workload/Workload.ts"
import type { Contests } from "./Contests.ts"
import type { Decided, Given, make as makeDecide } from "./DecideWorkload.ts"
import { make as makeJudge } from "./MissingPods.ts"
import { pullSetOfSeen } from "../PullSets.ts"
import { WorkloadQueue } from "../Queues.ts"
import { type CopyOf, make as makeTargets } from "./PutBackTargets.ts"
import { pullProblem, stuckPod } from "../Remedies.ts"

/** How long what could make no pods is left alone, doubled each time: quotas are raised, policies are changed. */
const firstRest = Duration.hours(1)
const longestRest = Duration.weeks(1)

const held = (reason: HoldReason, detail: string): Verdict => ({ _tag: "Held", reason, detail })

type Undone = Extract<Judgement, { _tag: "CannotPull" | "NoPods" | "NotReady" }>

type Outage = Extract<Judgement, { _tag: "Outage" }>

interface Options extends Pick<Given, "target"> {
  readonly decide: Effect.Success<ReturnType<typeof makeDecide>>
  readonly contests: Contests
}

/** The mark that keeps what did not come up from being tried again at once; pulls that fail rest by namespace instead. */
const markOf = (
  of: Undone,
  { held: before, images }: Workload,
  targets: ReadonlyMap<string, string>,
  detail: string,
  now: number
): HeldMark | undefined => {
  if (of._tag === "CannotPull") return undefined
  const count = (before?.reason === "quarantined" ? before.count : 0) + 1
  const rest = Duration.min(Duration.times(firstRest, 2 ** Math.min(count - 1, 10)), longestRest)
  return {
    reason: "quarantined",
    detail,
    ...(of._tag === "NoPods" ? { until: new Date(now + Duration.toMillis(rest)).toISOString() } : {}),
    count,
    images: Object.fromEntries(
      images.flatMap((it) => {
        const target = targets.get(it.container)
        return target === undefined ? [] : [[it.container, [target, it.image] as const] as const]
      })
    )
  }
}

/** What is wrong, for people. */
const problemOf = (of: Undone, workload: Workload, target: Backup): string => {
  switch (of._tag) {
    case "CannotPull":
      return pullProblem(workload, of.failure.pod, of.failure.container.message, target)
    case "NoPods":
      return `no pods of ${workload.key} can be made with its copies (${of.detail})`
    case "NotReady":
      return `pods of ${workload.key} did not become ready with its copies (${of.detail})`
  }
}

const verdictOf = ({ failure: { container, pod } }: Outage): Verdict =>
  held(
    "cannot-pull",
    `pod ${pod.workload.name} cannot pull ${container.image}, nothing is changed: ` +
      (container.message ?? container.waiting ?? "no message")
  )

/** What the inventory says of a copy. */
const copyIn = (inventory: Inventory["Service"]): CopyOf => ({ source }) =>
  Effect.sync(() => {
    const copy = inventory.state(source)
    if (copy?._tag !== "BackedUp") return undefined
    const { contents, digest, original } = copy
    return { digests: original === undefined ? [digest] : [original, digest], contents }
  })

/** A template's owner would undo it again and again, and what is opted out or stopped is not ours to write. */
const mayWrite = ({ plan, settings }: Decided): boolean => plan.patchable && plan.touchable && !settings.DRY_RUN

/** Makes the function that puts back what has just been decided about, if need be; undefined: nothing is to be said of it. */
export const make = Effect.fnUntraced(function*({ contests, decide, target }: Options) {
  const store = yield* WorkloadStore
  const inventory = yield* Inventory
  const workloads = yield* WorkloadQueue
  const pacing = yield* Pacing
  const rewriter = yield* Rewriter
  const judge = yield* makeJudge(target)

  const targetsOf = yield* makeTargets({ target, copyOf: copyIn(inventory) })

  /** What has been decided, as everything is after the sources were asked. */
  const isStill = Effect.fnUntraced(function*(of: Undone, key: string) {
    const again = yield* decide(key)
    return again !== undefined && mayWrite(again) && (yield* judge(again))._tag === of._tag
  })

  const undo = Effect.fnUntraced(
    function*(of: Undone, decided: Decided): Effect.fn.Return<Verdict | undefined, KubeError> {
      const { now, settings, workload } = decided
      const problem = problemOf(of, workload, target)
      if (of._tag === "CannotPull") {
        if (pacing.isCure(workload)) {
          return held("stranded", `neither its source could be pulled nor its copy: ${problem}`)
        }
        const { container, pod } = of.failure
        const set = pullSetOfSeen(store, pod)
        if (set !== undefined) yield* pacing.pullFailed(set, problem, isRefusal(container.message))
      }
      const targets = yield* targetsOf(decided)
      if (Result.isFailure(targets)) {
        return held("stranded", `${problem}; it is not put back: ${targets.failure}`)
      }
      const mark = markOf(of, workload, targets.success, problem, now)
      const patch = restorePatch(workload, target, targets.success, { [heldAnnotation]: mark && writeHeld(mark) })
      const outcome = (yield* isStill(of, workload.key))
        ? yield* rewriter.apply(workload, patch, "restored")
        : undefined
      if (outcome?._tag !== "Applied") {
        // the watch brings the newer object; a look a moment later covers a watch that is behind
        yield* workloads.offerFailed(workload.key)
        return undefined
      }
      if (of._tag === "CannotPull") {
        const set = pullSetOfSeen(store, of.failure.pod)
        const byNodes = settings.BACKUP_PULL_BY === "nodes"
        yield* pacing.letRest({ workload, set, detail: problem, byNodes })
      }
      const pod = of._tag === "CannotPull" ? of.failure.pod : of._tag === "NotReady" ? of.pod : undefined
      yield* Effect.logError(`${problem}; its original images were put back${stuckPod(workload, pod)}`)
      contests.putBack(workload, outcome.after)
      yield* outcome.after === undefined ? pacing.release(workload.key) : pacing.putBack(outcome.after)
      return held(of._tag === "CannotPull" ? "pull-unproven" : "quarantined", problem)
    }
  )

  /** An outage of the backup changes nothing; what it refuses shows that its secrets are not enough. */
  const report = Effect.fnUntraced(function*(outage: Outage): Effect.fn.Return<Verdict> {
    const { container, pod } = outage.failure
    const set = pullSetOfSeen(store, pod)
    if (set !== undefined && isRefusal(container.message)) {
      yield* pacing.pullFailed(set, `pod ${pod.workload.name} is refused by the backup`, true)
    }
    return verdictOf(outage)
  })

  return Effect.fnUntraced(function*(decided: Decided): Effect.fn.Return<Verdict | undefined, KubeError> {
    const { now, plan, workload } = decided
    // what another object controls carries our annotation too
    if (plan.verdict._tag === "Skipped") return undefined
    const judged = yield* judge(decided)
    switch (judged._tag) {
      case "Keep":
        return undefined
      case "Later":
        yield* workloads.offerAfter(workload.key, Duration.millis(Math.max(0, judged.at - now)))
        return undefined
      case "Outage":
        return yield* report(judged)
      default:
        return mayWrite(decided) ? yield* undo(judged, decided) : undefined
    }
  })
})
