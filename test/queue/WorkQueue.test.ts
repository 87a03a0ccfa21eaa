import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Fiber, Layer, Logger, Metric, Random, Schema } from "effect"
import { TestClock } from "effect/testing"
import { waitOf } from "../../src/queue/Backoff.ts"
import { make, Priority } from "../../src/queue/WorkQueue.ts"
import { queueAdds, queueBusy, queueDelayed, queueDepth, queueRetries } from "../../src/telemetry/Metrics.ts"

const quiet = Layer.mergeAll(Layer.sync(Metric.MetricRegistry, () => new Map()), Logger.layer([]))

const queue = make<string>({ name: "test" })

describe("WorkQueue", () => {
  it.effect("works on every key that is offered, in order", () =>
    Effect.gen(function*() {
      const it = yield* queue
      const done: Array<string> = []
      for (const key of ["a", "b", "a", "c"]) yield* it.offer(key)
      assert.strictEqual(yield* it.depth, 3)
      yield* Effect.forkChild(it.run(1, (key) => Effect.sync(() => void done.push(key))))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(done, ["a", "b", "c"])
      yield* it.offer("a")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(done, ["a", "b", "c", "a"])
    }).pipe(Effect.provide(quiet)))

  it.effect("keeps its waits when somebody sets the clock", () =>
    Effect.gen(function*() {
      const it = yield* queue
      const done: Array<string> = []
      yield* TestClock.setTime(3_600_000)
      yield* Effect.forkChild(it.run(1, (key) => Effect.sync(() => void done.push(key))))
      yield* it.offerAfter("a", "10 seconds")
      yield* TestClock.adjust("5 seconds")
      yield* TestClock.setTime(1000)
      yield* TestClock.adjust("6 seconds")
      yield* it.offer("b")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(done, ["a", "b"])
    }).pipe(Effect.provide(quiet)))

  it.effect("lets live changes overtake what was there at the start", () =>
    Effect.gen(function*() {
      const it = yield* queue
      const done: Array<string> = []
      yield* it.offer("initial", { priority: Priority.initial })
      yield* it.offer("live")
      yield* it.offer("urgent", { priority: Priority.urgent })
      yield* Effect.forkChild(it.run(1, (key) => Effect.sync(() => void done.push(key))))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(done, ["urgent", "live", "initial"])
    }).pipe(Effect.provide(quiet)))

  it.effect("works on as many keys at once as allowed, and never twice on one", () =>
    Effect.gen(function*() {
      const it = yield* queue
      const running: Array<string> = []
      const runs: Array<string> = []
      const work = (key: string) =>
        Effect.gen(function*() {
          running.push(key)
          assert.isAtMost(running.length, 2)
          assert.lengthOf(running.filter((other) => other === key), 1)
          yield* Effect.sleep("1 second")
          running.splice(running.indexOf(key), 1)
          runs.push(key)
        })
      yield* Effect.forkChild(it.run(2, work))
      for (const key of ["a", "b", "c"]) yield* it.offer(key)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(running, ["a", "b"])
      yield* it.offer("a")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(running, ["c", "a"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(runs, ["a", "b", "c", "a"])
    }).pipe(Effect.provide(quiet)))

  it.effect("works on nothing of which a glance is enough, in order with the rest", () =>
    Effect.gen(function*() {
      const it = yield* queue
      const seen: Array<string> = []
      const glance = (key: string) => {
        if (key === "broken") throw new Error("a defect of the glance")
        if (key.startsWith("glanced")) seen.push(key)
        return key.startsWith("glanced")
      }
      const work = (key: string) => Effect.sync(() => void seen.push(`worked on ${key}`))
      yield* it.offerAll(["glanced 1", "one", "glanced 2", "broken", "two"])
      yield* Effect.forkChild(it.run(1, work, glance))
      yield* TestClock.adjust(0)
      // the rest goes on while work is done; a glance that fails is none
      assert.deepStrictEqual(seen.toSorted(), [
        "glanced 1",
        "glanced 2",
        "worked on broken",
        "worked on one",
        "worked on two"
      ])
      assert.strictEqual(seen[0], "glanced 1")
      assert.strictEqual(yield* it.depth, 0)
    }).pipe(Effect.provide(quiet)))

  it.effect("says what was wrong with a glance that failed", () => {
    const said: Array<string> = []
    const log = Logger.layer([Logger.make((it) => void said.push(`${it.logLevel} ${String(it.message)}`))])
    return Effect.gen(function*() {
      const it = yield* queue
      yield* it.offer("broken")
      yield* Effect.forkChild(it.run(1, () => Effect.void, () => {
        throw new Error("a defect of the glance")
      }))
      yield* TestClock.adjust(0)
      assert.match(said.join(), /Error .*a glance failed, it is worked on instead.*a defect of the glance/)
    }).pipe(Effect.provide(Layer.mergeAll(Layer.sync(Metric.MetricRegistry, () => new Map()), log)))
  })

  it.effect("glances at thousands of keys in slices, between which others have their turn", () =>
    Effect.gen(function*() {
      const it = yield* queue
      const keys = Array.from({ length: 1000 }, (_, at) => `key ${at}`)
      yield* it.offerAll(keys)
      const seen = new Set<string>()
      let others = 0
      let now = 0n
      // a clock on which each glance takes a millisecond
      const clock = yield* Clock.Clock
      const slow: Clock.Clock = {
        ...clock,
        monotonicTimeNanosUnsafe: () => now,
        monotonicTimeNanos: Effect.sync(() => now)
      }
      const glance = (key: string) => {
        now += 1_000_000n
        return seen.add(key).size > 0
      }
      yield* Effect.forkChild(
        Effect.provideService(it.run(1, () => Effect.die("needs no work"), glance), Clock.Clock, slow)
      )
      while (seen.size < keys.length) {
        others++
        yield* Effect.yieldNow
      }
      assert.isAbove(others, 50)
    }).pipe(Effect.provide(quiet)))

  it.effect("works on everything at once when unbounded", () =>
    Effect.gen(function*() {
      const it = yield* queue
      let running = 0
      for (let i = 0; i < 100; i++) yield* it.offer(`key-${i}`)
      yield* Effect.forkChild(it.run("unbounded", () => Effect.andThen(Effect.sync(() => running++), Effect.never)))
      yield* TestClock.adjust(0)
      assert.strictEqual(running, 100)
      assert.strictEqual((yield* Metric.value(queueBusy({ queue: "test" }))).value, 100)
    }).pipe(Effect.provide(quiet)))

  it.effect("comes back to a key after a delay, the earliest one", () =>
    Effect.gen(function*() {
      const it = yield* queue
      const done: Array<string> = []
      yield* Effect.forkChild(it.run(1, (key) => Effect.sync(() => void done.push(key))))
      yield* it.offerAfter("a", "10 seconds")
      yield* it.offerAfter("a", "5 seconds")
      yield* it.offerAfter("a", "20 seconds")
      yield* TestClock.adjust("4999 millis")
      assert.deepStrictEqual(done, [])
      assert.strictEqual((yield* Metric.value(queueDelayed({ queue: "test" }))).value, 1)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(done, ["a"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(done, ["a"])
    }).pipe(Effect.provide(quiet)))

  it.effect("backs off a key that fails, more each time, until it succeeds", () =>
    Effect.gen(function*() {
      const it = yield* queue
      const starts: Array<number> = []
      let failing = true
      yield* Effect.forkChild(it.run(1, () =>
        Effect.flatMap(Effect.clockWith((clock) => clock.currentTimeMillis), (now) => {
          starts.push(now)
          return failing ? Effect.fail("no") : Effect.void
        })))
      yield* it.offer("a")
      yield* TestClock.adjust("4 seconds")
      const waits = starts.slice(1).map((at, index) =>
        at - (starts[index] ?? 0)
      )
      assert.isAtLeast(waits.length, 3)
      for (const [failures, wait] of waits.entries()) {
        assert.isAtLeast(wait, waitOf({ first: 500, longest: 300_000 }, failures, 0))
        assert.isAtMost(wait, waitOf({ first: 500, longest: 300_000 }, failures, 1))
      }
      failing = false
      yield* TestClock.adjust("10 seconds")
      failing = true
      const count = starts.length
      yield* it.offer("a")
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(starts.length, count + 2, "the first failure after a success waits the least")
    }).pipe(Effect.provide(quiet)))

  it.effect("survives a defect in the work on one key, and goes on with it and the others", () =>
    Effect.gen(function*() {
      const it = yield* queue
      const done: Array<string> = []
      yield* Effect.forkChild(it.run(1, (key) => {
        done.push(key)
        if (key === "bad" && done.length < 4) throw new Error("a defect")
        return Effect.void
      }))
      yield* it.offer("bad")
      yield* it.offer("good")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(done, ["bad", "good", "bad", "bad"])
      assert.strictEqual((yield* Metric.value(queueRetries({ queue: "test" }))).count, 2)
    }).pipe(Effect.provide(quiet)))

  it.effect("keeps the count when the work says itself that it failed, and waits at least as long as asked", () =>
    Effect.gen(function*() {
      const it = yield* queue
      const waits: Array<number> = []
      yield* Effect.forkChild(it.run(1, (key) =>
        Effect.map(
          it.offerFailed(key, waits.length === 1 ? { atLeast: "1 hour" } : {}),
          (wait) => void waits.push(Duration.toMillis(wait))
        )))
      yield* it.offer("a")
      yield* TestClock.adjust("59 minutes")
      const [first = 0, second] = waits
      assert.lengthOf(waits, 2)
      assert.isTrue(first >= 250 && first <= 500)
      assert.strictEqual(second, 3_600_000)
      yield* TestClock.adjust("61 seconds")
      assert.isTrue((waits[2] ?? 0) >= 1000 && (waits[2] ?? 0) <= 2000)
      yield* it.forget("a")
      yield* TestClock.adjust("2 seconds")
      assert.isTrue((waits[3] ?? 0) <= 500)
    }).pipe(Effect.provide(quiet)))

  it.effect("keeps the count when the key is woken before its back-off is over, and the work finds nothing to do yet", () =>
    Effect.gen(function*() {
      const it = yield* queue
      const waits: Array<number> = []
      let until = 0
      yield* Effect.forkChild(it.run(1, (key) =>
        Effect.gen(function*() {
          const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
          if (now < until) return
          const wait = Duration.toMillis(yield* it.offerFailed(key))
          until = now + wait
          waits.push(wait)
        })))
      for (let wakes = 0; wakes < 300; wakes++) {
        yield* it.offer("a")
        yield* TestClock.adjust("100 millis")
      }
      assert.isAtMost(waits.length, 8)
      assert.isAbove(waits.at(-1) ?? 0, 8000)
    }).pipe(Effect.provide(quiet)))

  it.effect("keeps the priority of a key that is put back", () =>
    Effect.gen(function*() {
      const it = yield* queue
      const done: Array<string> = []
      const first = yield* Deferred.make<void>()
      yield* Effect.forkChild(it.run(1, (key) => {
        done.push(key)
        return done.length === 1 ? Effect.andThen(Deferred.await(first), it.offerAfter(key, 0)) : Effect.void
      }))
      yield* it.offer("urgent", { priority: Priority.urgent })
      yield* TestClock.adjust(0)
      yield* it.offer("live")
      yield* Deferred.succeed(first, undefined)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(done, ["urgent", "urgent", "live"])
    }).pipe(Effect.provide(quiet)))

  it.effect("leaves what it was working on in the queue when it is interrupted", () =>
    Effect.gen(function*() {
      const it = yield* queue
      for (const key of ["a", "b", "c"]) yield* it.offer(key)
      const fiber = yield* Effect.forkChild(it.run(2, () => Effect.never))
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* it.depth, 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* it.depth, 3)
      const done: Array<string> = []
      yield* Effect.forkChild(it.run(1, (key) => Effect.sync(() => void done.push(key))))
      yield* TestClock.adjust(0)
      assert.sameMembers(done, ["a", "b", "c"])
    }).pipe(Effect.provide(quiet)))

  it.effect("counts what it does from the start", () =>
    Effect.gen(function*() {
      const it = yield* queue
      assert.strictEqual((yield* Metric.value(queueAdds({ queue: "test" }))).count, 0)
      yield* it.offer("a")
      yield* it.offer("a")
      yield* it.offer("b")
      assert.strictEqual((yield* Metric.value(queueAdds({ queue: "test" }))).count, 2)
      assert.strictEqual((yield* Metric.value(queueDepth({ queue: "test" }))).value, 2)
      yield* Effect.forkChild(it.run(1, () => Effect.void))
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* Metric.value(queueDepth({ queue: "test" }))).value, 0)
      assert.strictEqual((yield* Metric.value(queueBusy({ queue: "test" }))).value, 0)
    }).pipe(Effect.provide(quiet)))

  const Name = Schema.Literals(["a", "b", "c"])
  const Step = Schema.Union([
    Schema.Struct({ do: Schema.Literal("offer"), key: Name }),
    Schema.Struct({ do: Schema.Literal("after"), key: Name, seconds: Schema.Literals([0, 1, 7]) }),
    Schema.Struct({ do: Schema.Literal("wait"), millis: Schema.Literals([0, 100, 1000, 10_000]) })
  ])
  const Steps = Schema.Array(Step).check(Schema.isMinLength(10), Schema.isMaxLength(50))

  it.effect.prop(
    "misses no change and never works twice on one key, whatever fails",
    { steps: Steps, concurrency: Schema.Literals([1, 2, 3]), seed: Schema.Int },
    ({ concurrency, seed, steps }) =>
      Effect.gen(function*() {
        const it = yield* queue
        const wanted = new Map<string, number>() // the last change of each key
        const seen = new Map<string, number>() // the change that its last successful work has begun with
        const busy = new Set<string>()
        let change = 0
        const work = Effect.fnUntraced(function*(key: string) {
          assert.isFalse(busy.has(key))
          busy.add(key)
          assert.isAtMost(busy.size, concurrency)
          const began = wanted.get(key) ?? 0
          yield* Effect.sleep(yield* Random.nextIntBetween(0, 2000))
          busy.delete(key)
          const luck = yield* Random.nextIntBetween(0, 3)
          if (luck === 0) return yield* Effect.fail("bad luck")
          if (luck === 1) return yield* Effect.die("worse luck")
          seen.set(key, began)
        })
        yield* Effect.forkChild(it.run(concurrency, work))
        for (const step of steps) {
          if (step.do === "wait") yield* TestClock.adjust(step.millis)
          else {
            wanted.set(step.key, ++change)
            yield* step.do === "offer" ? it.offer(step.key) : it.offerAfter(step.key, step.seconds * 1000)
          }
        }
        yield* TestClock.adjust("10 hours")
        assert.deepStrictEqual(
          [...seen].toSorted(([a], [b]) => a.localeCompare(b)),
          [...wanted].toSorted(([a], [b]) => a.localeCompare(b))
        )
        assert.strictEqual(yield* it.depth, 0)
      }).pipe(Random.withSeed(seed), Effect.provide(quiet)),
    { arbitrary: { runs: 100 }, timeout: 60_000 }
  )
})
