import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { microTime } from "../../src/kube/MicroTime.ts"

describe("microTime", () => {
  it.effect.prop(
    "has six digits of a second, and differs from the one before",
    [Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 4e12 }))],
    ([wall]) =>
      Effect.sync(() => {
        const text = microTime(wall)
        assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
        assert.strictEqual(Date.parse(text), Math.floor(wall))
        const next = microTime(wall, text)
        assert.match(next, /\.\d{6}Z$/)
        assert.notStrictEqual(next, text)
        assert.notStrictEqual(microTime(wall, next), next)
      })
  )
})
