import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { makeTokens } from "../../../src/registry/auth/Tokens.ts"
import { request, server } from "./CountingTokenServer.ts"

const value = (token: Redacted.Redacted) => Redacted.value(token)

describe("Tokens", () => {
  it.effect.each([
    ["is silent about its life, which is a minute then", "{\"token\":\"t\"}", 54],
    ["gives it a short life, which is a minute at least", "{\"token\":\"t\",\"expires_in\":5}", 54],
    ["gives it five minutes", "{\"access_token\":\"t\",\"expires_in\":300}", 270]
  ])("are kept nine tenths of their life where the server %s", ([, body, seconds]) =>
    Effect.gen(function*() {
      const { sent, transport } = server(() => ({ body: String(body) }))
      const tokens = yield* makeTokens(transport)
      const get = Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(tokens.get(request), { startImmediately: true })
        yield* TestClock.adjust("100 millis")
        return value(yield* Effect.flatten(Effect.sync(() => fiber.pollUnsafe() ?? Effect.die("pending"))))
      })
      assert.strictEqual(yield* get, "Bearer t")
      yield* TestClock.adjust(`${Number(seconds) - 1} seconds`)
      yield* get
      assert.strictEqual(sent.length, 1)
      yield* TestClock.adjust("1 second")
      yield* get
      assert.strictEqual(sent.length, 2)
    }))

  it.live("are asked for once by many, with what the realm's URL already says, and again after a drop", () =>
    Effect.gen(function*() {
      const { sent, transport } = server((count) => ({ body: `{"token":"t${count}"}` }))
      const tokens = yield* makeTokens(transport)
      const got = yield* Effect.all(Array.from({ length: 20 }, () => tokens.get(request)), { concurrency: "unbounded" })
      assert.deepStrictEqual(new Set(got.map(value)), new Set(["Bearer t1"]))
      assert.strictEqual(
        sent[0]?.url.href,
        "https://auth.test/token?fixed=1&service=registry.test&scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull"
      )
      const refused = Redacted.make("Bearer t1")
      yield* tokens.drop(request, refused)
      assert.strictEqual(value(yield* tokens.get(request)), "Bearer t2")
      // a late answer to the old token does not drop the new one
      yield* tokens.drop(request, refused)
      assert.strictEqual(value(yield* tokens.get(request)), "Bearer t2")
      // another scope is another token
      assert.strictEqual(value(yield* tokens.get({ ...request, scopes: ["repository:c:pull"] })), "Bearer t3")
      assert.strictEqual(value(yield* tokens.get(request)), "Bearer t2")
    }))

  it.effect("that end before something long would are replaced for that, by one request, and stay where none comes", () =>
    Effect.gen(function*() {
      let down = false
      const { sent, transport } = server(
        (count) => down ? { status: 503, body: "" } : { body: `{"token":"t${count}","expires_in":3600}` },
        "0 millis"
      )
      const tokens = yield* makeTokens(transport)
      const long = tokens.get({ ...request, lasting: Duration.minutes(30) })
      assert.strictEqual(value(yield* long), "Bearer t1")
      // a token is used for 54 minutes
      yield* TestClock.adjust("24 minutes")
      assert.strictEqual(value(yield* long), "Bearer t1")
      yield* TestClock.adjust("1 second")
      down = true
      assert.strictEqual(value(yield* long), "Bearer t1")
      assert.strictEqual(value(yield* tokens.get(request)), "Bearer t1")
      down = false
      const all = yield* Effect.all([long, long, long], { concurrency: "unbounded" })
      assert.deepStrictEqual(all.map(value), Array(3).fill("Bearer t3"))
      assert.strictEqual(value(yield* tokens.get(request)), "Bearer t3")
      assert.strictEqual(sent.length, 3)
    }))

  it.effect("of a server that gives none for so long are asked for once a minute", () =>
    Effect.gen(function*() {
      const { sent, transport } = server((count) => ({ body: `{"token":"t${count}","expires_in":300}` }), "0 millis")
      const tokens = yield* makeTokens(transport)
      for (let second = 0; second < 120; second++) {
        yield* tokens.get({ ...request, lasting: Duration.minutes(30) })
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual(sent.length, 2)
    }))

  it.live("that are refused are refused to all who wait, and asked for again by the next", () =>
    Effect.gen(function*() {
      const { sent, transport } = server((count) =>
        count === 1 ? { status: 401, body: "" } : { body: "{\"token\":\"t\"}" }
      )
      const tokens = yield* makeTokens(transport)
      const errors = yield* Effect.all(Array.from({ length: 5 }, () => Effect.flip(tokens.get(request))), {
        concurrency: "unbounded"
      })
      assert.isTrue(errors.every((it) => it.reason === "Unauthorized"))
      assert.strictEqual(sent.length, 1)
      assert.strictEqual(value(yield* tokens.get(request)), "Bearer t")
    }))

  it.effect("are of one registry, even where two name the same realm", () =>
    Effect.gen(function*() {
      const { transport } = server((count) => ({ body: `{"token":"t${count}"}` }), "0 millis")
      const tokens = yield* makeTokens(transport)
      assert.strictEqual(value(yield* tokens.get(request)), "Bearer t1")
      assert.strictEqual(value(yield* tokens.get({ ...request, registry: "https://other.test" })), "Bearer t2")
    }))

  it.effect("are kept for so many repositories as fit: the one that was not used longest is asked for again", () =>
    Effect.gen(function*() {
      const { sent, transport } = server((count) => ({ body: `{"token":"t${count}"}` }), 0)
      const tokens = yield* makeTokens(transport)
      const get = (at: number) => tokens.get({ ...request, scopes: [`repository:${at}:pull`] })
      for (let at = 0; at <= 1024; at++) yield* get(at)
      yield* get(1024)
      assert.strictEqual(sent.length, 1025)
      assert.strictEqual(value(yield* get(0)), "Bearer t1026")
    }))

  it.live("are not told by anything that prints", () =>
    Effect.gen(function*() {
      const { transport } = server(() => ({ body: "{\"token\":\"very-secret\"}" }))
      const token = yield* (yield* makeTokens(transport)).get(request)
      assert.notInclude(`${token} ${JSON.stringify(token)}`, "very-secret")
    }))
})
