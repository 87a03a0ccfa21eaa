import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { MeasureThreadUse } from "../../src/telemetry/ThreadUse.ts"

const work = (millis: number) => {
  const until = performance.now() + millis
  while (performance.now() < until);
}

describe("the use of the thread", () => {
  it.live("is much while it works, and little while it waits, each time since the last look", () =>
    Effect.gen(function*() {
      const use = (yield* MeasureThreadUse)()
      yield* Effect.sleep(1)
      use()
      yield* Effect.sync(() => work(100))
      yield* Effect.sleep(1)
      const working = use()
      yield* Effect.sleep(200)
      const waiting = use()
      assert.isTrue(working > waiting && working <= 1 && waiting >= 0, `${working} and ${waiting}`)
    }))
})
