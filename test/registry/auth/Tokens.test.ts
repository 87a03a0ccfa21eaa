import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { anonymous, type Identity } from "../../../src/registry/auth/Identities.ts"
import { basic, identityToken } from "../../../src/registry/auth/DockerConfig.ts"
import { defaultLimits } from "../../../src/registry/Limits.ts"
import { registryError } from "../../../src/registry/RegistryError.ts"
import { makeTokens, type TokenRequest } from "../../../src/registry/auth/Tokens.ts"
import type { Request, Transport } from "../../../src/registry/transport/Transport.ts"

const request: TokenRequest = {
  registry: "https://registry.test",
  realm: new URL("https://auth.test/token?fixed=1"),
  service: "registry.test",
  scopes: ["repository:a:pull,push", "repository:b:pull"],
  identity: anonymous,
  vouched: false,
  target: "registry.test/a:1"
}

/** A token server that counts, without any socket. */
const server = (
  answer: (count: number, request: Request) => { readonly status?: number; readonly body: string },
  after: Duration.Input = "100 millis"
) => {
  const sent: Array<Request> = []
  const send: Transport["send"] = (it) =>
    Effect.delay(
      Effect.suspend(() => {
        sent.push(it)
        const { body, status = 200 } = answer(sent.length, it)
        return Effect.succeed({ status, headers: {}, body: Buffer.from(body), url: it.url })
      }),
      after
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

  it.effect.each([
    ["both names, the first empty", "{\"token\":\"\",\"access_token\":\"t\"}"],
    ["both names", "{\"token\":\"t\",\"access_token\":\"u\"}"],
    ["members that are null", "{\"token\":\"t\",\"access_token\":null,\"expires_in\":null}"],
    ["a life as text", "{\"token\":\"t\",\"expires_in\":\"300\"}"]
  ])("are taken from an answer with %s", ([, body]) =>
    Effect.gen(function*() {
      const { transport } = server(() => ({ body: String(body) }), "0 millis")
      assert.strictEqual(value(yield* (yield* makeTokens(transport)).get(request)), "Bearer t")
    }))

  it.effect("are of one registry, even where two name the same realm", () =>
    Effect.gen(function*() {
      const { transport } = server((count) => ({ body: `{"token":"t${count}"}` }), "0 millis")
      const tokens = yield* makeTokens(transport)
      assert.strictEqual(value(yield* tokens.get(request)), "Bearer t1")
      assert.strictEqual(value(yield* tokens.get({ ...request, registry: "https://other.test" })), "Bearer t2")
    }))

  it.effect("are taken up to 32 KiB: longer ones fit no header, and would fill our memory", () =>
    Effect.gen(function*() {
      const length = 32 * 1024
      const { transport } = server((count) => ({ body: JSON.stringify({ token: "x".repeat(length + count - 1) }) }), 0)
      const tokens = yield* makeTokens(transport)
      assert.strictEqual(value(yield* tokens.get(request)).length, "Bearer ".length + length)
      const error = yield* Effect.flip(tokens.get({ ...request, scopes: ["repository:b:pull"] }))
      assert.deepStrictEqual([error.reason, error.retryable], ["Protocol", false])
      assert.include(error.message, "auth.test gave a token of 32769 bytes")
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

describe("an identity token", () => {
  const identityOf = (login?: ReturnType<typeof basic>): Identity => {
    const credential = identityToken("configured", login)
    return { name: credential.fingerprint, credential, certificate: false }
  }
  const form = (it: Request | undefined) =>
    new URLSearchParams(it?.body instanceof Uint8Array ? new TextDecoder().decode(it.body) : "")
  const scoped = (of: Identity, scope: string): TokenRequest => ({ ...request, identity: of, scopes: [scope] })

  it.effect("that the server replaces is used in its new form, one request at a time", () =>
    Effect.gen(function*() {
      let valid = "configured"
      const { sent, transport } = server((count, it) => {
        if (form(it).get("refresh_token") !== valid) return { status: 401, body: "" }
        valid = `next${count}`
        return { body: JSON.stringify({ access_token: `t${count}`, refresh_token: valid }) }
      }, "0 millis")
      const tokens = yield* makeTokens(transport)
      const me = identityOf()
      const got = yield* Effect.forEach(["a", "b", "c"], (scope) => tokens.get(scoped(me, scope)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(got.map(value).toSorted(), ["Bearer t1", "Bearer t2", "Bearer t3"])
      assert.deepStrictEqual(sent.map((it) => form(it).get("refresh_token")), ["configured", "next1", "next2"])
      // the file has been mended, and the replacement is worth nothing any more
      valid = "configured"
      assert.strictEqual(value(yield* tokens.get(scoped(me, "d"))), "Bearer t5")
      assert.deepStrictEqual(sent.slice(3).map((it) => form(it).get("refresh_token")), ["next3", "configured"])
    }))

  it.effect("that was replaced by one server is not told to another", () =>
    Effect.gen(function*() {
      const { sent, transport } = server(
        (count) => ({ body: JSON.stringify({ access_token: "t", refresh_token: `next${count}` }) }),
        "0 millis"
      )
      const tokens = yield* makeTokens(transport)
      const me = identityOf()
      yield* tokens.get(scoped(me, "a"))
      yield* tokens.get({ ...scoped(me, "a"), realm: new URL("https://other.test/token") })
      assert.deepStrictEqual(sent.map((it) => form(it).get("refresh_token")), ["configured", "configured"])
    }))

  it.effect.each([[400], [401], [404], [405]])(
    "falls back to its login by GET where the server answers %s",
    ([status]) =>
      Effect.gen(function*() {
        const { sent, transport } = server(
          (_, it) => it.method === "POST" ? { status: status ?? 0, body: "" } : { body: "{\"token\":\"t\"}" },
          "0 millis"
        )
        const tokens = yield* makeTokens(transport)
        assert.strictEqual(value(yield* tokens.get(scoped(identityOf(basic("me", "pw")), "a"))), "Bearer t")
        assert.deepStrictEqual(sent.map((it) => it.method), ["POST", "GET"])
        const header = sent[1]?.authorization
        assert.strictEqual(header === undefined ? "" : Redacted.value(header), "Basic bWU6cHc=")
        const error = yield* Effect.flip(tokens.get(scoped(identityOf(), "a")))
        assert.strictEqual(error.status, status)
        assert.strictEqual(sent.length, 3)
      })
  )

  it.effect("does not fall back where the server has trouble", () =>
    Effect.gen(function*() {
      const { sent, transport } = server(() => ({ status: 503, body: "" }), "0 millis")
      const tokens = yield* makeTokens(transport)
      const error = yield* Effect.flip(tokens.get(scoped(identityOf(basic("me", "pw")), "a")))
      assert.isTrue(error.retryable)
      assert.strictEqual(sent.length, 1)
    }))
})
