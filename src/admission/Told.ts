// Told: what admission has decided, for the metrics. Edge: requests that never became a review are the server's.
import { Effect, Metric } from "effect"
import { admissionReviews, admissionSeconds } from "../telemetry/Metrics.ts"
import type { PodVerdict } from "../workload/PlanPod.ts"

/** How a review ended, as the metrics count it. */
export type Ending = PodVerdict | { readonly _tag: "Warned" | "Denied" | "Allowed" }

const outcomes = {
  Rewrite: "rewritten",
  Held: "left",
  Skipped: "left",
  Done: "left",
  Warned: "warned",
  Denied: "denied",
  Allowed: "allowed"
} as const

/**
 * Counts a review.
 * @param millis how long the decision took
 */
export const told = (operation: "mutate" | "validate", ending: Ending, millis: number): Effect.Effect<void> =>
  Effect.andThen(
    Metric.update(
      admissionReviews({
        operation,
        outcome: outcomes[ending._tag],
        reason: "reason" in ending ? ending.reason : "none"
      }),
      1
    ),
    Metric.update(admissionSeconds, millis / 1000)
  )
