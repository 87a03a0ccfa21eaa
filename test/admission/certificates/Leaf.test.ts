import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { generateKeyPairSync } from "node:crypto"
import type { Authority, Settled } from "../../../src/admission/certificates/Authority.ts"
import { issueAuthority, issueLeaf } from "../../../src/admission/certificates/IssueCertificates.ts"
import { checkLeaf, isStale, keepLeaf, makeLeaf } from "../../../src/admission/certificates/Leaf.ts"
import type { ServingPair } from "../../../src/admission/certificates/ServingPair.ts"
import { comes, day, logged, made, names, settle, start, withJumps } from "./World.ts"

const settled = Effect.map(issueAuthority, (current): Settled => ({ _tag: "Settled", current }))

const keeping = Effect.gen(function*() {
  const authority = yield* SubscriptionRef.make(Option.none<Authority>())
  const pair = yield* SubscriptionRef.make(Option.none<ServingPair>())
  const fiber = yield* Effect.forkScoped(keepLeaf({ authority, pair, names }))
  const served = Effect.map(SubscriptionRef.get(pair), Option.getOrUndefined)
  /** The one that is served instead of another. */
  const after = Effect.fnUntraced(function*(before: ServingPair | undefined) {
    const found = yield* comes("no other certificate", served, (it) => it !== before)
    return found ?? assert.fail("no certificate")
  })
  return { authority, fiber, served: Effect.andThen(settle, served), after }
})

describe("the certificate of a replica", () => {
  it.effect("is checked as a client would", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(start)
      const [one, two] = yield* Effect.all([issueAuthority, issueAuthority])
      const leaf = yield* issueLeaf(one, names)
      const both = two.certificate + one.certificate
      const check = (it: typeof leaf, bundle = both, now = start) => checkLeaf(it, names, bundle, now)
      assert.isUndefined(check(leaf))
      assert.strictEqual(check(leaf, two.certificate), "no authority of the bundle has signed it")
      assert.strictEqual(check(leaf, "nothing"), "no authority of the bundle has signed it")
      assert.match(check(leaf, both, start + 7 * day) ?? "", /^it is good from 2029-12-31T23:00:00.000Z to 2030-01-08T/)
      assert.match(check(leaf, both, start - day) ?? "", /^it is good from/)
      assert.strictEqual(
        checkLeaf(leaf, [...names, "a.other", "10.1.1.1"], both, start),
        "it is not for a.other, 10.1.1.1"
      )
      assert.strictEqual(check({ ...leaf, certificate: "?" }), "it is no PEM certificate")
      assert.strictEqual(check({ ...leaf, key: one.key }), "its key belongs to another certificate")
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
      const rsa = Redacted.make(privateKey.export({ type: "pkcs8", format: "pem" }).toString())
      assert.strictEqual(check({ ...leaf, key: rsa }), "its key belongs to another certificate")
    }).pipe(made))

  it.effect("is stale after two thirds of its life, before it begins, and when another authority signs", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(start)
      const [one, two] = yield* Effect.all([issueAuthority, issueAuthority])
      const leaf = yield* issueLeaf(one, names)
      assert.isFalse(isStale(leaf, one.certificate, start))
      assert.isFalse(isStale(leaf, one.certificate, start + 4.6 * day))
      assert.isTrue(isStale(leaf, one.certificate, start + 4.7 * day))
      assert.isTrue(isStale(leaf, one.certificate, start - day))
      assert.isTrue(isStale(leaf, two.certificate, start))
    }).pipe(made))

  it.effect("is not handed out by an authority that has expired", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(start)
      const authority = yield* settled
      yield* TestClock.adjust("366 days")
      const error = yield* Effect.flip(makeLeaf(authority, names))
      assert.match(error.message, /would be refused: it is good from/)
    }).pipe(made))

  it.effect("comes with the authority, and anew with another one", () =>
    withJumps(() =>
      Effect.gen(function*() {
        const { after, authority, served } = yield* keeping
        assert.isUndefined(yield* served)
        const [one, two] = yield* Effect.all([settled, settled])
        yield* SubscriptionRef.set(authority, Option.some(one))
        const first = yield* after(undefined)
        assert.isUndefined(checkLeaf(first, names, one.current.certificate, start))
        assert.strictEqual(first.notAfter, start + 7 * day)
        yield* SubscriptionRef.set(authority, Option.some(two))
        assert.isUndefined(checkLeaf(yield* after(first), names, two.current.certificate, start))
      })
    ).pipe(made))

  it.effect("stays while the next authority is only announced, and is renewed in time", () =>
    withJumps((jump) =>
      Effect.gen(function*() {
        const { after, authority, served } = yield* keeping
        const { current } = yield* settled
        yield* SubscriptionRef.set(authority, Option.some({ _tag: "Settled", current }))
        const first = yield* after(undefined)
        yield* SubscriptionRef.set(authority, Option.some({ _tag: "Announced", current, next: yield* issueAuthority }))
        assert.strictEqual(yield* served, first)
        yield* jump("4 days")
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* served, first)
        yield* jump("1 day")
        yield* TestClock.adjust("1 minute")
        assert.isAbove((yield* after(first)).notAfter, start + 11 * day)
      })
    ).pipe(made))

  it.effect("is renewed within a minute after the clock has gone eight days on, or back", () =>
    withJumps((jump) =>
      Effect.gen(function*() {
        const { after, authority } = yield* keeping
        yield* SubscriptionRef.set(authority, Option.some(yield* settled))
        const first = yield* after(undefined)
        yield* jump("8 days")
        yield* TestClock.adjust("1 minute")
        const second = yield* after(first)
        assert.isAtLeast(second.notAfter, start + 15 * day)
        yield* jump(-8 * day)
        // the authority was made at this time, so that it is good then
        yield* TestClock.adjust("1 minute")
        assert.isBelow((yield* after(second)).notAfter, start + 8 * day)
      })
    ).pipe(made))

  it.effect("stays as it is, with one complaint, while no better one can be issued", () => {
    const { lines, layer } = logged()
    return withJumps(() =>
      Effect.gen(function*() {
        const { after, authority, fiber, served } = yield* keeping
        const good = yield* settled
        yield* SubscriptionRef.set(authority, Option.some(good))
        const first = yield* after(undefined)
        const broken = { ...good.current, certificate: (yield* issueAuthority).certificate }
        yield* SubscriptionRef.set(authority, Option.some({ _tag: "Settled", current: broken }))
        const complaints = Effect.sync(() => lines.filter((it) => it.startsWith("Error")).length)
        yield* comes("no complaint", complaints, (it) => it > 0)
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(yield* served, first)
        assert.strictEqual(yield* complaints, 1)
        yield* SubscriptionRef.set(authority, Option.some(yield* settled))
        yield* after(first)
        assert.isUndefined(fiber.pollUnsafe())
      })
    ).pipe(Effect.provide(layer), made)
  })
})
