import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { quoted, registryError } from "../../src/registry/RegistryError.ts"

describe("a registry's text", () => {
  it.prop("is one short line without anything that is not seen", [Schema.String], ([text]) => {
    for (
      const clean of [
        quoted(text),
        registryError({ operation: "", target: "", reason: "Protocol", detail: text }).detail
      ]
    ) {
      assert.isAtMost(clean.length, 1001)
      assert.notMatch(clean, /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u)
      assert.strictEqual(quoted(quoted(text)), quoted(text))
    }
  }, { arbitrary: { runs: 500 } })
})
