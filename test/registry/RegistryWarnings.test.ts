import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, References } from "effect"
import { makeWarnings } from "../../src/registry/RegistryWarnings.ts"

/** What is logged of the headers of hosts, as `registry: text`. */
const said = Effect.fnUntraced(
  function*(headers: ReadonlyArray<readonly [host: string, header: string | ReadonlyArray<string>]>) {
    const lines: Array<string> = []
    const logger = Logger.make(({ fiber, message }) => {
      lines.push(`${String(fiber.getRef(References.CurrentLogAnnotations)["registry"])}: ${String(message)}`)
    })
    const warnings = makeWarnings()
    yield* Effect.forEach(headers, ([host, header]) => warnings(host, header), { discard: true }).pipe(
      Effect.provide(Logger.layer([logger]))
    )
    return lines
  }
)
const textsOf = (header: string | ReadonlyArray<string>) =>
  Effect.map(said([["a.io", header]]), (lines) => lines.map((it) => it.replace("a.io: the registry warns: ", "")))

describe("a registry's warning", () => {
  it.effect("is one as the specification writes it, and short", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* textsOf("299 - \"this repository is deprecated\""), [
        "this repository is deprecated"
      ])
      const several = ["299 - \"a \\\"b\\\" c\"", "299 - \"d\", 299 - \"e\""]
      assert.deepStrictEqual(yield* textsOf(several), ["a \"b\" c", "d", "e"])
      for (const none of ["199 agent \"x\"", "199 - \"x\"", "299 agent \"x\"", "299 - unquoted", "299 - \"\""]) {
        assert.deepStrictEqual(yield* textsOf(none), [])
      }
      const long = yield* textsOf(`299 - "${"x".repeat(5000)}"`)
      assert.deepStrictEqual(long.map((it) => it.length), [301])
    }))

  it.effect("is said once for a host and text, and a host is listened to ten times", () =>
    Effect.gen(function*() {
      const moved = [["a.io", "299 - \"moved\u001b[31m\u202e\""], ["b.io", "299 - \"moved\""]] as const
      const many = Array.from({ length: 100 }, (_, number) => ["b.io", `299 - "new ${number}"`] as const)
      const lines = yield* said([...moved, ...moved, ...moved, ...many])
      assert.deepStrictEqual(lines.slice(0, 2), [
        "a.io: the registry warns: moved [31m",
        "b.io: the registry warns: moved"
      ])
      assert.strictEqual(lines.length, 11)
    }))
})
