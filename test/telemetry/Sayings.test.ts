import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeSayings } from "../../src/telemetry/Sayings.ts"

describe("what is wrong", () => {
  it.effect("is said once however often it is met, and again after something else or nothing was wrong", () =>
    Effect.gen(function*() {
      const said: Array<string> = []
      const { forget, once } = makeSayings()
      const meet = (text: string) => once(text, Effect.sync(() => void said.push(text)))
      for (const text of ["a", "a", "b", "a"]) yield* meet(text)
      assert.deepStrictEqual(said, ["a", "b", "a"])
      assert.deepStrictEqual([forget(), forget()], [true, false])
      yield* meet("a")
      assert.deepStrictEqual(said, ["a", "b", "a", "a"])
    }))
})
