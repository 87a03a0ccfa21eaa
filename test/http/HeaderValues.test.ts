import { assert, describe, it } from "@effect/vitest"
import { firstOf, numberOf } from "../../src/http/HeaderValues.ts"

describe("header values", () => {
  it("are the first of several", () => {
    assert.deepStrictEqual([firstOf("a"), firstOf(["b", "c"]), firstOf([]), firstOf(undefined)], [
      "a",
      "b",
      undefined,
      undefined
    ])
  })

  it("are counts of bytes where they are digits and no more than a number holds", () => {
    assert.strictEqual(numberOf("0"), 0)
    assert.strictEqual(numberOf("999999999999999"), 999_999_999_999_999)
    for (const none of ["", "-1", "1.5", "1e3", " 1", "9".repeat(16), undefined]) assert.isUndefined(numberOf(none))
  })
})
