import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Supervisor } from "../src/Supervisor.ts"

describe("the supervisor", () => {
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
