import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Screen from "../../../sandbox/demo/Screen.ts"

const registries = { source: "127.0.0.1:5000", backup: "127.0.0.1:5001/backup" }

describe("the demo's screen", () => {
  it("names registries by their part", () => {
    const short = Screen.short(registries)
    assert.strictEqual(
      short("127.0.0.1:5000/acme/api:2.1 → 127.0.0.1:5001/backup/127.0.0.1_5000/acme/api:2.1"),
      "PUBLIC/acme/api:2.1 → BACKUP/acme/api:2.1"
    )
  })

  it("shortens digests", () => {
    assert.strictEqual(Screen.short(registries)(`a@sha256:${"0123456789abcdef".repeat(4)}`), "a@01234567…")
    assert.strictEqual(Screen.short(registries)(`sha256:${"0123456789abcdef".repeat(4)}`), "sha256:01234567…")
  })

  it("leaves a line that fits", () => {
    assert.strictEqual(Screen.fold("a  table   stays"), "a  table   stays")
  })

  it("folds at words, indented below the first line", () => {
    assert.strictEqual(Screen.fold("  one two three", 10), "  one two\n    three")
  })

  it("keeps a word that is longer than a line", () => {
    assert.strictEqual(Screen.fold("see http://a.long.address", 10), "see\n  http://a.long.address")
  })

  it.effect.prop(
    "loses no word, and exceeds the width by a single word at most",
    [Schema.Array(Schema.String), Schema.Int],
    ([texts, size]) =>
      Effect.sync(() => {
        const words = texts.map((it) => it.replaceAll(/\s+/g, "")).filter((it) => it !== "")
        const width = 12 + Math.abs(size) % 68
        const folded = Screen.fold(words.join(" "), width)
        assert.deepStrictEqual(folded.split(/[ \n]+/).filter((it) => it !== ""), words)
        for (const line of folded.split("\n")) {
          assert.isTrue(line.length <= width || !line.trim().includes(" "), line)
        }
      })
  )
})
