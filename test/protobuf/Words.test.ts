import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Words } from "../../src/protobuf/Words.ts"

const textOf = (words: Words, bytes: Buffer) =>
  words.text(Buffer.concat([Buffer.from("xx"), bytes]), 2, 2 + bytes.length)

describe("words", () => {
  it.prop(
    "are what their bytes are in UTF-8, whatever came before",
    [Schema.Array(Schema.Union([Schema.String, Schema.Literals(["nginx:1.27", "shop", "é", "aé", "日本", ""])]))],
    ([texts]) => {
      const words = new Words()
      for (const text of [...texts, ...texts]) {
        const bytes = Buffer.from(text)
        assert.strictEqual(textOf(words, bytes), bytes.toString("utf8"))
      }
    }
  )

  it.prop(
    "are read of any bytes, as the API server writes them in JSON",
    [Schema.Array(Schema.Uint8Array)],
    ([all]) => {
      const words = new Words()
      for (const it of [...all, ...all]) {
        const bytes = Buffer.from(it)
        assert.strictEqual(textOf(words, bytes), bytes.toString("utf8"))
      }
    }
  )

  it("are told apart where their ends are the same, and only those", () => {
    const words = new Words()
    const [one, other] = ["registry.example/team/web:1.2.3", "registry.sample/team/web:1.2.3"]
    for (let count = 0; count < 3; count++) {
      for (const text of [one, other]) assert.strictEqual(textOf(words, Buffer.from(text)), text)
    }
  })
})
