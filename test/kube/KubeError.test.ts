import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { fromEvent, fromStatus, fromTransport, isReason, isTooLargeResourceVersion } from "../../src/kube/KubeError.ts"
import { failure } from "./FakeApi.ts"

const answer = (status: number, body: unknown, mutation = true, retryAfter?: Duration.Duration) =>
  fromStatus({ operation: "PATCH /x", mutation, status, body, retryAfter })

const invalid = (causes: ReadonlyArray<unknown>) =>
  failure(422, "Invalid", "the server rejected our request", { causes })

describe("KubeError", () => {
  it.each([
    [400, "the object is bad", "BadRequest"],
    [400, "admission webhook \"a.example\" denied the request: no", "Denied"],
    [403, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", "Denied"],
    [401, "Unauthorized", "Unauthorized"],
    [403, "pods is forbidden", "Forbidden"],
    [404, "not found", "NotFound"],
    [405, "not allowed", "BadRequest"],
    [409, "the object has been modified", "Conflict"],
    [410, "too old resource version", "Expired"],
    [413, "too large", "BadRequest"],
    [415, "unsupported", "UnsupportedMediaType"],
    [422, "invalid", "Invalid"],
    [429, "too many requests", "TooManyRequests"],
    [500, "internal error", "Unavailable"],
    [502, "bad gateway", "Unavailable"],
    [503, "unavailable", "Unavailable"],
    [504, "timeout", "Timeout"],
    [301, "moved", "Protocol"]
  ])("takes %i %s for %s", (status, message, reason) => {
    assert.strictEqual(answer(status, failure(status, "", message)).reason, reason)
  })

  it("tells a lost precondition from an invalid object by the causes", () => {
    assert.deepStrictEqual(answer(422, invalid([])).causes, [])
    assert.deepStrictEqual(
      answer(422, invalid([{ reason: "FieldValueInvalid", message: "must be lower case", field: "spec.name" }, "odd"]))
        .causes,
      [{ reason: "FieldValueInvalid", message: "must be lower case", field: "spec.name" }]
    )
  })

  it("takes the wait from the header, else from the status", () => {
    const slow = failure(429, "TooManyRequests", "", { retryAfterSeconds: 7 })
    assert.deepStrictEqual(answer(429, slow).retryAfter, Duration.seconds(7))
    assert.deepStrictEqual(answer(429, slow, false, Duration.seconds(2)).retryAfter, Duration.seconds(2))
  })

  it("knows which changes may have been made", () => {
    assert.isTrue(answer(500, failure(500, "InternalError", "etcdserver: request timed out")).outcomeUnknown)
    assert.isTrue(answer(504, "gateway timeout").outcomeUnknown)
    assert.isFalse(answer(500, failure(500, "InternalError", "failed calling webhook \"x\": timeout")).outcomeUnknown)
    assert.isFalse(answer(503, "", true, Duration.seconds(1)).outcomeUnknown)
    assert.isFalse(answer(500, "", false).outcomeUnknown)
    assert.isFalse(answer(409, "").outcomeUnknown)
  })

  it("knows what can succeed later by itself", () => {
    assert.deepStrictEqual(
      [401, 403, 404, 409, 410, 422, 429, 500, 503, 504].filter((status) => answer(status, "").retryable),
      [429, 500, 503, 504]
    )
  })

  it("tells a connection that never was from one that broke", () => {
    const code = (it: string) => fromTransport("PATCH /x", true, Object.assign(new Error("failed"), { code: it }))
    assert.deepStrictEqual(
      [
        "ECONNREFUSED",
        "ECONNRESET",
        "UND_ERR_HEADERS_TIMEOUT",
        "DEPTH_ZERO_SELF_SIGNED_CERT",
        "UND_ERR_CONNECT_TIMEOUT"
      ]
        .map((it) => [it, code(it).reason, code(it).retryable, code(it).outcomeUnknown]),
      [
        ["ECONNREFUSED", "Unreachable", true, false],
        ["ECONNRESET", "Unreachable", true, true],
        ["UND_ERR_HEADERS_TIMEOUT", "Timeout", true, true],
        ["DEPTH_ZERO_SELF_SIGNED_CERT", "Unreachable", false, false],
        ["UND_ERR_CONNECT_TIMEOUT", "Unreachable", true, false]
      ]
    )
  })

  it("is told by its reasons from other errors of ours, and from everybody else's", () => {
    const gone = answer(410, failure(410, "Expired", "too old"))
    assert.isTrue(isReason("NotFound", "Expired")(gone))
    assert.isFalse(isReason("NotFound")(gone))
    assert.isFalse(isReason("Expired")({ _tag: "Other", reason: "Expired" }))
  })

  it("knows a version that the server has not reached, by its cause or its text", () => {
    const cause = failure(504, "Timeout", "x", { causes: [{ reason: "ResourceVersionTooLarge" }] })
    assert.isTrue(isTooLargeResourceVersion(fromEvent("GET /x", cause)))
    assert.isTrue(isTooLargeResourceVersion(answer(504, failure(504, "Timeout", "Too large resource version: 9"))))
    assert.isFalse(isTooLargeResourceVersion(answer(504, failure(504, "Timeout", "x"))))
  })

  it("says what happened, to what, and what to do, and never a whole page", () => {
    assert.strictEqual(
      answer(403, failure(403, "Forbidden", "pods is forbidden")).message,
      "PATCH /x: 403 pods is forbidden; the right is missing: grant it in the ClusterRole"
    )
    assert.isBelow(answer(502, "<html>".repeat(10_000)).message.length, 3000)
    for (const odd of [null, undefined, 1, [], { details: 1 }, { message: 1, details: { causes: {} } }]) {
      assert.strictEqual(answer(500, odd).detail, "Unavailable")
    }
  })
})
