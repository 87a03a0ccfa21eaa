import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { defaultLimits } from "../../src/registry/Limits.ts"
import { registryError } from "../../src/registry/RegistryError.ts"
import { makeTokens, type TokenRequest } from "../../src/registry/Tokens.ts"
import type { Request, Transport } from "../../src/registry/Transport.ts"

const request: TokenRequest = {
  realm: new URL("https://auth.test/token?fixed=1"),
  service: "registry.test",
  scopes: ["repository:a:pull,push", "repository:b:pull"],
  credential: undefined,
  vouched: false,
  target: "registry.test/a:1"
}

/** A token server that counts, without any socket. */
const server = (answer: (count: number) => { readonly status?: number; readonly body: string }) => {
  const sent: Array<Request> = []
  const send: Transport["send"] = (it) =>
    Effect.delay(
      Effect.suspend(() => {
        sent.push(it)
        const { body, status = 200 } = answer(sent.length)
        return Effect.succeed({ status, headers: {}, body: Buffer.from(body), url: it.url })
      }),
      "100 millis"
    )
  const open: Transport["open"] = () =>
    Effect.fail(registryError({ operation: "", target: "", reason: "Protocol", detail: "not here" }))
  return { sent, transport: { limits: defaultLimits, send, open } }
}

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
      yield* tokens.drop(request)
      assert.strictEqual(value(yield* tokens.get(request)), "Bearer t2")
      // another scope is another token
      assert.strictEqual(value(yield* tokens.get({ ...request, scopes: ["repository:c:pull"] })), "Bearer t3")
      assert.strictEqual(value(yield* tokens.get(request)), "Bearer t2")
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

  it.live("are not told by anything that prints", () =>
    Effect.gen(function*() {
      const { transport } = server(() => ({ body: "{\"token\":\"very-secret\"}" }))
      const token = yield* (yield* makeTokens(transport)).get(request)
      assert.notInclude(`${token} ${JSON.stringify(token)}`, "very-secret")
    }))
})
