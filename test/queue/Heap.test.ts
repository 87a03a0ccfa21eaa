import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Heap } from "../../src/queue/Heap.ts"

describe("Heap", () => {
  it.prop("gives its items in order", { numbers: Schema.Array(Schema.Int) }, ({ numbers }) => {
    const heap = new Heap<number>((a, b) => a < b)
    for (const number of numbers) heap.push(number)
    const half = numbers.toSorted((a, b) => a - b)
    assert.deepStrictEqual(numbers.map(() => heap.pop()), half)
    assert.isUndefined(heap.pop())
  })
})
