import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema } from "effect"
import { type FairPermits, makeFairPermits } from "../../src/clone/FairPermits.ts"

/** Work that runs until it is told to end, noting when it starts. */
const job = (permits: FairPermits, key: string, name: string, started: Array<string>) =>
  Effect.gen(function*() {
    const gate = yield* Deferred.make<void>()
    const fiber = yield* Effect.forkChild(
      permits.withPermit(key)(Effect.andThen(Effect.sync(() => started.push(name)), Deferred.await(gate))),
      { startImmediately: true }
    )
    return {
      end: Effect.andThen(Deferred.succeed(gate, undefined), Fiber.join(fiber)),
      stop: Fiber.interrupt(fiber)
    }
  })

describe("FairPermits", () => {
  it.effect("serves keys in turns, and each key in order", () =>
    Effect.gen(function*() {
      const permits = makeFairPermits(1)
      const started: Array<string> = []
      const jobs = []
      for (
        const [key, name] of [["a", "a1"], ["a", "a2"], ["a", "a3"], ["b", "b1"], ["c", "c1"], ["b", "b2"]] as const
      ) {
        jobs.push([name, yield* job(permits, key, name, started)] as const)
      }
      assert.strictEqual(yield* permits.waiting, 5)
      for (let index = 0; index < jobs.length; index++) {
        const running = started.at(-1)
        yield* jobs.find(([name]) => name === running)?.[1].end ?? Effect.die("nobody runs")
      }
      assert.deepStrictEqual(started, ["a1", "a2", "b1", "c1", "a3", "b2"])
      assert.strictEqual(yield* permits.waiting, 0)
    }))

  it.effect("more permits start waiters at once, fewer take effect as they come back", () =>
    Effect.gen(function*() {
      const permits = makeFairPermits(1)
      const started: Array<string> = []
      const jobs = []
      for (const name of ["1", "2", "3", "4", "5"]) jobs.push(yield* job(permits, "a", name, started))
      yield* permits.resize(3)
      assert.deepStrictEqual(started, ["1", "2", "3"])
      yield* permits.resize(1)
      yield* jobs[0]?.end ?? Effect.void
      yield* jobs[1]?.end ?? Effect.void
      assert.deepStrictEqual(started, ["1", "2", "3"])
      yield* jobs[2]?.end ?? Effect.void
      assert.deepStrictEqual(started, ["1", "2", "3", "4"])
    }))

  it.effect("a waiter that leaves gives its place up, a holder that is interrupted its permit", () =>
    Effect.gen(function*() {
      const permits = makeFairPermits(1)
      const started: Array<string> = []
      const one = yield* job(permits, "a", "1", started)
      const two = yield* job(permits, "a", "2", started)
      const three = yield* job(permits, "b", "3", started)
      const four = yield* job(permits, "a", "4", started)
      yield* two.stop
      yield* one.stop
      assert.deepStrictEqual(started, ["1", "4"])
      yield* four.end
      assert.deepStrictEqual(started, ["1", "4", "3"])
      yield* three.end
    }))

  it.effect("a failure inside gives the permit back", () =>
    Effect.gen(function*() {
      const permits = makeFairPermits(1)
      yield* Effect.flip(permits.withPermit("a")(Effect.fail("no")))
      yield* Effect.exit(permits.withPermit("a")(Effect.die("worse")))
      assert.strictEqual(yield* permits.withPermit("a")(Effect.succeed(1)), 1)
    }))

  const step = Schema.Struct({
    key: Schema.Literals(["a", "b", "c"]),
    turns: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })),
    stop: Schema.Boolean
  })
  it.effect.prop("never more at once than there are permits, and all of them come back", {
    permits: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 })),
    steps: Schema.Array(step)
  }, ({ permits: count, steps }) =>
    Effect.gen(function*() {
      const permits = makeFairPermits(count)
      let running = 0
      let most = 0
      const fibers = yield* Effect.forEach(steps, (it) =>
        Effect.forkChild(
          permits.withPermit(it.key)(Effect.ensuring(
            Effect.suspend(() => {
              most = Math.max(most, ++running)
              return Effect.repeat(Effect.yieldNow, { times: it.turns })
            }),
            Effect.sync(() => running--)
          ))
        ))
      yield* Effect.forEach(fibers, (it, index) => steps[index]?.stop === true ? Fiber.interrupt(it) : Effect.void, {
        concurrency: "unbounded"
      })
      yield* Effect.forEach(fibers, Fiber.await)
      assert.isAtMost(most, count)
      assert.strictEqual(running, 0)
      assert.strictEqual(yield* permits.waiting, 0)
      // every permit is free again
      const again = yield* Effect.forEach(Array.from({ length: count }), () => job(permits, "z", "z", []), {
        concurrency: 1
      })
      assert.strictEqual(yield* permits.waiting, 0)
      yield* Effect.forEach(again, (it) => it.end)
    }), { arbitrary: { runs: 200 } })
})
