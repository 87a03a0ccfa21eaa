import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { isAbsent, quoted, registryError, type RegistryReason } from "../../src/registry/RegistryError.ts"

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

describe("what is asked for", () => {
  it.each<[string, RegistryReason, boolean]>([
    ["HEAD manifest", "NotFound", true],
    ["POST blob", "NotFound", true],
    ["GET token", "NotFound", false],
    ["GET manifest", "Denied", false]
  ])("is not there where %s says %s: %s", (operation, reason, expected) => {
    assert.strictEqual(isAbsent(registryError({ operation, target: "x", reason, detail: "" })), expected)
  })
})
