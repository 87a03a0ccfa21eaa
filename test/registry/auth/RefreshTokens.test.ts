import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { basic, identityToken } from "../../../src/registry/auth/DockerConfig.ts"
import type { Identity } from "../../../src/registry/auth/Identities.ts"
import { makeTokens } from "../../../src/registry/auth/Tokens.ts"
import type { TokenRequest } from "../../../src/registry/auth/TokenServer.ts"
import type { Request } from "../../../src/registry/transport/Transport.ts"
import { request, server } from "./CountingTokenServer.ts"

const value = (token: Redacted.Redacted) => Redacted.value(token)

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
