import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { readGauge } from "../../src/telemetry/ReadMetric.ts"

describe("a metric that is read when somebody asks", () => {
  it.effect("has the value of that moment, and is gone with what it is read of", () =>
    Effect.gen(function*() {
      const gauge = Metric.gauge("test_read_gauge", { attributes: { of: "a" } })
      let value = 1
      const seen = Effect.map(
        Metric.snapshot,
        (all) => all.filter((it) => it.id === "test_read_gauge").map((it) => [it.attributes, it.state])
      )
      yield* Effect.scoped(Effect.gen(function*() {
        yield* readGauge(gauge, () => value)
        assert.deepStrictEqual(yield* seen, [[{ of: "a" }, { value: 1 }]])
        value = 2
        assert.deepStrictEqual(yield* seen, [[{ of: "a" }, { value: 2 }]])
      }))
      assert.deepStrictEqual(yield* seen, [])
    }))
})
