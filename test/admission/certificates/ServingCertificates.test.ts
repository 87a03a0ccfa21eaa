import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { generateKeyPairSync } from "node:crypto"
import { bundleOf, encode } from "../../../src/admission/certificates/Authority.ts"
import { issueAuthority } from "../../../src/admission/certificates/IssueCertificates.ts"
import { cut, refused } from "./FakeSecret.ts"
import { authorityIn, becomes, phaseOf, replica, world } from "./Replica.ts"
import { base64, comes, day, made, settle, start, withJumps } from "./World.ts"

const look = TestClock.adjust("11 seconds")
const errors = ({ log }: ReturnType<typeof world>) => log.lines.filter((it) => it.startsWith("Error"))

describe("certificates of the admission webhooks", () => {
  it.effect("are there soon after the start, with a Secret that was not there", () =>
    withJumps(() =>
      Effect.gen(function*() {
        const it = world()
        const { bundle, serving } = yield* replica(it)
        yield* becomes(it.api, "Settled")
        const trusted = yield* comes("no bundle", bundle, (text) => text !== undefined)
        assert.strictEqual(trusted, bundleOf(authorityIn(it.api)))
        yield* serving(trusted ?? "")
        assert.deepStrictEqual(it.api.requests.map(({ method, path }) => `${method} ${path}`), [
          "GET /api/v1/namespaces/cloner/secrets/image-cloner-webhook-ca",
          "POST /api/v1/namespaces/cloner/secrets"
        ])
        const body: { type?: string } = Object(it.api.changes()[0]?.body)
        assert.strictEqual(body.type, "Opaque")
        for (const line of it.log.lines) assert.notInclude(line, "PRIVATE")
      })
    ).pipe(made))

  it.effect("have one authority when two replicas start at once", () =>
    withJumps(() =>
      Effect.gen(function*() {
        const it = world()
        const [one, other] = yield* Effect.all([replica(it), replica(it)], { concurrency: 2 })
        yield* comes("not both tried", Effect.sync(() => it.api.changes().length), (count) => count === 2)
        yield* settle
        yield* TestClock.adjust("2 seconds")
        const trusted = bundleOf(authorityIn(it.api))
        const first = yield* one.serving(trusted)
        const second = yield* other.serving(trusted)
        assert.notStrictEqual(first?.certificate, second?.certificate)
        assert.strictEqual(yield* other.bundle, yield* one.bundle)
        assert.strictEqual(it.api.changes().length, 2)
        assert.deepStrictEqual(errors(it), [])
      })
    ).pipe(made))

  it.effect("are rotated by the replica that leads alone, whatever the clocks of others say", () =>
    withJumps((jump) =>
      Effect.gen(function*() {
        const it = world()
        const first = yield* replica(it)
        yield* becomes(it.api, "Settled")
        yield* first.kill
        yield* jump("244 days")
        const follower = yield* replica(it, false)
        yield* comes("no bundle", follower.bundle, (text) => text !== undefined)
        yield* look
        yield* settle
        assert.strictEqual(phaseOf(it.api), "Settled")
        yield* replica(it)
        yield* becomes(it.api, "Announced")
      })
    ).pipe(made))

  it.effect("go through a whole rotation, in which every step is made by a process that is killed after it", () =>
    withJumps((jump) =>
      Effect.gen(function*() {
        const it = world()
        const { api, hooks } = it
        let now = start
        const pass = (by: Duration.Input) => {
          now += Duration.toMillis(by)
          return jump(by)
        }
        /** One that starts anew, leads to a phase, and is killed. */
        const live = Effect.fnUntraced(function*(phase: string, meanwhile: Effect.Effect<void> = Effect.void) {
          const { bundle, kill, serving } = yield* replica(it)
          yield* comes("no bundle", bundle, (text) => text !== undefined)
          yield* meanwhile
          yield* becomes(api, phase)
          yield* comes("not the bundle of the Secret", bundle, (text) => text === bundleOf(authorityIn(api)))
          yield* serving(authorityIn(api).current.certificate, now)
          yield* kill
          return authorityIn(api)
        })
        const first = yield* live("Settled")
        yield* pass("244 days")
        const announced = yield* live("Announced")
        if (announced._tag !== "Announced") return assert.fail(announced._tag)
        assert.strictEqual(announced.current.certificate, first.current.certificate)
        // nobody carries it: nothing happens, however often somebody looks
        yield* live("Announced", Effect.andThen(settle, Effect.andThen(TestClock.adjust("5 minutes"), settle)))
        yield* hooks.carry(bundleOf(announced))
        yield* live("Announced", Effect.andThen(TestClock.adjust("1 minute"), settle))
        const switched = yield* live("Switched", Effect.andThen(TestClock.adjust("70 seconds"), settle))
        if (switched._tag !== "Switched") return assert.fail(switched._tag)
        assert.strictEqual(switched.current.certificate, announced.next.certificate)
        assert.deepStrictEqual(switched.previous, [first.current.certificate])
        assert.strictEqual(Object.keys(api.stored()?.data ?? {}).includes("next.key"), false)
        yield* pass("7 days")
        yield* live("Switched", Effect.andThen(settle, look))
        yield* pass("1 day")
        const last = yield* live("Settled")
        assert.strictEqual(last.current.certificate, announced.next.certificate)
        assert.deepStrictEqual(errors(it), [])
      })
    ).pipe(made))

  it.effect("survive that a process is killed in the middle of every write, done or not", () =>
    withJumps((jump) =>
      Effect.gen(function*() {
        const it = world()
        const hang = (request: { readonly method: string }) => request.method === "GET" ? undefined : Effect.never
        const phases = ["Settled", "Announced", "Switched", "Settled"]
        const passing = ["0 days", "244 days", "0 days", "8 days"] as const
        for (const [at, phase] of phases.entries()) {
          yield* jump(passing[at] ?? 0)
          if (phase === "Switched") {
            yield* it.hooks.carry(bundleOf(authorityIn(it.api)))
            yield* TestClock.adjust("2 minutes")
          }
          const before = phaseOf(it.api)
          const changes = it.api.changes().length
          it.api.fallIll(hang)
          const lost = yield* replica(it)
          yield* comes("not tried", Effect.sync(() => it.api.changes().length), (count) => count > changes)
          assert.strictEqual(phaseOf(it.api), before)
          yield* lost.kill
          // and now it is done, but nobody hears of it
          it.api.fallIll(() => undefined, hang)
          const deaf = yield* replica(it)
          yield* becomes(it.api, phase)
          yield* deaf.kill
          it.api.recover()
          const { kill, pair } = yield* replica(it)
          yield* comes("not served", pair, (served) => served !== undefined)
          assert.strictEqual(phaseOf(it.api), phase)
          yield* kill
        }
        // one write each that was not done, and one that was
        assert.strictEqual(it.api.changes().length, 2 * phases.length)
      })
    ).pipe(made))

  it.effect("leave labels and foreign data of the Secret as they are", () =>
    withJumps((jump) =>
      Effect.gen(function*() {
        const it = world()
        const current = yield* issueAuthority
        it.api.put({ ...encode({ _tag: "Settled", current }), note: base64("mine") }, { labels: { team: "a" } })
        yield* jump("250 days")
        yield* replica(it)
        yield* becomes(it.api, "Announced")
        assert.strictEqual(it.api.stored()?.data["note"], base64("mine"))
        assert.deepStrictEqual(it.api.stored()?.metadata["labels"], { team: "a" })
      })
    ).pipe(made))

  it.effect("stay as they were while the Secret is damaged, which is said once and never overwritten", () =>
    withJumps(() =>
      Effect.gen(function*() {
        const it = world()
        const { bundle, pair, serving } = yield* replica(it)
        yield* becomes(it.api, "Settled")
        const good = it.api.stored()?.data ?? {}
        yield* serving(bundleOf(authorityIn(it.api)))
        const held = { pair: yield* pair, bundle: yield* bundle }
        const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
          type: "pkcs8",
          format: "pem"
        })
        const other = encode({ _tag: "Settled", current: yield* issueAuthority })
        const { "tls.key": _, ...halfWritten } = good
        const damages = [
          {},
          { ...good, "tls.key": base64(rsa.toString()) },
          halfWritten,
          { ...good, "tls.crt": base64("hello") },
          { ...good, "tls.key": other["tls.key"] ?? "" },
          { ...good, "ca.crt": other["ca.crt"] ?? "" }
        ]
        for (const [at, data] of damages.entries()) {
          it.api.put(data)
          // the longest pause after an error
          yield* TestClock.adjust("1 minute")
          yield* comes("not said", Effect.sync(() => errors(it).length), (count) => count > at)
          yield* TestClock.adjust("5 minutes")
          yield* settle
          assert.strictEqual(errors(it).length, at + 1)
          assert.match(
            errors(it)[at] ?? "",
            /Secret cloner\/image-cloner-webhook-ca is no authority .* last good certificates/
          )
          assert.deepStrictEqual({ pair: yield* pair, bundle: yield* bundle }, held)
          assert.deepStrictEqual(it.api.stored()?.data, data)
        }
        it.api.put(other)
        yield* TestClock.adjust("2 minutes")
        yield* serving(other["ca.crt"] === undefined ? "" : Buffer.from(other["ca.crt"], "base64").toString())
        assert.strictEqual(it.log.lines.filter((line) => line.includes("good again")).length, 1)
      })
    ).pipe(made))

  it.effect("wait, and say once why, while the first Secret they see is damaged", () =>
    withJumps(() =>
      Effect.gen(function*() {
        const it = world()
        it.api.put({ "tls.crt": base64("?") })
        const { pair, serving } = yield* replica(it)
        yield* TestClock.adjust("10 minutes")
        yield* settle
        assert.isUndefined(yield* pair)
        assert.strictEqual(errors(it).length, 1)
        assert.match(errors(it)[0] ?? "", /tls.key is missing; put it right, or delete it .* webhooks wait for it/)
        it.api.remove()
        yield* TestClock.adjust("2 minutes")
        yield* becomes(it.api, "Settled")
        yield* serving(bundleOf(authorityIn(it.api)))
      })
    ).pipe(made))

  it.effect("go on with the same authority when the Secret is deleted", () =>
    withJumps(() =>
      Effect.gen(function*() {
        const it = world()
        const { pair, serving } = yield* replica(it)
        yield* becomes(it.api, "Settled")
        const before = it.api.stored()?.data
        yield* serving(bundleOf(authorityIn(it.api)))
        const served = yield* pair
        it.api.remove()
        yield* look
        yield* becomes(it.api, "Settled")
        assert.deepStrictEqual(it.api.stored()?.data, before)
        assert.strictEqual(yield* pair, served)
      })
    ).pipe(made))

  it.effect("say once which Role is missing, and come with it", () =>
    withJumps(() =>
      Effect.gen(function*() {
        const it = world()
        it.api.fallIll(refused(403, "secrets is forbidden"))
        const { pair } = yield* replica(it)
        yield* TestClock.adjust("10 minutes")
        yield* settle
        assert.isUndefined(yield* pair)
        assert.deepStrictEqual(errors(it), [
          "Error GET /api/v1/namespaces/cloner/secrets/image-cloner-webhook-ca: 403 secrets is forbidden; the Role of "
          + "manifests/overlays/admission is missing; the admission webhooks wait for it"
        ])
        // between 30 s and a minute after the first ones
        assert.isBelow(it.api.requests.length, 26)
        it.api.recover()
        yield* TestClock.adjust("1 minute")
        yield* comes("not served", pair, (served) => served !== undefined)
      })
    ).pipe(made))

  it.effect("follow what others write where they may not write themselves", () =>
    withJumps((jump) =>
      Effect.gen(function*() {
        const it = world()
        const current = yield* issueAuthority
        it.api.put(encode({ _tag: "Settled", current }))
        yield* jump("250 days")
        it.api.fallIll((request) => request.method === "GET" ? undefined : refused(403)(request))
        const { serving } = yield* replica(it)
        yield* serving(current.certificate, start + 250 * day)
        yield* comes("not said", Effect.sync(() => errors(it).length), (count) => count === 1)
        assert.match(errors(it)[0] ?? "", /PUT .* 403 .*Role/)
      })
    ).pipe(made))

  for (
    const [name, illness] of [
      ["silent", () => Effect.never],
      ["cut off", cut],
      ["down", refused(503)],
      ["lying", () => Effect.succeed({ kind: "Hello", data: 7 })],
      ["empty", () => Effect.void]
    ] as const
  ) {
    it.effect(`are renewed while the API server is ${name}, and follow it again afterwards`, () =>
      withJumps((jump) =>
        Effect.gen(function*() {
          const it = world()
          const { pair, serving } = yield* replica(it)
          yield* becomes(it.api, "Settled")
          yield* serving(bundleOf(authorityIn(it.api)))
          const before = yield* pair
          it.api.fallIll(illness)
          yield* TestClock.adjust("5 minutes")
          yield* jump("8 days")
          yield* TestClock.adjust("1 minute")
          const trusted = bundleOf(authorityIn(it.api))
          const after = yield* serving(trusted, start + 8 * day)
          assert.notStrictEqual(after, before)
          assert.strictEqual(errors(it).length, 1)
          it.api.recover()
          const current = yield* issueAuthority
          it.api.put(encode({ _tag: "Settled", current }))
          yield* TestClock.adjust("3 minutes")
          yield* serving(current.certificate, start + 8 * day)
          assert.strictEqual(phaseOf(it.api), "Settled")
        })
      ).pipe(made))
  }

  it.effect("are no worse for a change of which the answer is lost", () =>
    withJumps(() =>
      Effect.gen(function*() {
        const it = world()
        it.api.fallIll(() => undefined, (request) => request.method === "POST" ? cut(request) : undefined)
        const { serving } = yield* replica(it)
        yield* becomes(it.api, "Settled")
        yield* settle
        yield* TestClock.adjust("1 minute")
        yield* serving(bundleOf(authorityIn(it.api)))
        assert.strictEqual(it.api.changes().length, 1)
      })
    ).pipe(made))

  it.effect("are never of an authority whose time has not come, nor is it replaced: only our clock may be wrong", () =>
    withJumps((jump) =>
      Effect.gen(function*() {
        const it = world()
        yield* jump("10 days")
        const data = encode({ _tag: "Settled", current: yield* issueAuthority })
        yield* jump("-10 days")
        it.api.put(data)
        const { pair } = yield* replica(it)
        yield* comes("not said", Effect.sync(() => errors(it).length), (count) => count === 1)
        assert.match(errors(it)[0] ?? "", /which is not now \(is the clock right\?\)/)
        assert.isUndefined(yield* pair)
        assert.deepStrictEqual(it.api.stored()?.data, data)
      })
    ).pipe(made))

  it.effect("come from a new authority when the old one has expired while nothing ran", () =>
    withJumps((jump) =>
      Effect.gen(function*() {
        const it = world()
        const old = yield* issueAuthority
        it.api.put(encode({ _tag: "Settled", current: old }))
        yield* jump("400 days")
        const { serving } = yield* replica(it)
        yield* becomes(it.api, "Switched")
        yield* serving(authorityIn(it.api).current.certificate, start + 400 * day)
        assert.notStrictEqual(authorityIn(it.api).current.certificate, old.certificate)
      })
    ).pipe(made))
})
