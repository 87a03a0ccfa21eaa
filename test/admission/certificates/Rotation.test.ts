import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Result, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  type Authority,
  bundleOf,
  decode,
  encode,
  type Settled
} from "../../../src/admission/certificates/Authority.ts"
import { issueAuthority, issueLeaf } from "../../../src/admission/certificates/IssueCertificates.ts"
import { checkLeaf } from "../../../src/admission/certificates/Leaf.ts"
import { stepOf } from "../../../src/admission/certificates/Rotation.ts"
import { made, names, start } from "./World.ts"

const day = 86_400_000
const minutes = (count: number) => count * 60_000

const settled = Effect.gen(function*() {
  yield* TestClock.setTime(start)
  return { _tag: "Settled", current: yield* issueAuthority } satisfies Settled
})

/** The step that is due, made; as it is written and read. */
const advance = Effect.fnUntraced(function*(authority: Authority, published?: number) {
  const step = stepOf(authority, yield* Clock.currentTimeMillis, published)
  if (step._tag === "Wait") return authority
  const next = step._tag === "Write" ? step.authority : step.made(yield* issueAuthority)
  return Result.getOrThrow(decode(encode(next)))
})

describe("the rotation", () => {
  it.effect("announces, switches, and drops, each in its time", () =>
    Effect.gen(function*() {
      const first = yield* settled
      yield* TestClock.adjust("243 days")
      assert.strictEqual((yield* advance(first, minutes(10)))._tag, "Settled")
      yield* TestClock.adjust("8 hours")
      const announced = yield* advance(first)
      if (announced._tag !== "Announced") return assert.fail(announced._tag)
      assert.strictEqual(announced.current.certificate, first.current.certificate)

      // not before every configuration has carried it for two minutes, however long that takes
      yield* TestClock.adjust("20 days")
      assert.strictEqual((yield* advance(announced))._tag, "Announced")
      assert.strictEqual((yield* advance(announced, minutes(2) - 1))._tag, "Announced")
      const switched = yield* advance(announced, minutes(2))
      if (switched._tag !== "Switched") return assert.fail(switched._tag)
      assert.strictEqual(switched.current.certificate, announced.next.certificate)
      assert.deepStrictEqual(switched.previous, [first.current.certificate])

      yield* TestClock.adjust(8 * day - 1)
      assert.strictEqual((yield* advance(switched))._tag, "Switched")
      yield* TestClock.adjust(1)
      const dropped = yield* advance(switched)
      assert.strictEqual(dropped._tag, "Settled")
      assert.strictEqual(bundleOf(dropped), announced.next.certificate)
    }).pipe(made))

  it.effect("goes on without notice when the authority has expired", () =>
    Effect.gen(function*() {
      const first = yield* settled
      yield* TestClock.adjust("250 days")
      const announced = yield* advance(first)
      assert.strictEqual(announced._tag, "Announced")
      yield* TestClock.adjust("116 days")
      const replaced = yield* advance(first)
      if (replaced._tag !== "Switched") return assert.fail(replaced._tag)
      assert.notStrictEqual(replaced.current.certificate, first.current.certificate)
      // in case only our clock is wrong
      assert.include(bundleOf(replaced), first.current.certificate)
      const switched = yield* advance(announced)
      if (switched._tag !== "Switched" || announced._tag !== "Announced") return assert.fail(switched._tag)
      assert.strictEqual(switched.current.certificate, announced.next.certificate)
    }).pipe(made))

  it.effect("announces another one when the next one was never published anywhere", () =>
    Effect.gen(function*() {
      const first = yield* settled
      const old = yield* issueAuthority
      yield* TestClock.adjust("366 days")
      const current = yield* issueAuthority
      const renewed = yield* advance({ _tag: "Announced", current, next: old })
      if (renewed._tag !== "Announced") return assert.fail(renewed._tag)
      assert.notStrictEqual(renewed.next.certificate, old.certificate)
      // and with both expired begins anew
      const both = yield* advance({ _tag: "Announced", current: first.current, next: old })
      if (both._tag !== "Switched") return assert.fail(both._tag)
      assert.notInclude([first.current.certificate, old.certificate], both.current.certificate)
    }).pipe(made))

  it.effect("never lets an authority sign whose time has not come", () =>
    Effect.gen(function*() {
      const first = yield* settled
      yield* TestClock.adjust("10 days")
      const next = yield* issueAuthority
      yield* TestClock.setTime(start)
      assert.strictEqual((yield* advance({ ...first, _tag: "Announced", next }, minutes(5)))._tag, "Announced")
    }).pipe(made))

  it.effect("counts from now where the Secret does not say since when, or says a time to come", () =>
    Effect.gen(function*() {
      const { current } = yield* settled
      const previous = [(yield* issueAuthority).certificate]
      for (const since of [undefined, start + 2 * day]) {
        const dated = yield* advance({ _tag: "Switched", current, previous, since })
        assert.strictEqual(dated._tag === "Switched" ? dated.since : dated._tag, start)
      }
      const ahead: Authority = { _tag: "Switched", current, previous, since: start + minutes(1) }
      assert.strictEqual(yield* advance(ahead), ahead)
    }).pipe(made))

  it.effect.prop("has the API server trust whatever is served, whenever replicas look and configurations follow", {
    looks: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 60 }))),
    delay: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 }))
  }, ({ delay, looks }) =>
    Effect.gen(function*() {
      let authority: Authority = yield* settled
      let carried = { bundle: bundleOf(authority), since: start }
      let pending: { readonly bundle: string; readonly at: number } | undefined
      let leaf = yield* issueLeaf(authority.current, names)
      let renewed = start
      for (const days of [...looks, 200, 60, 60]) {
        // in steps that no leaf outlives, as the replica itself renews
        for (let left = days; left > 0; left -= 4) {
          yield* TestClock.adjust(Duration.days(Math.min(4, left)))
          const now = yield* Clock.currentTimeMillis
          if (pending !== undefined && now >= pending.at) carried = { bundle: pending.bundle, since: now }
          const bundle = bundleOf(authority)
          const published: number | undefined = carried.bundle === bundle ? now - carried.since : undefined
          const before: string = authority.current.certificate
          authority = yield* advance(authority, published)
          if (bundleOf(authority) !== bundle) pending = { bundle: bundleOf(authority), at: now + delay * day }
          if (authority.current.certificate !== before || now - renewed >= 4 * day) {
            leaf = yield* issueLeaf(authority.current, names)
            renewed = now
          }
          assert.isUndefined(checkLeaf(leaf, names, carried.bundle, now))
        }
      }
    }).pipe(made), { arbitrary: { runs: 4, size: 6 } })
})
