import { assert, describe, it } from "@effect/vitest"
import { type Break, isWorthResuming } from "../../../src/clone/blob/Resumption.ts"

const megabyte = 1024 * 1024
const minute = 60_000_000_000n
const first: Break = { reason: "Unreachable", arrived: 5, at: 0n }

describe("a download that broke off", () => {
  it("is taken up the first time, however little had come, unless it was no matter of the connection", () => {
    assert.isTrue(isWorthResuming(first, undefined))
    assert.isTrue(isWorthResuming({ ...first, reason: "Timeout", arrived: 0 }, undefined))
    assert.isFalse(isWorthResuming({ ...first, reason: "Corrupt" }, undefined))
  })

  it.each<[string, boolean, Partial<Break>]>([
    ["came a megabyte further", true, { arrived: 5 + megabyte }],
    ["came a little less further", false, { arrived: 4 + megabyte }],
    ["came a byte further in a minute", true, { arrived: 6, at: minute }],
    ["came a byte further in less", false, { arrived: 6, at: minute - 1n }],
    ["came no further in an hour", false, { at: 60n * minute }],
    ["came a megabyte further and then stood still", true, { reason: "Timeout", arrived: 5 + megabyte }],
    ["came a byte further in an hour and then stood still", false, { reason: "Timeout", arrived: 6, at: 60n * minute }],
    ["came a megabyte further and was refused then", false, { reason: "Denied", arrived: 5 + megabyte }]
  ])("and %s since: is it? %s", (_, worthIt, then) => {
    assert.strictEqual(isWorthResuming({ ...first, ...then }, first), worthIt)
  })
})
