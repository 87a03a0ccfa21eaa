import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { makeFramer } from "../../src/http/Lines.ts"

const Text = Schema.Array(Schema.String)
const Cuts = Schema.Array(Schema.Int)

describe("framing", () => {
  it.prop("gives the same lines wherever the bytes are cut", { lines: Text, cuts: Cuts }, ({ cuts, lines }) => {
    const whole = lines.map((it) => `é${it.replaceAll("\n", "").toWellFormed()}`)
    const bytes = Buffer.from(whole.map((it) => `${it}\n`).join(""))
    const at = cuts.map((it) => Math.abs(it) % (bytes.length + 1)).toSorted((a, b) => a - b)
    const framer = makeFramer(1024 * 1024)
    const seen = [...at, bytes.length].flatMap((end, index) =>
      framer.push(bytes.subarray(at[index - 1] ?? 0, end)) ?? []
    )
    assert.deepStrictEqual(seen, whole)
  })

  it("leaves out empty lines and what follows the last newline", () => {
    assert.deepStrictEqual(makeFramer(1024 * 1024).push(Buffer.from("\n\na\n\nb")), ["a"])
  })

  it("gives up on a line that is too long, at once or in pieces", () => {
    assert.isUndefined(makeFramer(4).push(Buffer.from("12345\n")))
    assert.isUndefined(makeFramer(4).push(Buffer.from("12345")))
    const framer = makeFramer(4)
    assert.deepStrictEqual(framer.push(Buffer.from("1\n234")), ["1"])
    assert.deepStrictEqual(framer.push(Buffer.from("5\n6")), ["2345"])
    assert.isUndefined(framer.push(Buffer.from("7890")))
  })
})
