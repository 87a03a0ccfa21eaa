import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { makeReloading } from "../../src/files/Reloading.ts"

describe("what is read of files", () => {
  it.effect("is looked at again after five seconds, by who asks, and told what it was", () =>
    Effect.gen(function*() {
      const file = yield* makeReloading(1, (before) => Effect.succeed(before * 10))
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual(yield* file.refreshed, 1)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(file.current(), 1)
      assert.strictEqual(yield* file.refreshed, 10)
      assert.strictEqual(file.current(), 10)
      assert.strictEqual(yield* file.refreshed, 10)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* file.refreshed, 100)
    }))

  it.effect("is what it was for those who ask while another looks", () =>
    Effect.gen(function*() {
      const read = yield* Deferred.make<string>()
      const file = yield* makeReloading("old", () => Deferred.await(read))
      yield* TestClock.adjust("5 seconds")
      const one = yield* Effect.forkChild(file.refreshed, { startImmediately: true })
      assert.strictEqual(yield* file.refreshed, "old")
      yield* Deferred.succeed(read, "new")
      assert.strictEqual(yield* Fiber.join(one), "new")
      assert.strictEqual(yield* file.refreshed, "new")
    }))
})
