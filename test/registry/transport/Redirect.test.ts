import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { Readable } from "node:stream"
import { redirectOf } from "../../../src/registry/transport/Redirect.ts"
import type { Request } from "../../../src/registry/transport/Transport.ts"

const request: Request = {
  operation: "GET blob",
  target: "a.test/app",
  method: "GET",
  url: new URL("https://a.test/v2/app"),
  identity: "anonymous",
  certificate: false,
  cost: "free",
  agent: "control",
  most: 1024
}

/** Where an answer leads, or why it may not. */
const judged = Effect.fnUntraced(
  function*(status: number, location: string | undefined, of: Partial<Request> = {}, from = request.url) {
    const answer = { status, headers: { location }, body: Buffer.alloc(0), url: from }
    const next = yield* Effect.result(redirectOf({ ...request, ...of }, answer))
    return Result.isSuccess(next) ? next.success?.href : next.failure.reason
  }
)

describe("a redirect", () => {
  it.effect.each<[number, string | undefined, string | undefined]>([
    [302, "https://b.test/x?y=z", "https://b.test/x?y=z"],
    [307, "/elsewhere", "https://a.test/elsewhere"],
    [308, "elsewhere", "https://a.test/v2/elsewhere"],
    // no redirects that could be followed: the answer is what it is
    [302, undefined, undefined],
    [200, "https://b.test/", undefined],
    [304, "https://b.test/", undefined],
    [302, "https://", "Protocol"],
    [302, "http://a.test/", "Refused"],
    [302, "file:///etc/passwd", "Refused"]
  ])("%s to %s leads to %s", ([status, location, expected]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* judged(status, location), expected)
    }))

  it.effect("of what changes something is followed within the origin, where all of it can be sent again", () =>
    Effect.gen(function*() {
      for (const method of ["POST", "PUT", "PATCH", "DELETE"] as const) {
        for (const status of [307, 308]) {
          assert.strictEqual(yield* judged(status, "/x", { method }), "https://a.test/x")
          assert.strictEqual(yield* judged(status, "/x", { method, body: Buffer.from("x") }), "https://a.test/x")
          assert.strictEqual(yield* judged(status, "/x", { method, body: Readable.from(["x"]) }), "Protocol")
          assert.strictEqual(yield* judged(status, "https://b.test/x", { method }), "Protocol")
          assert.strictEqual(yield* judged(status, "https://a.test:444/x", { method }), "Protocol")
          assert.strictEqual(yield* judged(status, "http://a.test/x", { method }), "Protocol")
        }
        for (const status of [301, 302, 303]) assert.strictEqual(yield* judged(status, "/x", { method }), "Protocol")
      }
      assert.strictEqual(yield* judged(307, "/x", { method: "HEAD" }), "https://a.test/x")
    }))

  it.effect.each<[string, Partial<Request>, string, string]>([
    ["another host", {}, "https://b.test/v2/x?sig=secret", "to be named by that host"],
    ["TLS", { url: new URL("http://a.test/v2/app") }, "https://a.test/v2/x?sig=secret", "PLAIN_HTTP_REGISTRIES"],
    ["a body that has gone", { body: Readable.from(["x"]) }, "/v2/x?sig=secret", "sent once only"]
  ])("of a POST that is not followed is named, with why: %s", ([, of, location, says]) =>
    Effect.gen(function*() {
      const posted = { ...request, method: "POST", ...of } as const
      const answer = { status: 307, headers: { location }, body: Buffer.alloc(0), url: posted.url }
      const { message } = yield* Effect.flip(redirectOf(posted, answer))
      for (const text of ["redirects a POST to", "/v2/x", says]) assert.include(message, text)
      assert.notInclude(message, "secret")
    }))

  it.effect("to another origin is the answer itself for who wants to stay", () =>
    Effect.gen(function*() {
      assert.isUndefined(yield* judged(302, "https://b.test/", { ownOrigin: true }))
      assert.strictEqual(yield* judged(302, "/x", { ownOrigin: true }), "https://a.test/x")
    }))

  it.effect("from a host without TLS may stay without, and may lead into it", () =>
    Effect.gen(function*() {
      const plain = new URL("http://plain.test/v2/app")
      assert.strictEqual(yield* judged(302, "/x", { url: plain }, plain), "http://plain.test/x")
      assert.strictEqual(yield* judged(302, "https://b.test/", { url: plain }, plain), "https://b.test/")
    }))

  it.effect("tells no query when it is refused: there are signatures in it", () =>
    Effect.gen(function*() {
      const location = "http://b.test/x?X-Amz-Signature=secret"
      const answer = { status: 302, headers: { location }, body: Buffer.alloc(0), url: request.url }
      const error = yield* Effect.flip(redirectOf(request, answer))
      assert.include(error.message, "http://b.test/x")
      assert.notInclude(error.message, "secret")
    }))
})
