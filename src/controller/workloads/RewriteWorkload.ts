// RewriteWorkload: from a plan that says "rewrite" to the patch. A place among the rollouts, then what the tags name at their
// sources, then one of the permits for patches; and with that in hand the plan once more, because all three take time.
import { Clock, Duration, Effect, Metric } from "effect"
import { uptime } from "../../telemetry/Uptime.ts"
import type { KubeError } from "../../kube/KubeError.ts"
import { unclaimed } from "../../queue/FairTurns.ts"
import type { ResizablePermits } from "../../queue/ResizablePermits.ts"
import { Pacing } from "../../rewrite/Pacing.ts"
import { type Outcome, Rewriter } from "../../rewrite/Rewriter.ts"
import { WorkloadStore } from "../../store/WorkloadStore.ts"
import { rewrites } from "../../telemetry/Metrics.ts"
import { rewritePatch } from "../../workload/Patch.ts"
import type { Plan } from "../../workload/Plan.ts"
import type { RewriteAs, Verdict } from "../../workload/Verdict.ts"
import { describeReplacements, replacementsOf, tagsNamed } from "../../workload/PlanImages.ts"
import { wayBack } from "../../workload/WentBack.ts"
import { livePods } from "../../workload/Rollout.ts"
import type { Workload } from "../../workload/Workload.ts"
import { changer, type Contests } from "./Contests.ts"
import { Decisions } from "../Decisions.ts"
import type { Decided, Given, make as makeDecide } from "./DecideWorkload.ts"
import { rewrittenEvent } from "../events/EventOf.ts"
import { Events } from "../events/Events.ts"
import { make as makeMovedTags } from "./MovedTags.ts"
import { nextPullSet } from "../PullSets.ts"
import { WorkloadQueue } from "../Queues.ts"
import { stuckPod } from "../Remedies.ts"
import type { Rests } from "./Rests.ts"

interface Options extends Pick<Given, "target"> {
  readonly decide: Effect.Success<ReturnType<typeof makeDecide>>
  /** How many patches are on their way at once; lanes are namespaces. */
  readonly permits: ResizablePermits
  readonly rests: Rests
  readonly contests: Contests
}

/** What became of the patch, and what it was made from. */
interface Sent {
  readonly outcome: Outcome
  readonly of: Decided
}

const saysRewrite = (decided: Decided | undefined, as: RewriteAs): decided is Decided =>
  decided?.plan.verdict._tag === "Rewrite" && decided.plan.verdict.as === as

/** Whether a plan names a tag that was not asked for by another. */
const namesOthers = (plan: Plan, asked: Plan): boolean => {
  const known = tagsNamed(asked.images)
  return tagsNamed(plan.images).some((it) => !known.includes(it))
}

/** Makes the function that rewrites what has just been decided. */
export const make = Effect.fnUntraced(function*({ contests, decide, permits, rests, target }: Options) {
  const store = yield* WorkloadStore
  const decisions = yield* Decisions
  const workloads = yield* WorkloadQueue
  const pacing = yield* Pacing
  const rewriter = yield* Rewriter
  const movedTags = yield* makeMovedTags
  const events = yield* Events

  /** With a permit: the patch of what is right now, or none. */
  const send = Effect.fnUntraced(
    function*(key: string, as: RewriteAs): Effect.fn.Return<Sent | undefined, KubeError> {
      const asked = yield* decide(key)
      if (!saysRewrite(asked, as) || (yield* movedTags(asked.plan)).length > 0) return undefined
      // their sources may have taken seconds to say so: what is sent was decided at this moment
      const again = yield* decide(key)
      if (!saysRewrite(again, as) || namesOthers(again.plan, asked.plan)) return undefined
      if (!(yield* pacing.fits(as, again.settings.MAX_CONCURRENT_ROLLOUTS))) return undefined
      const patch = rewritePatch(again.workload, replacementsOf(again.plan.images), target)
      return { outcome: yield* rewriter.apply(again.workload, patch, "rewritten"), of: again }
    }
  )

  /** The API server took the patch: says so, and whether it made of the images what was meant. */
  const taken = Effect.fnUntraced(function*(of: Decided, after: Workload | undefined, as: RewriteAs) {
    const { controlled, plan, pods, workload } = of
    const replacements = replacementsOf(plan.images)
    const answer = { before: workload, after, replacements }
    const others = contests.wrote(answer, controlled, yield* Clock.currentTimeMillis)
    // where every image is another nothing of ours rolls out, and no event may ever say so
    const isNothing = others.length === replacements.length
    yield* after === undefined || isNothing ? pacing.release(workload.key) : pacing.patched(after, as)
    if (others.length > 0) {
      yield* Metric.update(rewrites({ result: "refused" }), 1)
      yield* Effect.logWarning(`the API server took the patch and changed it (${changer}): ${others.join(", ")}`)
      yield* workloads.offerFailed(workload.key)
    }
    if (isNothing) return
    const waiting = as === "rollout" ? undefined : livePods(pods).find((it) => !it.ready)
    yield* Effect.logInfo(
      `rewritten: ${describeReplacements(replacements)}${wayBack(workload, controlled, target)}${
        stuckPod(workload, waiting)
      }`
    )
    yield* events.tell(rewrittenEvent(workload, replacements.length - others.length))
  })

  return Effect.fnUntraced(function*(of: Decided, as: RewriteAs): Effect.fn.Return<Verdict, KubeError> {
    const { plan: { verdict }, settings, workload } = of
    const { key, namespace } = workload
    const admission = yield* pacing.admit(workload, {
      as,
      limit: settings.MAX_CONCURRENT_ROLLOUTS,
      pulls: nextPullSet(store, workload),
      byNodes: settings.BACKUP_PULL_BY === "nodes",
      asked: workload.marks.rewrite === "patch",
      alone: decisions.isAlone(namespace)
    })
    if (admission === undefined) return verdict
    if (admission._tag === "Held") return admission
    const sent = yield* movedTags(of.plan).pipe(
      Effect.flatMap((moved) =>
        moved.length > 0
          ? Effect.undefined
          : permits.withPermit({ lane: namespace, ...unclaimed })(send(key, as))
      ),
      Effect.onError(() => pacing.release(key))
    )
    if (sent?.outcome._tag !== "Applied") {
      yield* pacing.release(key)
      // the watch brings the newer object; a look a moment later covers a watch that is behind
      if (sent === undefined) yield* workloads.offerAfter(key, "1 second")
      else {
        const wait = yield* workloads.offerFailed(key)
        rests.late(key, (yield* uptime) + Duration.toMillis(wait))
      }
      return verdict
    }
    yield* taken(sent.of, sent.outcome.after, as)
    return verdict
  })
})
