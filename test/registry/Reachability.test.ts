// What is asked of a registry that gives no answer, on the test clock: the attempts are the test's.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import { makeReachability, type Reachability } from "../../src/registry/Reachability.ts"
import { type RegistryError, registryError } from "../../src/registry/RegistryError.ts"

const quiet = Effect.provideService(References.MinimumLogLevel, "None")

const error = (more: Partial<Parameters<typeof registryError>[0]> = {}) =>
  registryError({
    operation: "HEAD manifest",
    target: "a.test/x:1",
    reason: "Unreachable",
    detail: "no answer",
    ...more
  })
const refused = error({ noConnection: true, detail: "a.test: no answer (ECONNREFUSED)" })

/** A registry that a test switches on and off; an attempt takes a second and counts. */
const world = (version: () => unknown = () => 0) => {
  const reachability = makeReachability(version)
  const now = { answer: Effect.fail(refused) as Effect.Effect<string, RegistryError>, attempts: 0 }
  const attempt = Effect.suspend(() => {
    now.attempts++
    const { answer } = now
    return Effect.delay(answer, "1 second")
  })
  const ask = (spares = true, registry = "a.test") =>
    reachability.ask({ operation: "HEAD manifest", target: `${registry}/x:1`, registry, spares }, attempt)
  return { reachability, now, ask }
}

/** Runs it to its end, a second later at the most. */
const run = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    yield* TestClock.adjust("1 second")
    return yield* Fiber.join(fiber)
  })

const seconds = (reachability: Reachability) =>
  Effect.map(reachability.silenceOf("a.test"), (it) => it === undefined ? undefined : Duration.toSeconds(it))

describe("a registry that gives no answer", () => {
  it.effect("is not asked by others while it rests: they are told what the first was told, at once", () => {
    const { ask, now, reachability } = world()
    return quiet(Effect.gen(function*() {
      assert.isUndefined(yield* seconds(reachability))
      const first = yield* run(Effect.flip(ask()))
      assert.deepStrictEqual([first.silent, first.noConnection, first.retryable], ["a.test", true, true])
      for (let at = 0; at < 500; at++) {
        const told = yield* Effect.flip(ask())
        assert.deepStrictEqual([told.silent, told.retryable], ["a.test", true])
        assert.include(told.message, "ECONNREFUSED")
        assert.include(told.message, "was not asked")
      }
      assert.strictEqual(now.attempts, 1)
      assert.strictEqual(yield* seconds(reachability), 5)
    }))
  })

  it.effect("is asked by one at a time, after rests that double up to five minutes", () => {
    const { ask, now, reachability } = world()
    return quiet(Effect.gen(function*() {
      yield* run(Effect.flip(ask()))
      for (const rest of [5, 10, 20, 40, 80, 160, 300, 300]) {
        assert.strictEqual(yield* seconds(reachability), rest)
        yield* TestClock.adjust(Duration.seconds(rest))
        assert.strictEqual(yield* seconds(reachability), 0)
        const before = now.attempts
        const all = yield* run(Effect.all(Array.from({ length: 20 }, () => Effect.flip(ask())), {
          concurrency: "unbounded"
        }))
        assert.strictEqual(now.attempts, before + 1)
        assert.isTrue(all.every((it) => it.silent === "a.test"))
      }
    }))
  })

  it.effect("that was asked by many before anybody knew counts as one failure", () => {
    const { ask, now, reachability } = world()
    return quiet(Effect.gen(function*() {
      yield* run(Effect.all(Array.from({ length: 20 }, () => Effect.flip(ask())), { concurrency: "unbounded" }))
      assert.strictEqual(now.attempts, 20)
      assert.strictEqual(yield* seconds(reachability), 5)
    }))
  })

  it.effect("is open to all once it answers, and rests for five seconds again when it is lost again", () => {
    const { ask, now, reachability } = world()
    return quiet(Effect.gen(function*() {
      yield* run(Effect.flip(ask()))
      yield* TestClock.adjust("5 seconds")
      yield* run(Effect.flip(ask()))
      yield* TestClock.adjust("10 seconds")
      now.answer = Effect.succeed("well")
      assert.strictEqual(yield* run(ask()), "well")
      assert.isUndefined(yield* seconds(reachability))
      assert.strictEqual(yield* run(ask()), "well")
      now.answer = Effect.fail(refused)
      yield* run(Effect.flip(ask()))
      assert.strictEqual(yield* seconds(reachability), 5)
    }))
  })

  it.effect("holds up no other", () => {
    const { ask, now, reachability } = world()
    return quiet(Effect.gen(function*() {
      yield* run(Effect.flip(ask()))
      now.answer = Effect.succeed("well")
      assert.strictEqual(yield* run(ask(true, "b.test")), "well")
      assert.strictEqual(yield* seconds(reachability), 4)
    }))
  })

  it.effect("is left to the next where the one that asks is stopped", () => {
    const { ask, now, reachability } = world()
    return quiet(Effect.gen(function*() {
      yield* run(Effect.flip(ask()))
      yield* TestClock.adjust("5 seconds")
      const asking = yield* Effect.forkChild(ask(), { startImmediately: true })
      assert.strictEqual(yield* seconds(reachability), 1)
      yield* Fiber.interrupt(asking)
      assert.strictEqual(yield* seconds(reachability), 0)
      now.answer = Effect.succeed("well")
      assert.strictEqual(yield* run(ask()), "well")
    }))
  })

  it.effect("is asked all the same by whoever is in the midst of a copy, with its own errors", () => {
    const { ask, now } = world()
    return quiet(Effect.gen(function*() {
      yield* run(Effect.flip(ask()))
      assert.strictEqual(yield* run(Effect.flip(ask(false))), refused)
      assert.strictEqual(now.attempts, 2)
    }))
  })

  it.effect("is told of with the time from the first attempt to the last, and no longer when it answers", () => {
    const { ask, now, reachability } = world()
    const minutes = Effect.map(
      reachability.silences,
      (it) => Array.from(it, ([name, time]) => [name, Math.floor(Duration.toMinutes(time))])
    )
    return quiet(Effect.gen(function*() {
      assert.deepStrictEqual(yield* minutes, [])
      yield* run(Effect.flip(ask()))
      // that nobody asked for a day is no silence of a day
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual(yield* minutes, [["a.test", 0]])
      yield* run(Effect.flip(ask()))
      assert.deepStrictEqual(yield* minutes, [["a.test", 24 * 60]])
      now.answer = Effect.succeed("well")
      yield* TestClock.adjust("1 day")
      yield* run(ask())
      assert.deepStrictEqual(yield* minutes, [])
    }))
  })

  it.effect("is forgotten when what it is reached by has changed", () => {
    let version = 0
    const { ask, now, reachability } = world(() => version)
    return quiet(Effect.gen(function*() {
      yield* run(Effect.flip(ask()))
      version = 1
      assert.isUndefined(yield* seconds(reachability))
      // which is no answer: for how long it has given none goes on
      assert.deepStrictEqual([...(yield* reachability.silences).keys()], ["a.test"])
      now.answer = Effect.succeed("well")
      assert.strictEqual(yield* run(ask()), "well")
      assert.strictEqual((yield* reachability.silences).size, 0)
    }))
  })
})

