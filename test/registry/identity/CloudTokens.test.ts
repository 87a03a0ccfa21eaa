// How long a cloud's token is used, on two clocks; who asks for it; and what becomes of a token service that is down.
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { basic } from "../../../src/registry/auth/DockerConfig.ts"
import { CloudError } from "../../../src/registry/identity/CloudError.ts"
import { type CloudToken, makeCloudTokens } from "../../../src/registry/identity/CloudTokens.ts"

const hour = Duration.toMillis("1 hour")

const oneMinute = Duration.toMillis("1 minute")

const down = new CloudError({
  cloud: "AWS",
  identity: "somebody",
  action: "ecr:GetAuthorizationToken",
  resource: "a registry",
  detail: "ECONNREFUSED",
  retryable: true
})

/** A cloud whose n-th token has the password `n`, and which can be down. */
const startCloud = (life: number) => {
  const cloud = { asked: 0, down: false, life }
  const ask: Effect.Effect<CloudToken, CloudError> = Effect.gen(function*() {
    cloud.asked++
    if (cloud.down) return yield* down
    return { credential: basic("AWS", String(cloud.asked)), expiresAt: (yield* Clock.currentTimeMillis) + cloud.life }
  })
  return { cloud, ask }
}

const start = (life = 12 * hour) =>
  Effect.map(makeCloudTokens, (tokens) => {
    const { ask, cloud } = startCloud(life)
    return { cloud, tokens, get: tokens.get("key", ask) }
  })

const print = (password: string) => basic("AWS", password).fingerprint

/** The same clock, with its wall clock set. */
const setWall = <A, E, R>(effect: Effect.Effect<A, E, R>, by: number): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.Clock, (real) => {
    const millis = () => real.currentTimeMillisUnsafe() + by
    return Effect.provideService(effect, Clock.Clock, {
      ...real,
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(millis),
      monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
      monotonicTimeNanos: real.monotonicTimeNanos
    })
  })

describe("a token", () => {
  it.effect.each<[number, number]>([[12, 6], [24, 6], [2, 1]])(
    "of %s h is used for %s h",
    ([life, used]) =>
      Effect.gen(function*() {
        const { cloud, get } = yield* start(life * hour)
        yield* get
        yield* TestClock.adjust(used * hour - 1)
        assert.strictEqual((yield* get).fingerprint, print("1"))
        yield* TestClock.adjust(1)
        assert.strictEqual((yield* get).fingerprint, print("2"))
        assert.strictEqual(cloud.asked, 2)
      })
  )

  it.effect("is not used longer by a wall clock that is set back", () =>
    Effect.gen(function*() {
      const { get } = yield* start()
      yield* get
      yield* TestClock.adjust(6 * hour)
      assert.strictEqual((yield* setWall(get, -100 * hour)).fingerprint, print("2"))
    }))

  it.effect("ends when the machine has slept, and only the wall clock went on", () =>
    Effect.gen(function*() {
      const { get } = yield* start()
      yield* get
      assert.strictEqual((yield* setWall(get, 7 * hour)).fingerprint, print("2"))
    }))

  it.effect("that has ended when it comes is good for all who wait, and for nobody else", () =>
    Effect.gen(function*() {
      const tokens = yield* makeCloudTokens
      const gate = yield* Deferred.make<void>()
      const { ask, cloud } = startCloud(-hour)
      const get = tokens.get("key", Effect.andThen(Deferred.await(gate), ask))
      const waiting = yield* Effect.forkChild(Effect.all([get, get, get], { concurrency: 3 }), {
        startImmediately: true
      })
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual((yield* Fiber.join(waiting)).map((it) => it.fingerprint), Array(3).fill(print("1")))
      assert.strictEqual((yield* get).fingerprint, print("2"))
      assert.strictEqual(cloud.asked, 2)
    }))

  it.effect("that was refused is asked for anew, once", () =>
    Effect.gen(function*() {
      const { cloud, get, tokens } = yield* start()
      yield* get
      yield* TestClock.adjust(hour)
      assert.strictEqual(yield* tokens.ageOf(print("1")), hour)
      assert.isTrue(yield* tokens.drop(print("1")))
      assert.isFalse(yield* tokens.drop(print("1")))
      assert.isUndefined(yield* tokens.ageOf(print("1")))
      assert.strictEqual((yield* get).fingerprint, print("2"))
      // whoever was refused with the first has no word about the second
      assert.isFalse(yield* tokens.drop(print("1")))
      yield* get
      assert.strictEqual(cloud.asked, 2)
    }))

  it.effect("that ends before something long would is replaced for that alone", () =>
    Effect.gen(function*() {
      const tokens = yield* makeCloudTokens
      const { ask, cloud } = startCloud(50 * oneMinute)
      const get = tokens.get("key", ask)
      const getFor30 = tokens.get("key", ask, Duration.minutes(30))
      yield* getFor30
      yield* TestClock.adjust(20 * oneMinute)
      assert.strictEqual((yield* getFor30).fingerprint, print("1"))
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* get).fingerprint, print("1"))
      assert.strictEqual((yield* getFor30).fingerprint, print("2"))
      // and is everybody's from then on
      assert.strictEqual((yield* get).fingerprint, print("2"))
      assert.strictEqual(cloud.asked, 2)
    }))

  it.effect("is asked for once a minute where clouds have none that lasts so long", () =>
    Effect.gen(function*() {
      const tokens = yield* makeCloudTokens
      const { ask, cloud } = startCloud(10 * oneMinute)
      for (let second = 0; second < 180; second++) {
        yield* tokens.get("key", ask, Duration.minutes(30))
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual(cloud.asked, 3)
    }))

  it.effect("is used for something long all the same where the cloud is down", () =>
    Effect.gen(function*() {
      const tokens = yield* makeCloudTokens
      const { ask, cloud } = startCloud(50 * oneMinute)
      yield* tokens.get("key", ask)
      cloud.down = true
      yield* TestClock.adjust(21 * oneMinute)
      const got = yield* tokens.get("key", ask, Duration.minutes(30))
      assert.strictEqual(got.fingerprint, print("1"))
      yield* tokens.get("key", ask, Duration.minutes(30))
      assert.strictEqual(cloud.asked, 2)
    }))

  it.effect("is another for another key", () =>
    Effect.gen(function*() {
      const { get, tokens } = yield* start()
      const other = startCloud(hour)
      yield* get
      yield* tokens.get("another key", other.ask)
      assert.strictEqual(other.cloud.asked, 1)
    }))
})

