// QueueFigures: what Prometheus is told of a queue: what is counted as it goes, and what stands in it when somebody looks.
import { Effect } from "effect"
import {
  queueAdds,
  queueBusy,
  queueDelayed,
  queueDepth,
  queueRetries,
  queueWaitSeconds,
  queueWorkSeconds,
  touchQueue
} from "../telemetry/Metrics.ts"
import { readGauge } from "../telemetry/ReadMetric.ts"

/** Numbers of keys. */
export interface QueueFigures {
  readonly ready: number
  /** Those that wait for their time. */
  readonly delayed: number
  /** Those that are worked on. */
  readonly busy: number
}

/** What is counted of one queue as it goes. */
export const countersOf = (name: string) => {
  const label = { queue: name }
  return {
    adds: queueAdds(label),
    retries: queueRetries(label),
    wait: queueWaitSeconds(label),
    work: queueWorkSeconds(label)
  }
}

/** Has all that is told of a queue exist, and its gauges read when somebody looks: at every key they would cost more than the queue. */
export const showFigures = Effect.fnUntraced(function*(name: string, figures: () => QueueFigures) {
  const label = { queue: name }
  yield* touchQueue(name)
  yield* readGauge(queueDepth(label), () => figures().ready)
  yield* readGauge(queueDelayed(label), () => figures().delayed)
  yield* readGauge(queueBusy(label), () => figures().busy)
})
