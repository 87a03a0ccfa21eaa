// ReconcileWorkload: the actor of one workload. Look, plan, say what is wanted, and rewrite if everything is there and
// nothing holds it. It waits for nothing: whatever it lacks wakes it when it comes.
import { Duration, Effect, type Option, SubscriptionRef } from "effect"
import { makeResizablePermits } from "../../queue/ResizablePermits.ts"
import type { Backup } from "../../image/BackupName.ts"
import { Pacing } from "../../rewrite/Pacing.ts"
import { backup } from "../../settings/Settings.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { type Images, Inventory } from "../../store/Inventory.ts"
import { WorkloadStore } from "../../store/WorkloadStore.ts"
import type { Plan } from "../../workload/Plan.ts"
import type { Verdict } from "../../workload/Verdict.ts"
import type { Pod } from "../../workload/Workload.ts"
import { pulledAnew } from "../../workload/TagPulls.ts"
import { isObserved } from "../../workload/Rollout.ts"
import { make as makeAskTags } from "./AskTags.ts"
import { Contests } from "./Contests.ts"
import { make as makeCatchRefusal, refusedFor } from "./CatchRefusal.ts"
import { make as makeContest } from "./ContestWorkload.ts"
import { type Decision, Decisions } from "../Decisions.ts"
import { make as makeDecide } from "./DecideWorkload.ts"
import * as Disown from "./Disown.ts"
import { eventOf, rolloutEvent } from "../events/EventOf.ts"
import { Events } from "../events/Events.ts"
import { make as makeExtraTurns } from "../extra/ExtraTurns.ts"
import { pullSetOfSeen } from "../PullSets.ts"
import { ImageQueue, offerAll, WorkloadQueue } from "../Queues.ts"
import { make as makePutBack } from "./PutBackWorkload.ts"
import { make as makeRewrite } from "./RewriteWorkload.ts"
import { Rests } from "./Rests.ts"
import { RolloutsSeen } from "../RolloutsSeen.ts"
import { Coverage } from "../../upkeep/Coverage.ts"
import { unpulled } from "../../workload/Unpulled.ts"

/** How many patches are on their way at once; namespaces take turns, because a webhook of one can make each take half a minute. */
const patchesAtOnce = 8

