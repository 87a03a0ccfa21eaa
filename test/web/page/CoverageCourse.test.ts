import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Coverage } from "../../../src/upkeep/Coverage.ts"
import { CoverageCourse, mostSamples, sampleCoverage } from "../../../src/web/page/CoverageCourse.ts"

describe("the course of coverage", () => {
  it.effect("begins when the whole cluster was seen, has a sample every five minutes, and forgets what is older than a day", () =>
    Effect.gen(function*() {
      const coverage = yield* Coverage
      const course = yield* CoverageCourse
      yield* Effect.forkChild(sampleCoverage)
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(course.all, [])
      coverage.begin()
      coverage.note("Pod/a/b", { namespace: "a", state: "at-risk", reason: undefined, running: [] })
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(course.all, [{ at: 900_000, ratio: 0, atRisk: 1 }])
      yield* TestClock.adjust("2 days")
      assert.strictEqual(course.all.length, mostSamples)
      assert.strictEqual((course.all.at(-1)?.at ?? 0) - (course.all[0]?.at ?? 0), (mostSamples - 1) * 300_000)
    }).pipe(Effect.provide(Layer.merge(Coverage.layer, CoverageCourse.layer))))
})
