import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, Metric, Option, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { burst, refresh } from "../../../src/controller/events/EventLimits.ts"
import type { ToldEvent } from "../../../src/controller/events/EventOf.ts"
import * as Told from "../../../src/controller/events/Events.ts"
import { refusalRest, writeEvents } from "../../../src/controller/events/WriteEvents.ts"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import { fromStatus } from "../../../src/kube/KubeError.ts"
import { Leadership } from "../../../src/kube/lease/Leadership.ts"
import { ProcessSettings } from "../../../src/settings/ProcessSettings.ts"
import { settingsOf } from "../../../src/settings/Settings.ts"
import { SettingsRef } from "../../../src/settings/SettingsRef.ts"
import { eventsWritten } from "../../../src/telemetry/Metrics.ts"
import { type Answer, failure, fakeApi, json, refuse } from "../../kube/FakeApi.ts"
import { eventually } from "../../support/Eventually.ts"

const told = (name: string, namespace = "shop", cause = "refused"): ToldEvent => ({
  regarding: { apiVersion: "apps/v1", kind: "Deployment", namespace, name, uid: `uid-${name}` },
  type: "Warning",
  reason: "Held",
  action: "Rewriting",
  note: `${cause}: said`,
  cause
})

const process = Layer.succeed(ProcessSettings, {
  httpPort: 0,
  logLevel: "Info",
  logFormat: Option.none(),
  certsDir: "",
  proxies: { http: Option.none(), https: Option.none(), no: [] },
  podNamespace: Option.some("image-cloner"),
  podName: "image-cloner-0",
  leaderElection: false,
  webhookPort: 0,
  webhookUrl: Option.none()
} as never) // of the environment only the pod's name matters here

const forbidden = fromStatus({
  operation: "POST /events",
  mutation: true,
  status: 403,
  body: failure(403, "Forbidden", "cannot create resource \"events\""),
  retryAfter: undefined
})

const done: Answer = json(201, {})
const silent: Answer = () => {}
const cut: Answer = (_, response) => void response.socket?.destroy()

/** Writes to an API server that answers so, with the real clock where a test waits for sockets. */
const writing = Effect.fnUntraced(function*(
  answers: ReadonlyArray<Answer>,
  given: { readonly dryRun?: boolean; readonly mayWrite?: () => boolean } = {}
) {
  const api = yield* fakeApi(answers)
  const log: Array<string> = []
  const context = yield* Layer.build(Layer.mergeAll(
    Told.layer,
    process,
    KubeClient.layerFrom({ server: api.server }),
    SettingsRef.layerOf(settingsOf("backup.example/copies", { DRY_RUN: given.dryRun ?? false })),
    Layer.succeed(Leadership, {
      mayWrite: Effect.sync(() => given.mayWrite?.() ?? true),
      changes: Effect.die("not asked") as never, // nobody follows it here
      leave: Effect.void
    }),
    Logger.layer([Logger.make(({ logLevel, message }) => void log.push(`${logLevel} ${String(message)}`))])
  ))
  const fiber = yield* Effect.forkScoped(Effect.provide(writeEvents, context))
  const { tell } = yield* Effect.provide(Effect.service(Told.Events), context)
  return { api, fiber, log, tell, context, settings: yield* Effect.provide(Effect.service(SettingsRef), context) }
})

const calls = (api: { readonly calls: ReadonlyArray<unknown> }, count: number) =>
  eventually("the API server was not asked", Effect.sync(() => api.calls.length), (it) => it >= count)

const counted = (result: Parameters<typeof eventsWritten>[0]["result"]) =>
  Effect.map(Metric.value(eventsWritten({ result })), (it) => it.count)

const warnings = (log: ReadonlyArray<string>) => log.filter((it) => it.startsWith("Warn"))

const apart = Effect.provide(Layer.fresh(Layer.empty))

describe("an Event", () => {
  it.live("is made in the namespace of its object", () =>
    Effect.gen(function*() {
      const { api, tell } = yield* writing([done])
      yield* tell(told("web"))
      yield* calls(api, 1)
      const { body, method, path } = api.calls[0]!
      assert.deepStrictEqual([method, path], ["POST", "/apis/events.k8s.io/v1/namespaces/shop/events"])
      assert.deepInclude(JSON.parse(body), { reason: "Held", reportingInstance: "image-cloner-0" })
    }).pipe(Effect.scoped, apart))

  it.live("of a series is counted, and made again where it is kept no longer", () =>
    Effect.gen(function*() {
      const { api, tell } = yield* writing([done, refuse(404, "NotFound"), done])
      yield* tell(told("web"))
      yield* tell(told("web"))
      yield* tell(told("web"))
      yield* calls(api, 3)
      assert.deepStrictEqual(api.calls.map((it) => it.method), ["POST", "PATCH", "POST"])
      assert.strictEqual(JSON.parse(api.calls[1]?.body ?? "").series.count, 2)
      assert.strictEqual(JSON.parse(api.calls[2]?.body ?? "").series.count, 2)
    }).pipe(Effect.scoped, apart))

  it.live("is not written in DRY_RUN, nor by a replica that does not lead", () =>
    Effect.gen(function*() {
      let leads = false
      const { api, settings, tell } = yield* writing([done, done], { dryRun: true, mayWrite: () => leads })
      yield* tell(told("web"))
      yield* Effect.sleep("20 millis")
      yield* SubscriptionRef.update(settings, (it) => ({ ...it, DRY_RUN: false }))
      yield* tell(told("web"))
      yield* Effect.sleep("20 millis")
      assert.deepStrictEqual(api.calls, [])
      leads = true
      yield* tell(told("web"))
      yield* calls(api, 1)
      // not one of a series of what nobody has seen
      assert.strictEqual(api.calls[0]?.method, "POST")
    }).pipe(Effect.scoped, apart))
})

