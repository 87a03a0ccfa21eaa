import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Wakes } from "../../src/queue/Wakes.ts"

describe("wakes", () => {
  it.effect("end all waits that were begun before them, and none that were begun after", () =>
    Effect.gen(function*() {
      const wakes = new Wakes()
      const waiting = yield* Effect.forEach([1, 2], () => Effect.forkChild(wakes.after(wakes.seen)))
      yield* Effect.yieldNow
      wakes.wake()
      yield* Fiber.joinAll(waiting)
      const late = yield* Effect.forkChild(wakes.after(wakes.seen))
      yield* Effect.yieldNow
      assert.isUndefined(late.pollUnsafe())
      yield* Fiber.interrupt(late)
    }))

  it.effect("are not missed between the look and the wait", () =>
    Effect.gen(function*() {
      const wakes = new Wakes()
      const { seen } = wakes
      wakes.wake()
      yield* wakes.after(seen)
    }))
})
