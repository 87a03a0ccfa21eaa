import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { makeNovelty, warningsOf } from "../../src/http/Warnings.ts"

const textsOf = (header: string | ReadonlyArray<string> | undefined) => warningsOf(header).map((it) => it.text)

describe("a Warning header", () => {
  it("is read with who warns, however often it comes", () => {
    assert.deepStrictEqual(warningsOf("299 - \"v1 is deprecated\", 199 agent \"a \\\"b\\\"\""), [
      { code: "299", agent: "-", text: "v1 is deprecated" },
      { code: "199", agent: "agent", text: "a \"b\"" }
    ])
    assert.deepStrictEqual(textsOf(["299 - \"a\"", "299 - \"b\", 299 - \"c\""]), ["a", "b", "c"])
    for (const none of ["299 - unquoted", "nonsense", "", undefined]) assert.deepStrictEqual(textsOf(none), [])
  })

  it.prop("gives back any text that was put into it", [Schema.Array(Schema.String)], ([texts]) => {
    const header = texts.map((it) => `299 - "${it.replaceAll(/[\\"]/g, "\\$&")}"`)
    assert.deepStrictEqual(textsOf(header), texts)
  }, { arbitrary: { runs: 300 } })
})

describe("novelty", () => {
  it("is a text's once, and beyond the most what the caller says", () => {
    for (const [beyond, expected] of [["new", true], ["known", false]] as const) {
      const isNew = makeNovelty(2, beyond)
      assert.deepStrictEqual(["a", "a", "b", "a"].map(isNew), [true, false, true, false])
      assert.deepStrictEqual(["c", "c", "a"].map(isNew), [expected, expected, false])
    }
  })
})
