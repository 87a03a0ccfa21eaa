import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { makeLedger } from "../../src/clone/Ledger.ts"
import { digestOf } from "../../src/image/Digest.ts"

const digest = digestOf(Buffer.from("x"))
const whole = { manifests: [], contents: new Set([digest]), blobs: 1, bytes: 2 }

describe("Ledger", () => {
  const made = Effect.map(Clock.Clock, makeLedger)

  it.effect("knows where a blob can be mounted from, the latest first and not without end", () =>
    Effect.gen(function*() {
      const ledger = yield* made
      for (const it of ["a", "b", "c", "a", "d", "e"]) ledger.noteBlob(it, digest)
      assert.deepStrictEqual(ledger.holders(digest), ["e", "d", "a", "c"])
      assert.isTrue(ledger.holds("a", digest))
      ledger.forgetBlob("a", digest)
      assert.isFalse(ledger.holds("a", digest))
      for (const it of ["e", "d", "c"]) ledger.forgetBlob(it, digest)
      assert.deepStrictEqual(ledger.holders(digest), [])
    }))

  it.effect("believes for six hours that a blob is there, and less where its repository has lost something", () =>
    Effect.gen(function*() {
      const ledger = yield* made
      ledger.noteBlob("a", digest)
      ledger.noteBlob("b", digest)
      yield* TestClock.adjust("1 minute")
      ledger.forgetWhole("a", digest)
      assert.deepStrictEqual(ledger.holders(digest), ["b"])
      assert.isFalse(ledger.holds("a", digest))
      yield* TestClock.adjust("1 minute")
      ledger.noteBlob("a", digest)
      assert.isTrue(ledger.holds("a", digest))
      yield* TestClock.adjust("359 minutes")
      assert.deepStrictEqual(ledger.holders(digest), ["a"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(ledger.holders(digest), [])
    }))

  it.effect("believes for six hours that an image is whole", () =>
    Effect.gen(function*() {
      const ledger = yield* made
      ledger.noteWhole("a", digest, whole)
      assert.strictEqual(ledger.whole("a", digest), whole)
      assert.isUndefined(ledger.whole("b", digest))
      yield* TestClock.adjust("6 hours")
      assert.isUndefined(ledger.whole("a", digest))
      ledger.noteWhole("a", digest, whole)
      ledger.forgetWhole("a", digest)
      assert.isUndefined(ledger.whole("a", digest))
    }))

  it.effect("looks for new signatures every six hours", () =>
    Effect.gen(function*() {
      const ledger = yield* made
      assert.isFalse(ledger.signed("a", digest))
      ledger.noteSigned("a", digest)
      assert.isTrue(ledger.signed("a", digest))
      assert.isFalse(ledger.signed("b", digest))
      yield* TestClock.adjust("6 hours")
      assert.isFalse(ledger.signed("a", digest))
    }))
})