describe("a registry that answers", () => {
  it.effect.each(
    [
      ["a 5xx", error({ reason: "Unavailable", status: 503 })],
      ["a 404", error({ reason: "NotFound", status: 404 })],
      ["a rate limit", error({ reason: "RateLimited", status: 429 })],
      ["a cut download", error({ reason: "Unreachable" })],
      ["an answer that takes too long", error({ reason: "Timeout" })]
    ] as const
  )("is not taken for silent because of %s", ([, failure]) => {
    const { ask, now, reachability } = world()
    now.answer = Effect.fail(failure)
    return Effect.gen(function*() {
      assert.strictEqual(yield* run(Effect.flip(ask())), failure)
      assert.isUndefined(yield* seconds(reachability))
    })
  })

  it.effect("is not taken for silent because one connection of many does not come about", () => {
    const { ask, reachability } = world()
    return Effect.gen(function*() {
      const lost = yield* Effect.forkChild(Effect.flip(ask()), { startImmediately: true })
      yield* Effect.forkChild(
        reachability.ask(
          { operation: "HEAD manifest", target: "a.test/y:1", registry: "a.test", spares: true },
          Effect.delay(Effect.succeed("well"), "500 millis")
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust("1 second")
      assert.isUndefined((yield* Fiber.join(lost)).silent)
      assert.isUndefined(yield* seconds(reachability))
    })
  })
})

describe("whatever happens", () => {
  const step = Schema.Literals(["up", "down", "ask", "wait"])
  it.effect.prop("there is never more than one question while it is silent, and none while it rests", [
    Schema.Array(step).check(Schema.isMaxLength(40))
  ], ([steps]) => {
    const { ask, now, reachability } = world()
    return quiet(Effect.gen(function*() {
      let up = false
      for (const one of steps) {
        if (one === "wait") yield* TestClock.adjust("3 seconds")
        else if (one !== "ask") {
          up = one === "up"
          now.answer = up ? Effect.succeed("well") : Effect.fail(refused)
        } else {
          const rest = yield* seconds(reachability)
          const before = now.attempts
          yield* run(Effect.forEach([1, 2, 3], () => Effect.result(ask()), { concurrency: "unbounded" }))
          assert.strictEqual(now.attempts - before, rest === undefined ? 3 : rest === 0 ? 1 : 0)
          if (rest === undefined || rest === 0) {
            assert.strictEqual((yield* seconds(reachability)) === undefined, up)
          }
        }
      }
    }))
  })
})
