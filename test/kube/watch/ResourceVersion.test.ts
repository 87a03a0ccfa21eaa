import { assert, describe, it } from "@effect/vitest"
import { isNewer, latest } from "../../../src/kube/watch/ResourceVersion.ts"

describe("resourceVersion", () => {
  it("is ordered as a number of any length", () => {
    assert.isTrue(isNewer("10", "9"))
    assert.isTrue(isNewer("340282366920938463463374607431768211455", "99"))
    assert.isFalse(isNewer("9", "10"))
    assert.isFalse(isNewer("9", "9"))
  })

  it("is only compared where it is a number", () => {
    for (const odd of ["", "0", "01", "abc", "-1"]) {
      assert.isFalse(isNewer(odd, "1"))
      assert.isFalse(isNewer("2", odd))
    }
  })

  it("never goes back, but takes what cannot be compared", () => {
    assert.strictEqual(latest("10", "9"), "10")
    assert.strictEqual(latest("9", "10"), "10")
    assert.strictEqual(latest("abc", "b"), "b")
    assert.strictEqual(latest(undefined, "1"), "1")
  })
})
