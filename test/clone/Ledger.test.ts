import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { makeLedger } from "../../src/clone/Ledger.ts"
import { digestOf } from "../../src/image/Digest.ts"

const digest = digestOf(Buffer.from("x"))
const whole = { manifests: [], contents: new Set([digest]), blobs: 1, bytes: 2 }

describe("Ledger", () => {
  it("knows where a blob can be mounted from, the latest first and not without end", () => {
    const ledger = makeLedger()
    for (const it of ["a", "b", "c", "a", "d", "e"]) ledger.noteBlob(it, digest)
    assert.deepStrictEqual(ledger.holders(digest), ["e", "d", "a", "c"])
    assert.isTrue(ledger.holds("a", digest))
    ledger.forgetBlob("a", digest)
    assert.isFalse(ledger.holds("a", digest))
    for (const it of ["e", "d", "c"]) ledger.forgetBlob(it, digest)
    assert.deepStrictEqual(ledger.holders(digest), [])
  })

  it.effect("believes for six hours that an image is whole", () =>
    Effect.gen(function*() {
      const ledger = makeLedger()
      yield* ledger.noteWhole("a", digest, whole)
      assert.strictEqual(yield* ledger.whole("a", digest), whole)
      assert.isUndefined(yield* ledger.whole("b", digest))
      yield* TestClock.adjust("6 hours")
      assert.isUndefined(yield* ledger.whole("a", digest))
      yield* ledger.noteWhole("a", digest, whole)
      ledger.forgetWhole("a", digest)
      assert.isUndefined(yield* ledger.whole("a", digest))
    }))

  it.effect("looks for new signatures every six hours", () =>
    Effect.gen(function*() {
      const ledger = makeLedger()
      assert.isFalse(yield* ledger.signed("a", digest))
      yield* ledger.noteSigned("a", digest)
      assert.isTrue(yield* ledger.signed("a", digest))
      assert.isFalse(yield* ledger.signed("b", digest))
      yield* TestClock.adjust("6 hours")
      assert.isFalse(yield* ledger.signed("a", digest))
    }))
})
