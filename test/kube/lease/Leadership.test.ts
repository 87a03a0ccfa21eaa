import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Leadership } from "../../../src/kube/lease/Leadership.ts"

describe("a process that is alone", () => {
  it.effect("leads always", () =>
    Effect.gen(function*() {
      const { changes, mayWrite } = yield* Leadership
      yield* TestClock.adjust("1 day")
      assert.isTrue(yield* mayWrite)
      assert.deepStrictEqual(yield* Stream.runCollect(changes), [true])
    }))
})
