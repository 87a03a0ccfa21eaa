import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { fromStatus, fromTransport } from "../../../src/kube/KubeError.ts"
import { backoff, decide, type Phase, slow } from "../../../src/kube/watch/AfterError.ts"
import { failure } from "../FakeApi.ts"

const status = (code: number, details: object = {}) =>
  fromStatus({
    operation: "GET /x",
    mutation: false,
    status: code,
    body: failure(code, "", "", details),
    retryAfter: undefined
  })
const transport = (code: string) => fromTransport("GET /x", false, Object.assign(new Error("no"), { code }))

const of = (phase: Phase, error: ReturnType<typeof status>, from = "", trouble = 0) => {
  const { byPages, ended, next, wait } = decide(phase, error, from, trouble)
  return [ended, next, wait, ...(byPages === true ? ["by pages"] : [])].join(", ")
}

describe("after a watch has ended", () => {
  it("everything is read again when its version has expired, first not older than it was", () => {
    assert.strictEqual(of("follow", status(410)), "expired, last, none")
    assert.strictEqual(of("stream", status(410), "7"), "expired, now, none")
    assert.strictEqual(of("pages", status(410), ""), "expired, now, backoff")
  })

  it("a version that the server does not know leads to a list as of now", () => {
    const tooLarge = status(504, { causes: [{ reason: "ResourceVersionTooLarge" }] })
    assert.strictEqual(of("follow", tooLarge, "7"), "unavailable, now, none")
    assert.strictEqual(of("stream", tooLarge, ""), "unavailable, now, backoff")
  })

  it("an overloaded or absent server is not asked for a list", () => {
    assert.strictEqual(of("follow", status(429)), "throttled, keep, backoff")
    assert.strictEqual(of("follow", status(503)), "unavailable, keep, backoff")
    assert.strictEqual(of("follow", status(504)), "unavailable, keep, backoff")
    assert.strictEqual(of("follow", transport("ECONNREFUSED")), "unavailable, keep, backoff")
    assert.strictEqual(of("follow", status(401)), "unavailable, keep, backoff")
  })

  it("a server that fails at one place for a minute is asked for a list", () => {
    assert.strictEqual(of("follow", status(500), "", 60_000), "unavailable, keep, backoff")
    assert.strictEqual(of("follow", status(500), "", 60_001), "unavailable, last, backoff")
    assert.strictEqual(of("follow", status(503), "", 60_001), "unavailable, keep, backoff")
  })

  it("a kind that is absent or forbidden is asked for now and then", () => {
    assert.strictEqual(of("stream", status(403)), "refused, keep, slow")
    assert.strictEqual(of("follow", status(404)), "refused, keep, slow")
  })

  it("a server that does not stream its list is asked for pages", () => {
    for (const code of [400, 406, 415, 422]) {
      assert.strictEqual(of("stream", status(code)), "refused, keep, none, by pages")
      assert.strictEqual(of("follow", status(code)), "protocol, last, backoff")
    }
    assert.strictEqual(of("stream", transport("UND_ERR_BODY_TIMEOUT")), "silent, keep, none, by pages")
  })

  it("a silent connection is replaced at once", () => {
    assert.strictEqual(of("follow", transport("UND_ERR_BODY_TIMEOUT")), "silent, keep, none")
    assert.strictEqual(of("follow", transport("UND_ERR_HEADERS_TIMEOUT")), "unavailable, keep, backoff")
  })

  it("the waits double from 0.8 s to 30 s, with jitter of as much again", () => {
    const waits = [0, 1, 2, 3, 4, 5, 6, 1000].map((failures) => Duration.toMillis(backoff(failures, 0)))
    assert.deepStrictEqual(waits, [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000])
    assert.strictEqual(Duration.toMillis(backoff(0, 0.5)), 1200)
    assert.deepStrictEqual([0, 0.5].map((it) => Duration.toMillis(slow(it))), [24_000, 30_000])
  })
})
