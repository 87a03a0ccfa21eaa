// Decisions: the last plan of every workload, kept only to be looked at: by metrics, logs and pacing. Nothing is decided
// from it that could not be decided without it.
import { Context, Effect, Layer } from "effect"
import { Tally } from "../collections/Tally.ts"
import { isWorkloadKind } from "../workload/Kinds.ts"
import { uptime } from "../telemetry/Uptime.ts"
import type { Plan } from "../workload/Plan.ts"
import type { Verdict } from "../workload/Verdict.ts"
import type { HoldReason, SkipReason } from "../workload/Reason.ts"
import { replacesPods } from "../workload/Rollout.ts"

export interface Decision {
  readonly plan: Plan
  /** The plan's verdict, or what pacing made of it. */
  readonly verdict: Verdict
}

export interface KeptDecision extends Decision {
  /** Since when it is this one, by its reason: uptime in milliseconds. */
  readonly since: number
}

/** What has become of a workload, in one word, as the metrics count it. */
export type Outcome = "rewritten" | "wanted" | "held" | "skipped"

export const outcomeOf = ({ plan, verdict }: Decision): Outcome => {
  if (verdict._tag === "Held") return "held"
  if (verdict._tag === "Rewrite") return "wanted"
  // done with an image that is not the copy: admission has pointed its pods to it
  return verdict._tag === "Done" && plan.images.some((it) => it.skip === undefined || it.skip === "already-backup")
    ? "rewritten"
    : "skipped"
}

/** Every reason that keeps something of a workload from being rewritten. */
export const reasonsOf = ({ plan, verdict }: Decision): ReadonlySet<SkipReason | HoldReason> =>
  new Set([
    ...("reason" in verdict ? [verdict.reason] : []),
    // what is the copy already is no reason: it is done
    ...plan.images.flatMap((it) => it.skip === undefined || it.skip === "already-backup" ? [] : [it.skip])
  ])

/**
 * Whether an object is what people call a workload: not what another workload made, no static pod, and no old revision of what
 * an operator rolls.
 */
export const isWorkload = ({ plan: { ofExtra, workload } }: Pick<Decision, "plan">): boolean => {
  const { mirror, owner, replicas } = workload
  return !mirror && ofExtra !== true && (owner === undefined || (!isWorkloadKind(owner.kind) && replicas !== 0))
}

const describe = (verdict: Verdict): string =>
  "reason" in verdict
    ? `${verdict._tag.toLowerCase()}, ${verdict.reason}: ${verdict.detail}`
    : verdict._tag.toLowerCase()

/** Skips that somebody should know of and that nobody else reports: of images that never get into the inventory. */
const noteworthy: ReadonlySet<SkipReason> = new Set(["unparsable", "under-prefix-unknown", "foreign-copy"])

const notes = (decision: Decision | undefined): ReadonlyArray<string> =>
  decision?.plan.workload.owner !== undefined ?
    [] :
    (decision?.plan.images ?? []).flatMap((it) =>
      it.skip !== undefined && noteworthy.has(it.skip)
        ? [`container ${it.slot.container} is left alone, ${it.skip}: ${it.detail}`]
        : []
    )

const sameVerdict = (a: Verdict | undefined, b: Verdict): boolean =>
  a?._tag === b._tag && ("reason" in a ? a.reason : "") === ("reason" in b ? b.reason : "")

const isCandidate = ({ plan }: Decision): boolean =>
  plan.patchable && replacesPods(plan.workload) && plan.images.some((it) => it.skip === undefined)

/** The map itself. */
export class DecisionMap {
  readonly #decisions = new Map<string, KeptDecision>()
  /** By namespace, how many of its workloads could be rewritten by a rollout. */
  readonly #candidates = new Tally<string>()
  /** What people call workloads, by what has become of them, and by every reason for it. */
  readonly outcomes = new Tally<Outcome>()
  readonly reasons = new Tally<SkipReason | HoldReason>()

  get all(): IterableIterator<KeptDecision> {
    return this.#decisions.values()
  }

  /** Whether no other namespace has workloads that could be rewritten by a rollout. */
  isAlone(namespace: string): boolean {
    return this.#candidates.size === (this.#candidates.of(namespace) > 0 ? 1 : 0)
  }

  get(key: string): KeptDecision | undefined {
    return this.#decisions.get(key)
  }

  forget(key: string): void {
    this.#count(this.#decisions.get(key), -1)
    this.#decisions.delete(key)
  }

  /** Counts a decision in or out: counting all of them every second would cost a pass over the cluster. */
  #count(decision: Decision | undefined, by: 1 | -1): void {
    if (decision === undefined) return
    if (isCandidate(decision)) this.#candidates.count(decision.plan.workload.namespace, by)
    if (!isWorkload(decision)) return
    this.outcomes.count(outcomeOf(decision), by)
    for (const reason of reasonsOf(decision)) this.reasons.count(reason, by)
  }

  /** Keeps a decision; one line of log when it is another than before. */
  set(decision: Decision): Effect.Effect<void> {
    return Effect.flatMap(uptime, (now) => this.#keep(decision, now))
  }

  #keep(decision: Decision, now: number): Effect.Effect<void> {
    const key = decision.plan.workload.key
    const before = this.#decisions.get(key)
    const same = sameVerdict(before?.verdict, decision.verdict)
    this.#count(before, -1)
    this.#count(decision, 1)
    const { plan, verdict } = decision
    this.#decisions.set(key, { plan, verdict, since: same ? before?.since ?? now : now })
    const said = new Set(notes(before))
    const fresh = notes(decision).filter((it) => !said.has(it))
    const warnings = Effect.forEach(fresh, (it) => Effect.logWarning(it), { discard: true })
    if (same) return warnings
    // what is owned or already done says nothing new; it would be most of the log
    const log = decision.verdict._tag === "Held" ? Effect.logInfo : Effect.logDebug
    return Effect.andThen(warnings, log(describe(decision.verdict)))
  }
}

export class Decisions extends Context.Service<Decisions, DecisionMap>()("image-cloner/controller/Decisions") {
  static readonly layer = Layer.effect(Decisions, Effect.sync(() => new DecisionMap()))
}
