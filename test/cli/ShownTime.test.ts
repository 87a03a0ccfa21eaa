import { assert, describe, it } from "@effect/vitest"
import { shownSpan, shownTime } from "../../src/cli/ShownTime.ts"

const now = Date.parse("2026-11-28T12:00:00Z")

describe("a moment", () => {
  it("has its day where that is another", () => {
    assert.strictEqual(shownTime("2026-11-28T11:57:00Z", now), "11:57:00 UTC, 3m ago")
    assert.strictEqual(shownTime("2026-11-29T12:00:00Z", now), "2026-11-29 12:00:00 UTC, in 24h")
    assert.strictEqual(shownTime("2026-11-28T12:00:00.400Z", now), "12:00:00 UTC, now")
  })

  it("is shown as it is where it is none", () => {
    assert.strictEqual(shownTime("soon", now), "soon")
  })
})

describe("a span", () => {
  it("is in the largest unit of which there are two", () => {
    assert.deepStrictEqual([0, 119_000, 120_000, 7_199_000, 7_200_000, 172_800_000].map(shownSpan), [
      "0s",
      "119s",
      "2m",
      "119m",
      "2h",
      "2d"
    ])
  })
})
