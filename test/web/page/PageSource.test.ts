import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { PageSource } from "../../../src/web/page/PageSource.ts"
import { viewOf } from "./Views.ts"

describe("a look for the status page", () => {
  it.effect("is one for all who ask within a second, and nobody's before there is a controller", () =>
    Effect.gen(function*() {
      const { answerBy, look } = yield* PageSource
      assert.isUndefined(yield* look)
      let looks = 0
      const begun = yield* Deferred.make<void>()
      yield* answerBy(Effect.as(Effect.andThen(Effect.sync(() => ++looks), Deferred.await(begun)), viewOf()))
      const asking = yield* Effect.forkChild(Effect.all(Array.from({ length: 100 }, () => look), { concurrency: 100 }))
      yield* Effect.yieldNow
      yield* Deferred.succeed(begun, undefined)
      assert.lengthOf(yield* Fiber.join(asking), 100)
      assert.strictEqual(looks, 1)
      yield* TestClock.adjust("1 second")
      yield* look
      assert.strictEqual(looks, 2)
      yield* answerBy(Effect.undefined)
      assert.isUndefined(yield* look)
    }).pipe(Effect.provide(PageSource.layer)))
})
