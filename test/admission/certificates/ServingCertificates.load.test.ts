import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Option, Scope, Stream, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { X509Certificate } from "node:crypto"
import * as https from "node:https"
import { TLSSocket } from "node:tls"
import { bundleOf, certificatesOf } from "../../../src/admission/certificates/Authority.ts"
import { tokensOf, withToken } from "../../../src/admission/PathTokens.ts"
import { webhookServer } from "../../../src/admission/server/WebhookServer.ts"
import { reviewOf } from "../Reviews.ts"
import { authorityIn, becomes, replica, type World, world } from "./Replica.ts"
import { comes, made, settle, withJumps } from "./World.ts"

const body = JSON.stringify(reviewOf())

/** A replica that serves with its certificates, as RunAdmission.ts has it. */
const serving = Effect.fnUntraced(function*(it: World, leads: boolean) {
  const { certificates } = yield* replica(it, leads)
  const scope = yield* Scope.Scope
  const tokens = new Set<string>()
  const server = yield* webhookServer({
    port: 0,
    host: "127.0.0.1",
    drainFor: Effect.succeed(0),
    pair: certificates.pair,
    handlers: new Map([["/mutate", () => Effect.succeed({})]]),
    tokens,
    run: (_, effect) => Effect.asVoid(Effect.forkIn(effect, scope))
  })
  yield* Effect.forkScoped(
    Stream.runForEach(SubscriptionRef.changes(certificates.bundle), (bundle) =>
      Effect.sync(() => {
        for (const token of Option.match(bundle, { onNone: () => [], onSome: tokensOf })) tokens.add(token)
      }))
  )
  const port = yield* server.port
  yield* comes("no token", Effect.sync(() => tokens.size), (size) => size > 0)
  return { port, pair: certificates.pair }
})

/** Why Go's client would refuse what is shown; undefined: it would not. */
const refusalOf = (shown: X509Certificate | undefined, bundle: string, now: number): string | undefined => {
  const isGood = (it: X509Certificate) => it.validFromDate.getTime() <= now && now < it.validToDate.getTime()
  if (shown === undefined) return "no certificate"
  if (!isGood(shown)) {
    return `good from ${shown.validFrom} to ${shown.validTo}, and it is ${new Date(now).toISOString()}`
  }
  if (shown.checkHost("webhook.cloner.svc") === undefined) return "for another host"
  const signers = (certificatesOf(bundle) ?? []).filter((it) =>
    isGood(it) && shown.checkIssued(it) && shown.verify(it.publicKey)
  )
  return signers.length > 0 ? undefined : "signed by nobody of the bundle"
}

/**
 * One call on a connection of its own; undefined: all was well. The certificate is judged by the test's time, which OpenSSL does
 * not know.
 */
const call = (port: number, bundle: string, now: number) =>
  new Promise<string | undefined>((resolve) => {
    const request = https.request({
      port,
      host: "127.0.0.1",
      path: withToken("/mutate", bundle),
      method: "POST",
      agent: false,
      rejectUnauthorized: false,
      headers: { "content-type": "application/json" }
    }, (response) => {
      const { socket } = response
      const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
      response.resume()
      response.on("end", () =>
        resolve(
          response.statusCode === 200 ? refusalOf(shown, bundle, now) : `HTTP ${response.statusCode}`
        ))
    })
    request.on("error", (error) => resolve(error.message))
    request.end(body)
  })

describe("certificates under two hundred calls a second", () => {
  it.effect("are rotated whole without a failed handshake or call, also by an API server whose cache is behind", () =>
    withJumps((jump) =>
      Effect.gen(function*() {
        const it = world()
        const first = yield* replica(it)
        yield* becomes(it.api, "Settled")
        yield* first.kill
        yield* jump("243 days")
        const replicas = yield* Effect.all([serving(it, true), serving(it, false)])
        const bundleNow = () => bundleOf(authorityIn(it.api))
        const caches = { quick: bundleNow(), slow: bundleNow() }
        yield* it.hooks.carry(bundleNow())

        const failures: Array<string> = []
        const clock = yield* Clock.Clock
        const one = (at: number) =>
          Effect.gen(function*() {
            const phase = authorityIn(it.api)._tag
            const bundle = at % 4 < 2 ? caches.quick : caches.slow
            const { port } = replicas[at % 2 === 0 ? 0 : 1]
            const problem = yield* Effect.promise(() => call(port, bundle, clock.currentTimeMillisUnsafe()))
            if (problem !== undefined) failures.push(`${phase}, call ${at}: ${problem}`)
          })
        const load = { ends: false, calls: 0 }
        const loading = yield* Effect.gen(function*() {
          const calls: Array<Fiber.Fiber<void>> = []
          while (!load.ends) {
            calls.push(yield* Effect.forkChild(one(load.calls++), { startImmediately: true }))
            yield* Effect.sleep("5 millis")
          }
          yield* Fiber.joinAll(calls)
        }).pipe(TestClock.withLive, Effect.forkChild)

        /** Lets so much time pass, and calls arrive in it. */
        const pass = (by: "61 seconds" | "70 seconds") => TestClock.adjust(by).pipe(Effect.andThen(settle))
        /** The configurations are changed; one API server sees it now, the other a minute later. */
        const publish = Effect.fnUntraced(function*() {
          caches.quick = bundleNow()
          yield* it.hooks.carry(bundleNow())
          yield* pass("61 seconds")
          caches.slow = bundleNow()
        })

        yield* jump("1 day")
        yield* pass("61 seconds")
        yield* becomes(it.api, "Announced")
        yield* publish()
        yield* pass("70 seconds")
        yield* becomes(it.api, "Switched")
        yield* publish()
        for (let day = 0; day < 9; day++) {
          yield* jump("1 day")
          yield* pass("61 seconds")
        }
        yield* becomes(it.api, "Settled")
        yield* publish()
        yield* pass("61 seconds")
        load.ends = true
        yield* Fiber.join(loading)

        assert.deepStrictEqual(failures, [])
        assert.isAbove(load.calls, 100)
        const signer = new X509Certificate(authorityIn(it.api).current.certificate)
        for (const { pair } of replicas) {
          const served = Option.getOrThrow(yield* SubscriptionRef.get(pair))
          assert.isTrue(new X509Certificate(served.certificate).verify(signer.publicKey))
        }
      })
    ).pipe(made))
})
