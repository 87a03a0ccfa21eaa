import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { type Landings, makeLandings } from "../../../src/clone/steps/Landings.ts"
import { digestOf } from "../../../src/image/Digest.ts"

const digest = digestOf(Buffer.from("image"))
const other = digestOf(Buffer.from("other"))

/** A copy that goes on until it is told to end, and says when it began. */
const copy = (landings: Landings, name: string, began: Array<string>, of = digest, repository = "a") =>
  Effect.gen(function*() {
    const gate = yield* Deferred.make<void, string>()
    const fiber = yield* Effect.forkChild(
      Effect.scoped(Effect.gen(function*() {
        yield* landings.enter(repository, of)
        began.push(name)
        yield* Deferred.await(gate)
      })),
      { startImmediately: true }
    )
    return { gate, fiber }
  })

describe("Landings", () => {
  it.effect("let copies of one image into one repository go one after the other", () =>
    Effect.gen(function*() {
      const landings = makeLandings(yield* Clock.Clock)
      const began: Array<string> = []
      const one = yield* copy(landings, "one", began)
      const two = yield* copy(landings, "two", began)
      const three = yield* copy(landings, "three", began)
      yield* copy(landings, "another image", began, other)
      yield* copy(landings, "elsewhere", began, digest, "b")
      assert.deepStrictEqual(began, ["one", "another image", "elsewhere"])
      assert.isTrue(landings.isBusy("a", digest))
      // whoever waits can be called off, and a copy that fails ends as well
      yield* Fiber.interrupt(two.fiber)
      yield* Deferred.fail(one.gate, "no")
      yield* Fiber.await(one.fiber)
      yield* Effect.yieldNow
      assert.deepStrictEqual(began.slice(3), ["three"])
      yield* Fiber.interrupt(three.fiber)
      assert.isFalse(landings.isBusy("a", digest))
    }))

  it.effect("tell whether one has ended since a moment", () =>
    Effect.gen(function*() {
      const landings = makeLandings(yield* Clock.Clock)
      const at = yield* Clock.monotonicTimeNanos
      yield* TestClock.adjust("1 second")
      assert.isFalse(landings.isChanged("a", digest, at))
      yield* Effect.scoped(landings.enter("a", digest))
      assert.isTrue(landings.isChanged("a", digest, at))
      assert.isFalse(landings.isChanged("b", digest, at))
      yield* TestClock.adjust("1 second")
      assert.isFalse(landings.isChanged("a", digest, yield* Clock.monotonicTimeNanos))
    }))
})
