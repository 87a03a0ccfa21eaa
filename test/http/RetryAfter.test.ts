import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { retryAfterOf } from "../../src/http/RetryAfter.ts"

const now = Date.UTC(2026, 0, 1, 12, 0, 0)
const millis = (duration: Duration.Duration | undefined) =>
  duration === undefined ? undefined : Duration.toMillis(duration)

describe("retryAfterOf", () => {
  it.each<[string | undefined, number | undefined]>([
    [undefined, undefined],
    ["30", 30_000],
    ["0", 0],
    ["21600", 21_600_000],
    // a host must not be put to rest for years by one answer, nor the clock's arithmetic broken by it
    ["99999999999", 86_400_000],
    ["9".repeat(400), 86_400_000],
    ["Fri, 01 Jan 2100 12:00:00 GMT", 86_400_000],
    ["Thu, 01 Jan 2026 12:00:45 GMT", 45_000],
    ["Thu, 01 Jan 2026 11:00:00 GMT", 0],
    ["soon", undefined],
    ["-5", undefined]
  ])("reads %j", (header, expected) => {
    assert.strictEqual(millis(retryAfterOf(header, now, Duration.days(1))), expected)
  })

  it("is as long as the server says where no longest is given", () => {
    assert.strictEqual(millis(retryAfterOf("172800", now)), 172_800_000)
    assert.strictEqual(millis(retryAfterOf("Thu, 01 Jan 1970 00:00:05 GMT", 1000)), 4000)
    assert.isUndefined(retryAfterOf("soon", now))
  })
})
