import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Latch, Option } from "effect"
import { TestClock } from "effect/testing"
import { digestOf } from "../../../src/image/Digest.ts"
import { registryError } from "../../../src/registry/RegistryError.ts"
import { makeSecondLook } from "../../../src/registry/api/SecondLook.ts"

const repository = { registry: "cache.test", repository: "app" }
const head = Option.some({ digest: digestOf(Buffer.from("x")), mediaType: "", metered: true })
const believed = Effect.succeed("believed" as const)

/** A GET that waits for its answer, and is counted. */
const counted = (answer = Latch.makeUnsafe(true)) => {
  const count = { gets: 0 }
  const get = Effect.suspend(() => {
    count.gets++
    return Effect.as(answer.await, head)
  })
  return { count, get }
}

describe("a second look", () => {
  it.effect("is made once an hour for an image, and its answer holds as long", () =>
    Effect.gen(function*() {
      const { after } = makeSecondLook()
      const { count, get } = counted()
      const ask = (reference: string, mayGet = true) => after({ repository, reference, mayGet }, get, believed)
      assert.strictEqual(yield* ask("1"), head)
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual(yield* ask("1", false), head)
      assert.strictEqual(count.gets, 1)
      assert.strictEqual(yield* ask("2"), head)
      assert.strictEqual(count.gets, 2)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* ask("1", false), "believed")
      assert.strictEqual(yield* ask("1"), head)
      assert.strictEqual(count.gets, 3)
    }))

  it.effect("is shared by all who ask while it is made", () =>
    Effect.gen(function*() {
      const { after } = makeSecondLook()
      const answer = Latch.makeUnsafe(false)
      const { count, get } = counted(answer)
      const ask = after({ repository, reference: "1", mayGet: true }, get, believed)
      const all = yield* Effect.forkChild(Effect.all([ask, ask, ask], { concurrency: 3 }))
      yield* TestClock.adjust("1 second")
      yield* answer.open
      assert.deepStrictEqual(yield* Fiber.join(all), [head, head, head])
      assert.strictEqual(count.gets, 1)
    }))

  it.effect("that was interrupted is made by whoever waited for it", () =>
    Effect.gen(function*() {
      const { after } = makeSecondLook()
      const answer = Latch.makeUnsafe(false)
      const { count, get } = counted(answer)
      const ask = after({ repository, reference: "1", mayGet: true }, get, believed)
      const first = yield* Effect.forkChild(ask)
      yield* TestClock.adjust("1 second")
      const second = yield* Effect.forkChild(ask)
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(first)
      yield* answer.open
      assert.strictEqual(yield* Fiber.join(second), head)
      assert.strictEqual(count.gets, 2)
    }))

  it.effect("that failed is told for the hour, but how long to wait only to whoever made it", () =>
    Effect.gen(function*() {
      const { after } = makeSecondLook()
      let gets = 0
      const limited = Effect.suspend(() => {
        gets++
        const detail = "HTTP 429"
        const retryAfter = Duration.seconds(100)
        return Effect.fail(
          registryError({ operation: "GET manifest", target: "x", reason: "RateLimited", detail, retryAfter })
        )
      })
      const ask = Effect.flip(after({ repository, reference: "1", mayGet: true }, limited, believed))
      assert.deepStrictEqual((yield* ask).retryAfter, Duration.seconds(100))
      yield* TestClock.adjust("50 minutes")
      assert.isUndefined((yield* ask).retryAfter)
      assert.strictEqual(gets, 1)
      yield* TestClock.adjust("10 minutes")
      yield* ask
      assert.strictEqual(gets, 2)
    }))

  it.effect("is none at a registry that answers to HEADs", () =>
    Effect.gen(function*() {
      const { after, answersHeads } = makeSecondLook()
      const { count, get } = counted()
      yield* answersHeads(repository.registry)
      assert.strictEqual(yield* after({ repository, reference: "1", mayGet: true }, get, believed), "believed")
      assert.strictEqual(count.gets, 0)
    }))
})
