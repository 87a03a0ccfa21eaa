import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import { defaultLimits } from "../../src/registry/Limits.ts"
import { registryError } from "../../src/registry/RegistryError.ts"
import { lookingAgain } from "../../src/registry/Retry.ts"

/** A look that sees what was stored so late, and how often it was made. */
const shownAfter = (delay: Duration.Duration | undefined) => {
  const looks = { count: 0 }
  const look = Effect.map(Clock.currentTimeMillis, (now) => {
    looks.count++
    return delay !== undefined && now >= Duration.toMillis(delay) ? Option.some("there") : Option.none<string>()
  })
  return { looks, look }
}

const looked = (delay: Duration.Duration | undefined) =>
  Effect.gen(function*() {
    const { look, looks } = shownAfter(delay)
    const fiber = yield* Effect.forkChild(lookingAgain(defaultLimits)(look, Option.isSome))
    yield* TestClock.adjust("1 minute")
    return [Option.isSome(yield* Fiber.join(fiber)), looks.count] as const
  })

describe("a look at what was stored a moment ago", () => {
  it.effect("is one where it is there", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* looked(Duration.zero), [true, 1])
    }))

  it.effect("is made again where it is shown seconds late", () =>
    Effect.gen(function*() {
      const [there, count] = yield* looked(Duration.seconds(3))
      assert.isTrue(there)
      assert.isAtMost(count, defaultLimits.attempts)
    }))

  it.effect("comes to an end where it is never shown", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* looked(undefined), [false, defaultLimits.attempts])
    }))

  it.effect("fails as the look does, at once", () =>
    Effect.gen(function*() {
      const error = registryError({ operation: "HEAD manifest", target: "x", reason: "Denied", detail: "no" })
      let count = 0
      const look = Effect.suspend(() => {
        count++
        return Effect.fail(error)
      })
      assert.strictEqual(yield* Effect.flip(lookingAgain(defaultLimits)(look, () => false)), error)
      assert.strictEqual(count, 1)
    }))
})
