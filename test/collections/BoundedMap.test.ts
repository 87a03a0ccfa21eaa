import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { makeBoundedMap } from "../../src/collections/BoundedMap.ts"

describe("BoundedMap", () => {
  it.prop("holds the latest entries, never more than its capacity", [
    Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))),
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 8 }))
  ], ([keys, capacity]) => {
    const map = makeBoundedMap<number, number>(capacity)
    keys.forEach((key, at) => map.set(key, at))
    const latest = [...new Set(keys.toReversed())].slice(0, capacity)
    assert.strictEqual(map.size(), latest.length)
    for (const key of latest) assert.strictEqual(map.get(key), keys.lastIndexOf(key))
  }, { arbitrary: { runs: 300 } })
})
