// QueueFigures: what Prometheus is told of a queue: what is counted as it goes, and what stands in it when somebody looks.
import { Effect, Metric } from "effect"
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

/** Has the gauges of a queue read when somebody looks at them: to update them with every key would cost more than the queue. */
export const showFigures = (name: string, figures: () => QueueFigures) =>
  Effect.flatMap(Effect.andThen(touchQueue(name), Effect.context()), (context) => {
    const label = { queue: name }
    const show = (gauge: Metric.Gauge<number>, read: () => number) =>
      Effect.acquireRelease(
        Effect.sync(() =>
          Metric.registerUnsafe(gauge, context, {
            get: () => ({ value: read() }),
            update: () => undefined,
            modify: () => undefined
          })
        ),
        (it) => Effect.sync(() => it.remove())
      )
    return Effect.all([
      show(queueDepth(label), () => figures().ready),
      show(queueDelayed(label), () => figures().delayed),
      show(queueBusy(label), () => figures().busy)
    ], { discard: true })
  })
