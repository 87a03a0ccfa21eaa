// Gauges: counts what the stores hold into the metrics, every second. Counting on every change would cost a pass over
// all workloads for each.
import { Effect, Metric } from "effect"
import type { Cloner } from "../clone/Cloner.ts"
import type { ImageState } from "../image/ImageState.ts"
import type { Images } from "../store/Inventory.ts"
import { clonesInFlight, clonesWaiting, images, reasons, workloadReasons, workloads } from "../telemetry/Metrics.ts"
import { isWorkloadKind } from "../workload/Kinds.ts"
import { type Decision, type DecisionMap, outcomeOf, reasonsOf } from "./Decisions.ts"

const outcomes = ["rewritten", "wanted", "held", "skipped"] as const
const states = [
  "pending",
  "backed-up",
  "failed",
  "not-found",
  "private",
  "internal",
  "too-large",
  "unsupported"
] as const

const stateOf = (state: ImageState): (typeof states)[number] =>
  state._tag === "Failed" ? state.reason : state._tag === "BackedUp" ? "backed-up" : "pending"

/**
 * Whether an object is what people call a workload: not what another workload made, no static pod, and no old revision of what
 * an operator rolls.
 */
const isWorkload = ({ plan: { workload } }: Decision): boolean => {
  const { mirror, owner, replicas } = workload
  return !mirror && (owner === undefined || (!isWorkloadKind(owner.kind) && replicas !== 0))
}

const tally = <K extends string>(keys: Iterable<K>): ReadonlyMap<K, number> => {
  const counts = new Map<K, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}

/** Sets the gauges of workloads by outcome and reason, of images by state, and of what the cloner is about. */
export const updateGauges = Effect.fnUntraced(function*(
  decisions: DecisionMap,
  inventory: Images,
  cloner: Pick<Cloner["Service"], "inFlight" | "waiting">
): Effect.fn.Return<void> {
  yield* Metric.update(clonesInFlight, (yield* cloner.inFlight).length)
  yield* Metric.update(clonesWaiting, yield* cloner.waiting)
  const all = [...decisions.all].filter(isWorkload)
  const byOutcome = tally(all.map(outcomeOf))
  const byReason = tally(all.flatMap((it) => [...reasonsOf(it)]))
  const byState = tally(inventory.all.map((it) => stateOf(it.state)))
  yield* Effect.all([
    ...outcomes.map((state) => Metric.update(workloads({ state }), byOutcome.get(state) ?? 0)),
    ...reasons.map((reason) => Metric.update(workloadReasons({ reason }), byReason.get(reason) ?? 0)),
    ...states.map((state) => Metric.update(images({ state }), byState.get(state) ?? 0))
  ], { discard: true })
})
