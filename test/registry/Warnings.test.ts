import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, References, Schema } from "effect"
import { quoted, registryError } from "../../src/registry/RegistryError.ts"
import { makeWarnings, warningsOf } from "../../src/registry/Warnings.ts"

describe("a Warning header", () => {
  it("is read as the specification writes it", () => {
    assert.deepStrictEqual(warningsOf("299 - \"this repository is deprecated\""), ["this repository is deprecated"])
    assert.deepStrictEqual(warningsOf(["299 - \"a \\\"b\\\" c\"", "299 - \"d\", 299 - \"e\""]), ["a \"b\" c", "d", "e"])
    assert.deepStrictEqual(warningsOf("199 agent \"x\""), [])
    assert.deepStrictEqual(warningsOf("299 - unquoted"), [])
    assert.deepStrictEqual(warningsOf(`299 - "${"x".repeat(5000)}"`).map((it) => it.length), [301])
  })

  it.effect("is said once for a host and text, and a host is listened to ten times", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ fiber, message }) => {
      lines.push(`${String(fiber.getRef(References.CurrentLogAnnotations)["registry"])}: ${String(message)}`)
    })
    return Effect.gen(function*() {
      const warnings = makeWarnings()
      for (let time = 0; time < 3; time++) {
        yield* warnings("a.io", "299 - \"moved\u001b[31m\u202e\"")
        yield* warnings("b.io", "299 - \"moved\"")
      }
      assert.deepStrictEqual(lines, ["a.io: the registry warns: moved [31m", "b.io: the registry warns: moved"])
      for (let number = 0; number < 100; number++) yield* warnings("b.io", `299 - "new ${number}"`)
      assert.strictEqual(lines.length, 11)
    }).pipe(Effect.provide(Logger.layer([logger])))
  })
})

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