describe("what the API server does not take", () => {
  it.live("for want of the right is said once, with what gives it, and rests", () =>
    Effect.gen(function*() {
      const { api, log, tell } = yield* writing([refuse(403, "Forbidden", "cannot create resource \"events\"")])
      yield* tell(told("web"))
      yield* tell(told("api"))
      yield* tell(told("db"))
      yield* eventually("they are not left out", counted("resting"), (it) => it >= 2)
      assert.lengthOf(api.calls, 1)
      assert.lengthOf(warnings(log), 1)
      assert.include(log.join("\n"), "manifests/base")
    }).pipe(Effect.scoped, apart))

  it.effect("for want of the right is tried again after an hour", () =>
    Effect.gen(function*() {
      let asked = 0
      const context = yield* Layer.build(Layer.mergeAll(
        Told.layer,
        process,
        Layer.succeed(
          KubeClient,
          KubeClient.of({
            server: "",
            request: () =>
              Effect.suspend(() => {
                asked++
                return Effect.fail(forbidden)
              }),
            frames: () => assert.fail("no watch is meant")
          })
        ),
        SettingsRef.layerOf(settingsOf("backup.example/copies"))
      ))
      yield* Effect.forkScoped(Effect.provide(writeEvents, context))
      const { tell } = yield* Effect.provide(Effect.service(Told.Events), context)
      yield* tell(told("a"))
      yield* TestClock.adjust(refusalRest - 1)
      yield* tell(told("b"))
      yield* TestClock.adjust(0)
      assert.strictEqual(asked, 1)
      yield* TestClock.adjust(1)
      yield* tell(told("c"))
      yield* TestClock.adjust(0)
      assert.strictEqual(asked, 2)
    }).pipe(Effect.scoped, apart))

  it.live("for a namespace that is going, or a quota, says nothing of a right and stops no others", () =>
    Effect.gen(function*() {
      const going = failure(403, "Forbidden", "because it is being terminated", {
        causes: [{ reason: "NamespaceTerminating", message: "", field: "metadata.namespace" }]
      })
      const { api, log, tell } = yield* writing([
        json(403, going),
        refuse(404, "NotFound"),
        refuse(409, "AlreadyExists"),
        refuse(403, "Forbidden", "events \"x\" is forbidden: exceeded quota: q"),
        done
      ])
      for (const name of ["a", "b", "c", "d", "e"]) yield* tell(told(name))
      yield* calls(api, 5)
      assert.lengthOf(warnings(log), 1)
      assert.include(warnings(log)[0] ?? "", "quota")
    }).pipe(Effect.scoped, apart))

  it.live("because it is broken is said once for each cause, and the next is written", () =>
    Effect.gen(function*() {
      const { api, log, tell } = yield* writing([
        refuse(500, "InternalError"),
        refuse(500, "InternalError"),
        refuse(422, "Invalid"),
        json(200, "no JSON of ours"),
        cut,
        done
      ])
      for (const name of ["a", "b", "c", "d", "e", "f"]) yield* tell(told(name))
      yield* calls(api, 6)
      assert.isAtMost(warnings(log).length, 3)
      assert.notInclude(log.join("\n"), "credential")
    }).pipe(Effect.scoped, apart))

  it.live("because it is busy is not asked for the same again: another replica may lead by then", () =>
    Effect.gen(function*() {
      const busy = refuse(429, "TooManyRequests", "busy", { "retry-after": "0" })
      const { api, tell } = yield* writing([busy, done])
      yield* tell(told("web"))
      yield* calls(api, 1)
      yield* tell(told("api"))
      yield* calls(api, 2)
      assert.include(api.calls[1]?.body, "\"api\"")
    }).pipe(Effect.scoped, apart))
})

describe("whoever tells of something", () => {
  it.live("waits for nothing while the API server is silent, and what is too much is dropped and counted", () =>
    Effect.gen(function*() {
      const { api, fiber, tell } = yield* writing([silent])
      const before = yield* counted("dropped")
      for (let index = 0; index < 2 * Told.mostWaiting; index++) yield* tell(told(`w${index}`, `n${index}`))
      assert.isAtLeast((yield* counted("dropped")) - before, Told.mostWaiting - 1)
      yield* calls(api, 1)
      // and it ends at once when the process does
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.scoped, apart))

  it.effect("gets a share for each namespace, so that a loud one takes nobody's place", () =>
    Effect.gen(function*() {
      const { take, tell } = yield* Told.Events
      for (let index = 0; index < 5 * Told.mostWaiting; index++) yield* tell(told(`w${index}`, "loud"))
      yield* tell(told("web", "calm"))
      const taken = yield* Effect.forEach(Array.from({ length: burst + 1 }), () => take)
      assert.strictEqual(taken.at(-1)?.event.regarding.namespace, "calm")
    }).pipe(Effect.provide(Layer.fresh(Told.layer))))

  it.effect("has the same counted, and told now and then", () =>
    Effect.gen(function*() {
      const { take, tell } = yield* Told.Events
      for (let index = 0; index < 7; index++) {
        yield* tell(told("web"))
        yield* TestClock.adjust(refresh / 3)
      }
      const first = yield* take
      const counts = [yield* take, yield* take]
      assert.deepStrictEqual([first.count, ...counts.map((it) => it.count)], [1, 2, 5])
      assert.isTrue(counts.every((it) => it.name === first.name))
    }).pipe(Effect.provide(Layer.fresh(Told.layer))))
})
