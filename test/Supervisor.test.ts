import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Supervisor } from "../src/Supervisor.ts"

describe("the supervisor", () => {
  it.effect("stops what still answers after all others and what is done between", () =>
    Effect.gen(function*() {
      const supervisor = yield* Supervisor
      const order: Array<string> = []
      const note = (what: string) => Effect.sync(() => void order.push(what))
      const slow = (what: string) =>
        Effect.onInterrupt(Effect.never, () => Effect.andThen(Effect.sleep("10 seconds"), note(what)))
      yield* supervisor.runLast("answers", Effect.onInterrupt(Effect.never, () => note("answers")))
      yield* supervisor.run("writes", slow("writes"))
      yield* Effect.yieldNow
      const stopping = yield* Effect.forkChild(supervisor.stop(note("between")))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(order, ["writes", "between", "answers"])
    }).pipe(Effect.provide(Supervisor.layer)))

  it.effect("ends the program also when a fiber that would be the last does", () =>
    Effect.gen(function*() {
      const supervisor = yield* Supervisor
      yield* supervisor.run("lives", Effect.never)
      yield* supervisor.runLast("ends", Effect.die(new Error("broken")))
      const exit = yield* Effect.exit(supervisor.join)
      assert.isTrue(Exit.isFailure(exit) && /broken/.test(Cause.pretty(exit.cause)))
    }).pipe(Effect.provide(Supervisor.layer)))

  for (
    const [how, end] of [
      ["fails", Effect.fail("broken")],
      ["dies", Effect.die(new Error("broken"))]
    ] as const
  ) {
    it.effect(`ends the program when a fiber ${how}`, () =>
      Effect.gen(function*() {
        const supervisor = yield* Supervisor
        yield* supervisor.run("lives", Effect.never)
        yield* supervisor.run("ends", Effect.delay(end, "1 second"))
        const program = yield* Effect.forkChild(Effect.exit(supervisor.join))
        yield* TestClock.adjust("1 second")
        const exit = yield* Fiber.join(program)
        assert.isTrue(Exit.isFailure(exit) && /broken/.test(Cause.pretty(exit.cause)))
      }).pipe(Effect.provide(Supervisor.layer)))
  }
})