describe("a token service that is down", () => {
  it.effect("takes no token away before its end, and is asked no more than twice a minute", () =>
    Effect.gen(function*() {
      const { cloud, get } = yield* start()
      yield* get
      cloud.down = true
      yield* TestClock.adjust(6 * hour)
      for (let minute = 0; minute < 60; minute++) {
        for (let request = 0; request < 10; request++) assert.strictEqual((yield* get).fingerprint, print("1"))
        yield* TestClock.adjust("1 minute")
      }
      assert.strictEqual(cloud.asked, 61)
      yield* TestClock.adjust(5 * hour)
      assert.strictEqual((yield* Effect.flip(get)).message, down.message)
    }))

  it.effect("is a failure without a token, and over when it answers", () =>
    Effect.gen(function*() {
      const { cloud, get } = yield* start()
      cloud.down = true
      yield* Effect.flip(get)
      yield* Effect.flip(get)
      assert.strictEqual(cloud.asked, 1)
      cloud.down = false
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* get).fingerprint, print("2"))
    }))

  it.effect("is asked by one of many, who may go away", () =>
    Effect.gen(function*() {
      const tokens = yield* makeCloudTokens
      const { ask, cloud } = startCloud(12 * hour)
      const get = tokens.get("key", Effect.andThen(Effect.sleep("1 second"), ask))
      const first = yield* Effect.forkChild(get, { startImmediately: true })
      const second = yield* Effect.forkChild(get, { startImmediately: true })
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(second)).fingerprint, print("1"))
      assert.strictEqual(cloud.asked, 1)
    }))
})

describe("two days of tokens", () => {
  // the service is away for so many hours from an hour on: never as long as a token has left when it is renewed
  const outage = Schema.Struct({
    from: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 47 })),
    hours: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))
  })

  it.effect.prop(
    "have a good one at every moment, whenever the service was away, and few questions",
    { outages: Schema.Array(outage).check(Schema.isMaxLength(3)) },
    ({ outages }) =>
      Effect.gen(function*() {
        // one outage after another is one that is too long
        const apart = outages.filter((it, index) =>
          outages.every((other, at) =>
            at === index || it.from + it.hours + 7 <= other.from || other.from + other.hours + 7 <= it.from
          )
        )
        const tokens = yield* makeCloudTokens
        const ends = new Map<string, number>()
        let asked = 0
        const ask = Effect.gen(function*() {
          const now = yield* Clock.currentTimeMillis
          asked++
          if (
            apart.some((it) => now >= it.from * hour && now < (it.from + it.hours) * hour && now > 0)
          ) return yield* down
          const credential = basic("AWS", String(asked))
          ends.set(credential.fingerprint, now + 12 * hour)
          return { credential, expiresAt: now + 12 * hour }
        })
        for (let step = 0; step < 48 * 12; step++) {
          const { fingerprint } = yield* tokens.get("key", ask)
          assert.isBelow(yield* Clock.currentTimeMillis, ends.get(fingerprint) ?? 0)
          yield* TestClock.adjust("5 minutes")
        }
        assert.isAtMost(asked, 9 + apart.length * 61)
      })
  )
})
