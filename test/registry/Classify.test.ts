import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { classify } from "../../src/registry/Classify.ts"
import type { RegistryReason } from "../../src/registry/RegistryError.ts"

const answer = (status: number, body = "", headers: Record<string, string> = {}, operation = "GET manifest") =>
  classify({ operation, target: "x.io/a:1", status, headers, body: Buffer.from(body), now: 0 })
const coded = (code: string, message = "") => JSON.stringify({ errors: [{ code, message, detail: { any: 1 } }] })

describe("classify", () => {
  it.each<[string, number, string, RegistryReason, boolean]>([
    ["a log-in that is wanted", 401, coded("UNAUTHORIZED"), "Unauthorized", false],
    ["a refusal", 403, coded("DENIED"), "Denied", false],
    ["GHCR's rate limit in a 403", 403, coded("DENIED", "exceeded a secondary rate limit"), "RateLimited", true],
    ["Quay's quota", 403, coded("DENIED", "Quota has been exceeded on namespace"), "Quota", false],
    ["what is not there", 404, coded("MANIFEST_UNKNOWN"), "NotFound", false],
    ["a rate limit", 429, "Too Many Requests", "RateLimited", true],
    ["children that are missing", 400, coded("MANIFEST_BLOB_UNKNOWN"), "Incomplete", false],
    ["children that are missing, as Distribution 2 says it", 404, coded("MANIFEST_BLOB_UNKNOWN"), "Incomplete", false],
    ["children that are missing, by another name", 400, coded("BLOB_UNKNOWN"), "Incomplete", false],
    ["ECR's immutable tag", 400, coded("TAG_INVALID"), "Immutable", false],
    ["Quay's immutable tag", 409, coded("TAG_IMMUTABLE"), "Immutable", false],
    ["a bad manifest", 400, coded("MANIFEST_INVALID"), "Invalid", false],
    ["a type it does not take", 415, coded("MANIFEST_INVALID"), "Unsupported", false],
    ["a method it has not", 405, coded("UNSUPPORTED"), "NotAllowed", false],
    ["what it cannot parse any more, as Distribution says it", 500, coded("UNKNOWN"), "Unreadable", true],
    ["too much", 413, "<html>nginx</html>", "TooLarge", false],
    ["a proxy's page", 502, "<html>Bad Gateway</html>", "Unavailable", true],
    ["an overload", 503, "", "Unavailable", true],
    ["Cloudflare's own", 522, "", "Unavailable", true],
    ["Cloudflare's for an origin without a name", 530, "<html>", "Unavailable", true],
    ["storage that is full", 507, "", "Unavailable", true],
    ["an overload in Qualys' words", 529, "", "Unavailable", true],
    ["a proxy's time-out", 598, "", "Unavailable", true],
    ["what it has not been made for", 501, "", "NotAllowed", false],
    ["a refusal that nobody knows", 460, "no cookies here", "Invalid", false],
    ["a time-out", 408, "", "Unavailable", true],
    ["a redirect without a place", 302, "", "Protocol", false]
  ])("knows %s", (_, status, body, reason, retryable) => {
    const error = answer(status, body)
    assert.strictEqual(error.reason, reason)
    assert.strictEqual(error.retryable, retryable)
    assert.strictEqual(error.status, status)
    assert.include(error.message, `GET manifest x.io/a:1: HTTP ${status}`)
  })

  it.each<[string, string, number, string, RegistryReason, boolean]>([
    ["an immutable tag in words", "PUT manifest", 400, coded("X", "tag immutability is enabled"), "Immutable", false],
    ["a tag not to be overwritten", "PUT manifest", 403, coded("DENIED", "may not overwrite it"), "Immutable", false],
    [
      "ECR's refusal of a type",
      "PUT manifest",
      405,
      coded("UNSUPPORTED", "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"),
      "Unsupported",
      false
    ],
    [
      "a registry that is read-only",
      "PUT manifest",
      405,
      coded("UNSUPPORTED", "The operation is unsupported."),
      "NotAllowed",
      false
    ],
    ["the same of something else", "PUT blob", 403, coded("DENIED", "may not overwrite it"), "Denied", false],
    ["bytes that changed on the way", "PUT blob", 400, coded("DIGEST_INVALID"), "Corrupt", true],
    ["a size that did", "PUT blob", 400, coded("SIZE_INVALID"), "Corrupt", true],
    ["a digest it does not know", "PUT manifest", 400, coded("DIGEST_INVALID"), "Invalid", false],
    ["an upload that is lost", "PUT blob", 404, coded("BLOB_UPLOAD_UNKNOWN"), "Unavailable", true],
    ["an upload of another replica", "PATCH blob", 404, coded("BLOB_UPLOAD_INVALID"), "Unavailable", true],
    ["an upload that is lost, in GHCR's words", "PUT blob", 404, coded("BLOB_UNKNOWN"), "Unavailable", true],
    ["an upload that is lost, by another name", "PATCH blob", 404, coded("UPLOAD_UNKNOWN"), "Unavailable", true],
    ["an upload that is lost, without a word", "PUT blob", 404, "", "Unavailable", true],
    ["a repository that is gone since", "PUT blob", 404, coded("NAME_UNKNOWN"), "NotFound", false],
    ["a project that is not there", "POST blob", 404, coded("BLOB_UNKNOWN"), "NotFound", false],
    ["an image of which it misses a blob", "PUT manifest", 404, coded("BLOB_UNKNOWN"), "Incomplete", false],
    ["an image of which it misses an upload", "PUT manifest", 404, coded("UPLOAD_UNKNOWN"), "Incomplete", false],
    ["an index of which it misses a child", "PUT manifest", 404, coded("MANIFEST_UNKNOWN"), "Incomplete", false],
    ["a manifest that is not there", "GET manifest", 404, coded("MANIFEST_UNKNOWN"), "NotFound", false],
    ["Harbor's policy at a look", "HEAD manifest", 412, "", "Policy", false],
    ["the same with its words", "GET manifest", 412, coded("PROJECTPOLICYVIOLATION", "current image"), "Policy", false],
    ["a tag that cannot be moved", "PUT manifest", 412, coded("PRECONDITION", "immutable"), "Immutable", false],
    ["a policy in a 403", "GET manifest", 403, coded("DENIED", "blocked by policy: vulnerabilities"), "Policy", false],
    [
      "a right that nobody gave, at a look",
      "GET manifest",
      403,
      coded("DENIED", "User: x is not authorized to perform: ecr:BatchGetImage"),
      "Policy",
      false
    ],
    [
      "a right that nobody gave, at a push",
      "POST blob",
      403,
      coded("DENIED", "User: x is not authorized to perform: ecr:InitiateLayerUpload"),
      "Denied",
      false
    ],
    ["trouble with what is sent", "PUT manifest", 500, coded("UNKNOWN"), "Unavailable", true],
    ["chunks out of order", "PATCH blob", 416, coded("RANGE_INVALID"), "Unavailable", true],
    ["GHCR's limit of chunks", "PATCH blob", 416, coded("X", "body is too large"), "TooLarge", false]
  ])("knows %s by what was attempted", (_, operation, status, body, reason, retryable) => {
    const error = answer(status, body, {}, operation)
    assert.deepStrictEqual([error.reason, error.retryable], [reason, retryable])
  })

  it.each<[string, number, string, Record<string, string>, RegistryReason]>([
    [
      "S3's expired link",
      403,
      "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
      {},
      "Unavailable"
    ],
    ["storage that wants a login", 401, "", {}, "Unavailable"],
    ["a further registry's refusal", 403, coded("DENIED"), {}, "Denied"],
    ["a further registry's 401", 401, coded("UNAUTHORIZED"), {}, "Unauthorized"],
    ["a further registry's challenge to a HEAD", 401, "", { "www-authenticate": "Bearer realm=\"x\"" }, "Unauthorized"],
    ["what is not there", 404, "", {}, "NotFound"]
  ])("knows %s on another host by who says it", (_, status, body, headers, reason) => {
    const error = classify({
      operation: "GET blob",
      target: "x.io/a@b",
      status,
      headers,
      body: Buffer.from(body),
      now: 0,
      elsewhere: true
    })
    assert.deepStrictEqual([error.reason, error.retryable], [reason, reason === "Unavailable"])
  })

  it("reads when to come back from header, text and kind, in this order", () => {
    const seconds = (error: ReturnType<typeof answer>) =>
      error.retryAfter === undefined ? undefined : Duration.toSeconds(error.retryAfter)
    assert.strictEqual(seconds(answer(429, "retry-after: 5s", { "retry-after": "7" })), 7)
    assert.strictEqual(seconds(answer(429, "retry-after: 5s")), 5)
    assert.strictEqual(seconds(answer(429, "You have reached your pull rate limit")), 900)
    assert.strictEqual(seconds(answer(403, "secondary rate limit")), 300)
    assert.strictEqual(seconds(answer(503, "", { "retry-after": "3" })), 3)
    assert.isUndefined(answer(429).retryAfter)
    assert.isUndefined(answer(500).retryAfter)
  })

  it("shows a registry's text as one bounded line without control characters", () => {
    const { detail } = answer(400, coded("X", `a\r\nlevel=info forged\u001b[31m ${"y".repeat(1000)}`))
    for (const control of ["\r", "\n", "\u001b"]) assert.notInclude(detail, control)
    assert.isBelow(detail.length, 320)
    assert.notInclude(answer(502, "<html>secret page</html>").detail, "secret")
    assert.strictEqual(answer(502, "<html>secret page</html>").detail, "HTTP 502: a web page")
    assert.strictEqual(answer(403, "<html><title>Blocked</title>").detail, "HTTP 403: a web page (\"Blocked\")")
    assert.strictEqual(answer(460, "no cookies here").detail, "HTTP 460: no cookies here")
  })
})
