import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { PageSource } from "../../../src/web/page/PageSource.ts"
import { mostViewers, Viewers } from "../../../src/web/page/Viewers.ts"
import { viewOf } from "./Views.ts"

const layer = Layer.provideMerge(Viewers.layer, PageSource.layer)

const text = (event: Uint8Array): string => new TextDecoder().decode(event)

/** Answers with a view whose time goes on, and counts how often it was asked. */
const counted = Effect.gen(function*() {
  let looks = 0
  const source = yield* PageSource
  yield* source.answerBy(Effect.sync(() => ({ ...viewOf(), at: viewOf().at + 1000 * looks++ })))
  return () => looks
})

describe("viewers", () => {
  it.effect("cost nothing when there are none, and one look however many there are", () =>
    Effect.gen(function*() {
      const looks = yield* counted
      const { join } = yield* Viewers
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(looks(), 0)
      const streams = yield* Effect.forEach(Array.from({ length: mostViewers }), () => join(Effect.void))
      const fibers = yield* Effect.forEach(streams, (it) =>
        Effect.forkChild(Stream.runCollect(Stream.take(Stream.drop(it ?? Stream.empty, 1), 2))))
      yield* TestClock.adjust("10 seconds")
      const events = yield* Effect.forEach(fibers, Fiber.join)
      assert.isAtMost(looks(), 3)
      const [first, second] = (events[0] ?? []).map(text)
      assert.include(first, "Deployment/shop/web")
      // only what has changed
      assert.match(second ?? "", /^data: \[\["head",/)
      assert.notInclude(second, "\"registries\"")
      const before = looks()
      yield* TestClock.adjust("1 hour")
      assert.isAtMost(looks(), before + 1)
    }).pipe(Effect.provide(layer)))

  it.effect("are dropped when they do not read, and others go on", () =>
    Effect.gen(function*() {
      yield* counted
      const { join } = yield* Viewers
      let dropped = 0
      yield* join(Effect.sync(() => void dropped++))
      const reads = yield* join(Effect.die("it reads"))
      const fiber = yield* Effect.forkChild(Stream.runCollect(Stream.take(reads ?? Stream.empty, 10)))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(dropped, 1)
      assert.strictEqual((yield* Fiber.join(fiber)).length, 10)
    }).pipe(Effect.provide(layer)))

  it.effect("are so many and no more, and none once all has ended", () =>
    Effect.gen(function*() {
      const { end, join } = yield* Viewers
      let dropped = 0
      for (let number = 0; number < mostViewers; number++) {
        assert.isDefined(yield* join(Effect.sync(() => void dropped++)))
      }
      assert.isUndefined(yield* join(Effect.void))
      yield* end
      assert.strictEqual(dropped, mostViewers)
      assert.isUndefined(yield* join(Effect.void))
    }).pipe(Effect.provide(layer)))

  it.effect("outlive a look that fails", () =>
    Effect.gen(function*() {
      const source = yield* PageSource
      yield* source.answerBy(Effect.die("broken"))
      const stream = yield* (yield* Viewers).join(Effect.void)
      const fiber = yield* Effect.forkChild(Stream.runHead(Stream.drop(stream ?? Stream.empty, 1)))
      yield* TestClock.adjust("7 seconds")
      yield* source.answerBy(Effect.succeed(viewOf()))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Some")
    }).pipe(Effect.provide(layer)))
})
