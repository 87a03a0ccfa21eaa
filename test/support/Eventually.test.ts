import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { eventually } from "./Eventually.ts"

describe("eventually", () => {
  it.live("answers the first look that is as wanted, of an effect or of a function", () =>
    Effect.gen(function*() {
      let looks = 0
      assert.strictEqual(yield* eventually("too few", Effect.sync(() => ++looks), (it) => it === 3), 3)
      assert.isTrue(yield* eventually("too few", () => ++looks === 7))
    }))

  it.live("fails the test, with what is wrong and what was seen last", () =>
    Effect.gen(function*() {
      const cause = yield* eventually("no pod", () => ({ pods: 0 }), ({ pods }) => pods > 0, "20 millis").pipe(
        Effect.sandbox,
        Effect.flip
      )
      assert.isTrue(Cause.hasDies(cause))
      assert.include(Cause.pretty(cause), "no pod; seen last: {\"pods\":0}")
    }))
})
