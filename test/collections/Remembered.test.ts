import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { remembered, sharedTexts } from "../../src/collections/Remembered.ts"

const counted = (most: number, longest?: number) => {
  const made: Array<string> = []
  const of = remembered(most, (text) => {
    made.push(text)
    return [text]
  }, longest === undefined ? undefined : { longest })
  return { made, of }
}

describe("what is remembered of texts", () => {
  it.prop("is what would be made anew, however many there are", [Schema.Array(Schema.String)], ([texts]) => {
    const { of } = counted(3)
    for (const it of [...texts, "long".repeat(100), ...texts]) assert.deepStrictEqual(of(it), [it])
  })

  it("is made once while it comes", () => {
    const { made, of } = counted(4)
    assert.strictEqual(of("a"), of("a"))
    for (const it of ["b", "a", "c", "a", "d", "a", "e", "a"]) of(it)
    assert.deepStrictEqual(made, ["a", "b", "c", "d", "e"])
  })

  it("is bounded: what does not come is forgotten, and long texts are never kept", () => {
    const { made, of } = counted(4, 3)
    for (const it of ["a", "b", "c", "d", "e", "a", "long", "long"]) of(it)
    assert.deepStrictEqual(made, ["a", "b", "c", "d", "e", "a", "long", "long"])
    assert.deepStrictEqual(["e", "d", "a"].map(of), [["e"], ["d"], ["a"]])
    assert.strictEqual(made.length, 8, "the half that came last is there")
  })

  it.prop("of texts alone is the texts", [Schema.Array(Schema.String)], ([texts]) => {
    const of = sharedTexts(2)
    assert.deepStrictEqual([...texts, ...texts].map(of), [...texts, ...texts])
  })
})
