import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { look, makeProgress } from "../../src/clone/Progress.ts"
import { DecisionMap } from "../../src/controller/Decisions.ts"
import { updateGauges } from "../../src/controller/Gauges.ts"
import { Images } from "../../src/store/Inventory.ts"
import * as Metrics from "../../src/telemetry/Metrics.ts"

const value = (metric: Metric.Metric<number, Metric.GaugeState<number>>) =>
  Effect.map(Metric.value(metric), (it) => it.value)

describe("gauges", () => {
  it.effect("say how many images are copied and wait now, also when that has ended", () =>
    Effect.gen(function*() {
      const image = { registry: "docker.io", repository: "library/nginx", tag: "1" }
      for (const [copied, waiting] of [[2, 5], [1, 0], [0, 0]] as const) {
        yield* updateGauges(new DecisionMap(), new Images(), {
          inFlight: Effect.succeed(Array.from({ length: copied }, () => look(makeProgress(image, image, 0)))),
          waiting: Effect.succeed(waiting)
        })
        assert.strictEqual(yield* value(Metrics.clonesInFlight), copied)
        assert.strictEqual(yield* value(Metrics.clonesWaiting), waiting)
      }
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))
})
