import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { readToken } from "../../../src/registry/auth/TokenServer.ts"
import { request } from "./CountingTokenServer.ts"

const answer = (body: string) => ({ status: 200, headers: {}, body: Buffer.from(body), url: request.realm })

describe("a token", () => {
  it.effect.each([
    ["both names, the first empty", "{\"token\":\"\",\"access_token\":\"t\"}"],
    ["both names", "{\"token\":\"t\",\"access_token\":\"u\"}"],
    ["members that are null", "{\"token\":\"t\",\"access_token\":null,\"expires_in\":null}"],
    ["a life as text", "{\"token\":\"t\",\"expires_in\":\"300\"}"]
  ])("is taken where the answer has %s", ([, body]) =>
    Effect.gen(function*() {
      assert.strictEqual(Redacted.value((yield* readToken(request, answer(String(body)))).value), "Bearer t")
    }))

  it.effect("is 32 KiB at most: a longer one fits no header, and would fill our memory", () =>
    Effect.gen(function*() {
      const ofLength = (length: number) => readToken(request, answer(JSON.stringify({ token: "x".repeat(length) })))
      const length = 32 * 1024
      assert.strictEqual(Redacted.value((yield* ofLength(length)).value).length, "Bearer ".length + length)
      const error = yield* Effect.flip(ofLength(length + 1))
      assert.deepStrictEqual([error.reason, error.retryable], ["Protocol", false])
      assert.include(error.message, "auth.test gave a token of 32769 bytes")
    }))

  it.effect.each(["", "[]", "{}", "{\"token\":7}", "{\"token\":\"a b\"}", "<html>"])(
    "that would be no header is none: %j",
    (body) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(readToken(request, answer(body)))
        assert.deepStrictEqual([error.reason, error.detail], ["Protocol", "auth.test answered without a token"])
      })
  )

  it.effect.each([[401, "Unauthorized"], [404, "NotFound"], [503, "Unavailable"]])(
    "that is refused with %s is told with who refuses it, which need not be the registry",
    ([status, reason]) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(readToken(request, { ...answer(""), status: Number(status) }))
        assert.strictEqual(error.reason, reason)
        assert.strictEqual(error.message, `GET token registry.test/a:1: auth.test: HTTP ${status}`)
      })
  )
})
