import { assert, describe, it } from "@effect/vitest"
import { Duration, Option } from "effect"
import { budgetLeft, isDisguised, isExhausted, retryAfterInText } from "../../src/registry/RateLimitHeaders.ts"

const millis = (duration: Duration.Duration | undefined) =>
  duration === undefined ? undefined : Duration.toMillis(duration)

describe("retryAfterInText", () => {
  it.each<[string, number | undefined]>([
    ["toomanyrequests: retry-after: 10.305464ms, allowed: 2000/minute", 11],
    ["Retry-After: 1m30s", 90_000],
    ["retry-after: 250µs", 1],
    ["retry-after: 999999h", 86_400_000],
    ["please wait", undefined]
  ])("reads %j", (text, expected) => {
    assert.strictEqual(millis(retryAfterInText(text)), expected)
  })
})

describe("rate limits by their text", () => {
  it("knows GHCR's 403 and Docker Hub's used-up budget", () => {
    assert.isTrue(isDisguised("permission_denied: You have exceeded a secondary rate limit. Please wait"))
    assert.isFalse(isDisguised("denied: permission_denied: read_package"))
    assert.isTrue(isExhausted("You have reached your unauthenticated pull rate limit. https://…/increase-rate-limit"))
    assert.isFalse(isExhausted("429 Too Many Requests"))
  })
})

describe("budgetLeft", () => {
  const left = (limit?: string, remaining?: string) =>
    Option.getOrUndefined(
      Option.map(budgetLeft(limit, remaining), (it) => [it.share, Duration.toSeconds(it.window)] as const)
    )
  it("reads the forms of Docker Hub", () => {
    assert.deepStrictEqual(left("100;w=21600", "76;w=21600"), [0.76, 21_600])
    assert.deepStrictEqual(left("100", "10"), [0.1, 3600])
  })
  it("takes the scarcest of several budgets, matched by their window", () => {
    assert.deepStrictEqual(left("5000;w=60, 100;w=21600", "50;w=21600, 100;w=60"), [0.02, 60])
  })
  it("knows nothing where nothing is announced", () => {
    assert.isUndefined(left())
    assert.isUndefined(left("100;w=60"))
    assert.isUndefined(left("x", "y"))
    assert.isUndefined(left("0;w=60", "0;w=60"))
  })
})
