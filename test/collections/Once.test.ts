// Once a key: shared while it is under way, kept or not, and ended with the last who waits.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { makeOnce } from "../../src/collections/Once.ts"

const world = Effect.gen(function*() {
  const seen = { begun: 0, ended: 0 }
  const gate = yield* Deferred.make<number>()
  const work = Effect.suspend(() => {
    seen.begun++
    return Deferred.await(gate)
  }).pipe(Effect.onInterrupt(() => Effect.sync(() => seen.ended++)))
  return { gate, seen, work }
})

describe("what is done once a key", () => {
  it.effect("is done by whoever asks first, and answers all who ask meanwhile", () =>
    Effect.gen(function*() {
      const { gate, seen, work } = yield* world
      const once = yield* makeOnce<number, never>({ kept: 0 })
      const asking = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(once.get("a", work)))
      yield* Effect.yieldNow
      yield* Deferred.succeed(gate, 7)
      assert.deepStrictEqual(yield* Fiber.joinAll(asking), [7, 7, 7])
      assert.strictEqual(seen.begun, 1)
      // it is not kept
      yield* once.get("a", work)
      assert.strictEqual(seen.begun, 2)
    }))

  it.effect("ends with the last who waits, not with the first, and begins anew for whoever comes then", () =>
    Effect.gen(function*() {
      const { seen, work } = yield* world
      const once = yield* makeOnce<number, never>({ kept: 10 })
      const first = yield* Effect.forkChild(once.get("a", work))
      const second = yield* Effect.forkChild(once.get("a", work))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(first)
      assert.deepStrictEqual(seen, { begun: 1, ended: 0 })
      yield* Fiber.interrupt(second)
      assert.deepStrictEqual(seen, { begun: 1, ended: 1 })
      yield* Effect.forkChild(once.get("a", work))
      yield* Effect.yieldNow
      assert.strictEqual(seen.begun, 2)
    }))

  it.effect("is kept, failures too, until it is forgotten or there is too much of it", () =>
    Effect.gen(function*() {
      const once = yield* makeOnce<number, string>({ kept: 2 })
      const asked: Array<string> = []
      const ask = (key: string) =>
        Effect.flip(once.get(
          key,
          Effect.suspend(() => {
            asked.push(key)
            return Effect.fail(`no ${key}`)
          })
        ))
      assert.strictEqual(yield* ask("a"), "no a")
      yield* ask("a")
      yield* ask("b")
      yield* once.forget((key) => key === "a")
      yield* ask("b")
      yield* ask("a")
      assert.deepStrictEqual(asked, ["a", "b", "a"])
      yield* ask("c")
      yield* ask("b")
      assert.deepStrictEqual(asked, ["a", "b", "a", "c", "b"])
    }))
})
