// ReadMetric: a metric whose value is read when somebody asks for it, as long as the scope lives: for what stands somewhere anyway,
// and would cost more to be told at every change.
import { Effect, Metric, type Scope } from "effect"

/** @param get its state now */
export const readMetric = <Input, State>(
  metric: Metric.Metric<Input, State>,
  get: () => State
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.flatMap(Effect.context(), (context) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        Metric.registerUnsafe(metric, context, { get, update: () => undefined, modify: () => undefined })
      ),
      (registration) => Effect.sync(() => registration.remove())
    ))

/** @param read its number now */
export const readGauge = (gauge: Metric.Gauge<number>, read: () => number): Effect.Effect<void, never, Scope.Scope> =>
  readMetric(gauge, () => ({ value: read() }))