/** Makes the function that works on one key. */
export const make = Effect.fnUntraced(function*(options: { readonly ownNamespace: Option.Option<string> }) {
  const store = yield* WorkloadStore
  const inventory = yield* Inventory
  const decisions = yield* Decisions
  const images = yield* ImageQueue
  const workloads = yield* WorkloadQueue
  const pacing = yield* Pacing
  const coverage = yield* Coverage
  const settingsRef = yield* SettingsRef
  // BACKUP_REGISTRY and BACKUP_LAYOUT change with a restart only
  const target: Backup = backup(yield* SubscriptionRef.get(settingsRef))
  const permits = makeResizablePermits({ permits: patchesAtOnce, reserve: false })
  const rests = new Rests()
  const catchRefusal = yield* makeCatchRefusal(rests)
  const events = yield* Events

  const askTags = yield* makeAskTags
  const seen = new RolloutsSeen()
  const contests = new Contests(target)
  const decide = yield* makeDecide({ ...options, target, seen, contests })
  const ownership = yield* Disown.make({ decide })
  const rewrite = yield* makeRewrite({ contests, decide, permits, rests, target })
  const putBack = yield* makePutBack({ contests, decide, target })
  const contest = yield* makeContest(contests)
  const extraInTurn = yield* makeExtraTurns(target)

  /** Keeps the decision, and has the object's Events say what somebody should know of it. */
  const settle = Effect.fnUntraced(function*(decision: Decision, undone = false) {
    const event = eventOf(decisions.get(decision.plan.workload.key), decision, undone)
    yield* decisions.set(decision)
    if (event !== undefined) yield* events.tell(event)
  })

  const forget = Effect.fnUntraced(function*(key: string) {
    inventory.want(key, [])
    decisions.forget(key)
    coverage.note(key, undefined)
    rests.forget(key)
    seen.forget(key)
    contests.forget(key)
    yield* ownership.forget(key)
    yield* pacing.forget(key, key.split("/")[1] ?? "")
  })

  return Effect.fn("reconcileWorkload")(function*(key: string) {
    const decided = yield* decide(key)
    if (decided === undefined) return yield* forget(key)
    const { now, plan: planned, pods, times, uptime: up, workload } = decided
    const turn = yield* pacing.observe(workload, pods, target, times)
    if (turn !== undefined) yield* events.tell(rolloutEvent(workload, turn._tag === "Ended"))
    // a tag that it used is followed now, and not when it is next asked for
    if (turn?._tag === "Ended") yield* offerAll(images, planned.wants)
    const pod = store.pod(key)
    const set = pod === undefined ? undefined : pullSetOfSeen(store, pod)
    if (pod !== undefined && set !== undefined) pacing.observePod(pod, set, target)
    // its namespace may opt it out; the watch that brings it in a moment wakes everything in it
    if (store.isSynced("namespaces") && store.namespace(workload.namespace) === undefined) return
    yield* offerAll(images, inventory.want(key, planned.wants, pulledAnew(planned.images)))
    if (pod !== undefined) coverage.notePod(pod, planned, (source) => inventory.state(source))
    const before = decisions.get(key)?.plan
    yield* askTags(planned, before, { now, uptime: up })
    yield* offerAll(images, planned.stale)
    yield* offerAll(images, suspects(inventory, planned, pods, up))
    yield* reportStray(before, planned)
    const refusal = rests.refusal(workload, up)
    const back = refusal !== undefined ? undefined : yield* catchRefusal(putBack(decided), planned)
    if (back !== undefined) return yield* settle({ plan: planned, verdict: back }, true)
    const may = planned.verdict._tag === "Rewrite" && refusal === undefined && !rests.isLate(key, up)
    if (!may && !planned.onlyStale) yield* pacing.withdraw(key, workload.namespace)
    const verdict: Verdict = planned.verdict._tag === "Rewrite" && may
      ? yield* catchRefusal(
        contest.inTurn(decided, extraInTurn(decided, rewrite(decided, planned.verdict.as))),
        planned
      )
      : planned.verdict._tag === "Rewrite" && refusal !== undefined
      ? refusedFor(refusal)
      : planned.verdict
    yield* settle({ plan: planned, verdict })
    // whatever woke it has taken the place of the wake that was to end its rest
    const left = may ? undefined : rests.left(workload, up)
    if (left !== undefined) yield* workloads.offerAfter(key, Duration.millis(left))
    const calmAt = decided.rolledBack?.until
    if (calmAt !== undefined) yield* workloads.offerAfter(key, Duration.millis(calmAt - now))
    if (refusal === undefined) yield* catchRefusal(contest.rest(decided), planned)
    // a Deployment's controller that loses its first word of a rollout to another write never says that it has begun
    if (workload.ownsImages && (workload.rollout === undefined || isObserved(workload))) {
      yield* ownership.disown(workload)
    }
  }, (effect, key) => Effect.annotateLogs(effect, { workload: key }))
})

/** The copies that its pods cannot pull, of which all is looked at then. */
const suspects = (
  inventory: Images,
  planned: Plan,
  pods: ReadonlyArray<Pod>,
  uptime: number
): ReadonlyArray<string> => {
  // of others another look is due already, or nothing is copied at all
  const copied = unpulled(planned, pods).filter((it) => inventory.state(it)?._tag === "BackedUp")
  for (const it of copied) inventory.suspect(it, uptime)
  return copied
}

/** Says once of each entry of the originals annotation that it does not count, and what that means. */
const reportStray = (before: Plan | undefined, now: Plan): Effect.Effect<void> =>
  Effect.forEach(now.images, ({ detail, slot, stray, wants }) => {
    const same = before?.images.some((it) =>
      it.stray === stray && it.slot.container === slot.container && it.slot.image === slot.image
    )
    if (stray === undefined || same === true) return Effect.void
    return stray === "Forged"
      ? Effect.logWarning(`the originals annotation of container ${slot.container} is not ours: ${detail}`)
      : Effect.logInfo(
        `somebody set container ${slot.container} to ${slot.image}: ${wants.join(", ")} is copied to be there, ` +
          `and its original is recorded no longer`
      )
  }, { discard: true })
