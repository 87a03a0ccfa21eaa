// What answers of clouds come to: tokens with their ends, and the words of refusals.
import { assert, describe, it } from "@effect/vitest"
import { Redacted, Schema } from "effect"
import { isPassing, metadataWordsOf, tokenIn, wordsOf } from "../../../src/registry/oauth/CloudAnswer.ts"
import { jwt } from "./CloudStub.ts"

const answer = (body: unknown, status = 200) => ({
  status,
  headers: {},
  body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body))
})

describe("a token", () => {
  it.each<[string, unknown, number]>([
    ["what it says", { a: "t", expires_in: 10 }, 11_000],
    ["what it says as a text", { a: "t", expires_in: "10" }, 11_000],
    ["its own end", { a: jwt({ exp: 7 }) }, 7000],
    ["the usual time", { a: "t" }, 6000],
    ["the usual time, for all that it says", { a: "t", expires_in: "soon" }, 6000],
    ["the usual time, for all that it has", { a: jwt({ exp: "soon" }) }, 6000]
  ])("ends after %s", (_, body, end) => {
    assert.strictEqual(tokenIn(answer(body), "a", 1000, 5000)?.expiresAt, end)
  })

  it.prop("is there or is not, whatever comes", [Schema.String, Schema.Int], ([body, status]) => {
    assert.isUndefined(tokenIn(answer(body, status === 200 ? 201 : status), "a", 0, 0))
    assert.isUndefined(tokenIn(answer(`${body} `), "a", 0, 0))
    assert.isString(wordsOf(answer(body, status)))
  })

  it.prop("is taken as it is, if it can stand in a header", [Schema.String], ([text]) => {
    const given = tokenIn(answer({ a: text }), "a", 0, 0)
    if (/^[\x21-\x7e]+$/.test(text)) assert.strictEqual(Redacted.value(given?.token ?? Redacted.make("")), text)
    else assert.isUndefined(given)
  })
})

describe("a refusal", () => {
  it.each<[unknown, string]>([
    [{ error: "invalid_client", error_description: "AADSTS1: no" }, "status 400: invalid_client: AADSTS1: no"],
    [{ errors: [{ code: "DENIED", message: "no" }, null, "x", {}] }, "status 400: DENIED: no"],
    ["not found\n", "status 400: not found"],
    ["", "status 400"],
    [{}, "status 400"],
    [{ error: { code: 1 } }, "status 400"],
    [[], "status 400: []"]
  ])("%j is told as %s", (body, said) => {
    assert.strictEqual(wordsOf(answer(body, 400)), said)
  })

  it("does not repeat what was asked with", () => {
    assert.strictEqual(wordsOf(answer("no: secret", 403), [Redacted.make("secret")]), "status 403: no: …")
  })

  it("of something else at a metadata service's address is told as that", () => {
    const google = { ...answer("not allowed", 403), headers: { "metadata-flavor": "Google" } }
    assert.strictEqual(metadataWordsOf(google), "status 403: not allowed")
    assert.strictEqual(metadataWordsOf(answer({ error: "invalid_request" }, 400)), "status 400: invalid_request")
    assert.match(metadataWordsOf(answer("<html>", 404)), /^the metadata service does not answer: .*status 404: <html>/)
  })

  it("passes if it is about time or load", () => {
    assert.deepStrictEqual([400, 401, 403, 404, 408, 410, 429, 500, 503].filter((it) => isPassing(answer("", it))), [
      408,
      410,
      429,
      500,
      503
    ])
  })
})
