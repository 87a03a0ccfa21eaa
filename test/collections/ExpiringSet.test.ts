import { assert, describe, it } from "@effect/vitest"
import { makeExpiringSet } from "../../src/collections/ExpiringSet.ts"

describe("ExpiringSet", () => {
  it("holds a key for its time, which begins anew whenever it is added", () => {
    const set = makeExpiringSet(4, 10n)
    assert.isFalse(set.has("a", 1n))
    assert.isTrue(set.add("a", 1n))
    assert.isTrue(set.has("a", 10n))
    assert.isFalse(set.has("a", 11n))
    assert.isTrue(set.add("a", 11n))
    assert.isFalse(set.add("a", 20n))
    assert.isTrue(set.has("a", 29n))
    assert.isFalse(set.has("a", 30n))
  })

  it("forgets the oldest beyond its capacity", () => {
    const set = makeExpiringSet(2, 10n)
    for (const key of ["a", "b", "c"]) set.add(key, 1n)
    assert.deepStrictEqual(["a", "b", "c"].map((key) => set.has(key, 2n)), [false, true, true])
  })
})
