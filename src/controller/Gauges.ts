// Gauges: what the stores hold, as the metrics have it, every second. Of workloads it is counted where decisions are kept; images are
// few.
import { Effect, Metric } from "effect"
import type { Cloner } from "../clone/Cloner.ts"
import { imageWordOf, imageWords } from "../image/ImageState.ts"
import type { Images } from "../store/Inventory.ts"
import {
  clonesInFlight,
  clonesWaiting,
  coverageRatio,
  images,
  reasons,
  workloadReasons,
  workloads
} from "../telemetry/Metrics.ts"
import { type CoverageTally, ratioOf } from "../upkeep/Coverage.ts"
import { imageCounts } from "../upkeep/ImageCoverage.ts"
import type { DecisionMap } from "./Decisions.ts"

const outcomes = ["rewritten", "wanted", "held", "skipped"] as const
const tally = <K extends string>(keys: Iterable<K>): ReadonlyMap<K, number> => {
  const counts = new Map<K, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}

/** Sets the gauges of workloads by outcome and reason, of images by state, and of what the cloner is about. */
export const updateGauges = Effect.fnUntraced(function*(
  decisions: DecisionMap,
  inventory: Images,
  cloner: Pick<Cloner["Service"], "inFlight" | "waiting">,
  coverage: CoverageTally
): Effect.fn.Return<void> {
  yield* Metric.update(clonesInFlight, (yield* cloner.inFlight).length)
  yield* Metric.update(clonesWaiting, yield* cloner.waiting)
  const byState = tally(inventory.all.map((it) => imageWordOf(it.state)))
  if (coverage.isComplete) {
    yield* Metric.update(coverageRatio({ by: "pods" }), ratioOf(coverage.pods))
    yield* Metric.update(coverageRatio({ by: "images" }), ratioOf(imageCounts(inventory, coverage)))
  }
  yield* Effect.all([
    ...outcomes.map((state) => Metric.update(workloads({ state }), decisions.outcomes.of(state))),
    ...reasons.map((reason) => Metric.update(workloadReasons({ reason }), decisions.reasons.of(reason))),
    ...imageWords.map((state) => Metric.update(images({ state }), byState.get(state) ?? 0))
  ], { discard: true })
})
