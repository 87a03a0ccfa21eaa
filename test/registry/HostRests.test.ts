import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { type Ask, makeHostRests } from "../../src/registry/HostRests.ts"

const ask = (host: string, more: Partial<Ask> = {}): Ask => ({
  operation: "GET manifest",
  target: `${host}/a:1`,
  host,
  identity: "anonymous",
  cost: "counted",
  ...more
})

const limits = (rested: Array<string> = [], reserve = () => 0.2) =>
  makeHostRests({
    reserve,
    longestWait: Duration.minutes(2),
    onRest: (host) => Effect.sync(() => rested.push(host))
  })

const seconds = (duration: Duration.Duration | undefined) =>
  duration === undefined ? undefined : Math.round(Duration.toSeconds(duration))

describe("what can wait", () => {
  it.effect("leaves a host alone that rests, for a limit or for a low budget of anybody's", () =>
    Effect.gen(function*() {
      const it = limits()
      assert.strictEqual(seconds(yield* it.restOf("a.io")), 0)
      yield* it.limited(ask("a.io"), Duration.seconds(60))
      yield* it.announced(ask("b.io", { identity: "login" }), {
        "ratelimit-limit": "100;w=300",
        "ratelimit-remaining": "3;w=300"
      })
      const rests = Effect.all(["a.io", "b.io", "c.io"].map((host) => Effect.map(it.restOf(host), seconds)))
      assert.deepStrictEqual(yield* rests, [60, 300, 0])
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* rests, [0, 0, 0])
    }))
})

describe("a rate limit", () => {
  it.effect("rests the whole host until its time, and no other", () =>
    Effect.gen(function*() {
      const rested: Array<string> = []
      const it = limits(rested)
      yield* it.limited(ask("a.io"), Duration.seconds(60))
      yield* it.turn(ask("b.io"))
      const waiting = yield* Effect.forkChild(
        Effect.all([it.turn(ask("a.io")), it.turn(ask("a.io", { cost: "free", identity: "other" }))], {
          concurrency: "unbounded"
        }),
        { startImmediately: true }
      )
      yield* TestClock.adjust("59 seconds")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(rested, ["a.io"])
    }))

  it.effect("is not waited for beyond two minutes: the permit goes back with the time", () =>
    Effect.gen(function*() {
      const it = limits()
      yield* it.limited(ask("a.io"), Duration.hours(6))
      yield* TestClock.adjust("1 hour")
      const error = yield* Effect.flip(it.turn(ask("a.io")))
      assert.strictEqual(error.reason, "RateLimited")
      assert.isTrue(error.retryable)
      assert.strictEqual(seconds(error.retryAfter), 5 * 3600)
      assert.include(error.message, "a.io rests for 5h")
    }))

  it.effect("without a time grows, and is forgotten once the host answers again", () =>
    Effect.gen(function*() {
      const it = limits()
      const again = Effect.gen(function*() {
        const rest = yield* it.limited(ask("a.io"), undefined)
        yield* TestClock.adjust(rest)
        return seconds(rest)
      })
      assert.deepStrictEqual([yield* again, yield* again, yield* again], [10, 20, 40])
      for (let index = 0; index < 12; index++) yield* again
      assert.strictEqual(yield* again, 600)
      yield* it.answered(ask("a.io"))
      assert.strictEqual(yield* again, 10)
    }))

  it.effect("told to many requests at once counts once, and the longest time holds", () =>
    Effect.gen(function*() {
      const rested: Array<string> = []
      const it = limits(rested)
      yield* it.limited(ask("a.io"), undefined)
      assert.strictEqual(seconds(yield* it.limited(ask("a.io"), undefined)), 20)
      yield* it.limited(ask("a.io"), Duration.seconds(90))
      assert.strictEqual(seconds(yield* it.limited(ask("a.io"), Duration.seconds(1))), 90)
      // an answer that was on its way does not end the rest
      yield* it.answered(ask("a.io"))
      yield* it.limited(ask("a.io"), Duration.minutes(10))
      yield* Effect.flip(it.turn(ask("a.io")))
      assert.deepStrictEqual(rested, ["a.io"])
    }))

  it.effect("that is prolonged while somebody waits is waited for anew", () =>
    Effect.gen(function*() {
      const it = limits()
      yield* it.limited(ask("a.io"), Duration.seconds(30))
      const waiting = yield* Effect.forkChild(it.turn(ask("a.io")), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      yield* it.limited(ask("a.io"), Duration.seconds(60))
      yield* TestClock.adjust("30 seconds")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(waiting)
    }))
})

describe("an announced budget", () => {
  const announce = (it: ReturnType<typeof limits>, remaining: number, more: Partial<Ask> = {}) =>
    it.announced(ask("a.io", more), { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": `${remaining};w=21600` })

  it.effect("below a fifth rests what counts, and leaves HEADs, blobs and other identities alone", () =>
    Effect.gen(function*() {
      const rested: Array<string> = []
      const it = limits(rested)
      yield* announce(it, 20)
      yield* it.turn(ask("a.io"))
      yield* announce(it, 19)
      const error = yield* Effect.flip(it.turn(ask("a.io")))
      assert.strictEqual(seconds(error.retryAfter), 900)
      assert.include(error.message, "less than 20%")
      yield* it.turn(ask("a.io", { cost: "free" }))
      yield* it.turn(ask("a.io", { identity: "login" }))
      yield* it.turn(ask("b.io"))
      assert.deepStrictEqual(rested, ["a.io"])
    }))

  it.effect("is looked at again after a quarter of an hour, or when it has recovered", () =>
    Effect.gen(function*() {
      const it = limits()
      yield* announce(it, 5)
      yield* Effect.flip(it.turn(ask("a.io")))
      yield* announce(it, 80)
      yield* it.turn(ask("a.io"))
      yield* announce(it, 5)
      yield* TestClock.adjust("15 minutes")
      yield* it.turn(ask("a.io"))
    }))

  it.effect("that nobody announces is no limit", () =>
    Effect.gen(function*() {
      const it = limits()
      yield* it.announced(ask("a.io"), {})
      yield* it.turn(ask("a.io"))
    }))
})

it.effect("the reserve of a budget is what the settings say now", () =>
  Effect.gen(function*() {
    let reserve = 0.5
    const it = limits([], () => reserve)
    const announced = { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "40;w=21600" }
    yield* it.announced(ask("hub.io"), announced)
    const error = yield* Effect.flip(it.turn(ask("hub.io")))
    assert.strictEqual(error.reason, "RateLimited")
    assert.include(error.message, "50%")
    reserve = 0.1
    yield* it.announced(ask("hub.io"), announced)
    yield* it.turn(ask("hub.io"))
  }))
