import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, Option, Ref, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { applyPatch } from "rfc6902"
import { type Registration, registration } from "../../../src/admission/registration/Registration.ts"
import {
  encodeBundle,
  mutatingConfiguration,
  mutatingWebhook,
  validatingConfiguration,
  validatingWebhook,
  type Webhook
} from "../../../src/admission/registration/Webhooks.ts"
import { KubeClient, type KubeRequest } from "../../../src/kube/KubeClient.ts"
import { fromStatus, fromTransport, type KubeError } from "../../../src/kube/KubeError.ts"
import { type Settings, settingsOf } from "../../../src/settings/Settings.ts"
import { uptime } from "../../../src/telemetry/Uptime.ts"
import { type Answer, failure, fakeApi, json, refuse, testingAt } from "../../kube/FakeApi.ts"
import { eventually } from "../../support/Eventually.ts"

const bundle = "-----BEGIN CERTIFICATE-----\none\n-----END CERTIFICATE-----\n"
const nextBundle = `${bundle}-----BEGIN CERTIFICATE-----\ntwo\n-----END CERTIFICATE-----\n`
const target = { ownNamespace: "image-cloner", url: undefined, bundle }
const on: Partial<Settings> = { MUTATING_WEBHOOK: "on", VALIDATING_WEBHOOK: "warn" }

interface Stored {
  readonly metadata: { readonly resourceVersion: string }
  readonly webhooks?: ReadonlyArray<unknown>
}

const refusal = (request: KubeRequest, status: number, message = "no"): KubeError =>
  fromStatus({
    operation: `${request.method} ${request.path}`,
    mutation: request.method !== "GET",
    status,
    body: failure(status, "", message),
    retryAfter: undefined
  })

/** Two configurations in an API server's memory; `trouble` answers instead of it while it is there. */
const server = () => {
  const objects = new Map<string, Stored>([mutatingConfiguration, validatingConfiguration].map((it) => [
    it.path,
    { metadata: { resourceVersion: "1" } }
  ]))
  const calls: Array<KubeRequest> = []
  const log: Array<string> = []
  let trouble: ((request: KubeRequest) => Effect.Effect<unknown, KubeError> | undefined) | undefined
  let version = 1

  const put = (path: string, webhooks: ReadonlyArray<unknown>) =>
    objects.set(path, {
      metadata: { resourceVersion: String(++version) },
      ...(webhooks.length > 0 ? { webhooks } : {})
    })

  const request = Effect.fnUntraced(function*(asked: KubeRequest) {
    calls.push(asked)
    const instead = trouble?.(asked)
    if (instead !== undefined) return yield* instead
    const object = objects.get(asked.path)
    if (object === undefined) return yield* refusal(asked, 404)
    if (asked.method === "GET") return structuredClone(object)
    assert.strictEqual(asked.method, "PATCH")
    assert.strictEqual(asked.contentType, "application/json-patch+json")
    assert(Array.isArray(asked.body))
    const copy: Stored = structuredClone(object)
    if (applyPatch(copy, structuredClone(asked.body)).some((it) => it !== null)) return yield* refusal(asked, 422, "")
    put(asked.path, copy.webhooks ?? [])
    return structuredClone(objects.get(asked.path))
  })

  return {
    objects,
    calls,
    log,
    put,
    webhooksOf: (path: string) => objects.get(path)?.webhooks ?? [],
    fail: (it: typeof trouble) => {
      trouble = it
    },
    patches: () => calls.filter((it) => it.method === "PATCH").length,
    layer: Layer.mergeAll(
      Layer.succeed(KubeClient, KubeClient.of({ server: "", request, frames: () => assert.fail("no watch is meant") })),
      Logger.layer([Logger.make(({ logLevel, message }) => {
        if (logLevel !== "Debug") log.push(`${logLevel} ${String(message)}`)
      })])
    )
  }
}

interface World {
  readonly registration: Registration
  readonly settings: (changes: Partial<Settings>) => Effect.Effect<void>
  readonly bundle: (pem: string) => Effect.Effect<void>
  readonly leads: Ref.Ref<boolean>
  readonly serves: Ref.Ref<boolean>
}

/** Runs a registration at a server for as long as `test` does. */
const world = <E, R>(
  at: ReturnType<typeof server>,
  given: { readonly settings?: Partial<Settings>; readonly bundle?: string | undefined },
  test: (it: World) => Effect.Effect<void, E, R>
) =>
  Effect.gen(function*() {
    const settings = yield* SubscriptionRef.make(settingsOf("backup.example/copies", given.settings))
    const bundles = yield* SubscriptionRef.make(Option.fromUndefinedOr("bundle" in given ? given.bundle : bundle))
    const leads = yield* Ref.make(true)
    const serves = yield* Ref.make(true)
    const it = yield* registration({
      ownNamespace: "image-cloner",
      url: undefined,
      bundle: bundles,
      settings,
      leads: Ref.get(leads),
      serves: Ref.get(serves)
    })
    const fiber = yield* Effect.forkChild(it.run)
    yield* TestClock.adjust(0)
    yield* test({
      registration: it,
      // an adjustment by nothing lets every fiber do what it can by now
      settings: (changes) =>
        SubscriptionRef.update(settings, (now) => ({ ...now, ...changes })).pipe(Effect.andThen(TestClock.adjust(0))),
      bundle: (pem) => SubscriptionRef.set(bundles, Option.some(pem)).pipe(Effect.andThen(TestClock.adjust(0))),
      leads,
      serves
    })
    assert.isUndefined(fiber.pollUnsafe(), "it has ended")
    yield* Fiber.interrupt(fiber)
  }).pipe(Effect.provide(at.layer))

/** What AKS makes of our webhook. */
const aksOf = (webhook: Webhook): Webhook => ({
  ...webhook,
  namespaceSelector: {
    matchExpressions: [
      { key: "control-plane", operator: "NotIn", values: ["true"] },
      ...(webhook.namespaceSelector.matchExpressions ?? [])
    ]
  }
})

/** What nobody who means well makes of it. */
const onlyTeamA = (webhook: Webhook): Webhook => ({
  ...webhook,
  namespaceSelector: { matchExpressions: [{ key: "team", operator: "In", values: ["a"] }] }
})

/** For so many seconds, somebody makes the same of our mutating webhook each second. In which seconds it was written by us. */
const enforcing = Effect.fnUntraced(function*(
  at: ReturnType<typeof server>,
  change: (webhook: Webhook) => Webhook,
  seconds: number
) {
  const times: Array<number> = []
  const [{ caBundle }] = at.webhooksOf(mutatingConfiguration.path).map((it) => Object(Object(it).clientConfig))
  const pem = Buffer.from(String(caBundle), "base64").toString()
  for (let second = 1; second <= seconds; second++) {
    at.put(mutatingConfiguration.path, [change(mutatingWebhook({ ...target, bundle: pem }))])
    const before = at.patches()
    yield* TestClock.adjust("1 second")
    if (at.patches() > before) times.push(second)
  }
  return times
})

describe("switches", () => {
  it.effect("take effect at once, are said once, and nothing is written again", () => {
    const at = server()
    return world(at, {}, (it) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* it.registration.state, { mutating: false, validating: false })
        assert.deepStrictEqual(at.log, [])
        yield* it.settings({ MUTATING_WEBHOOK: "on" })
        assert.deepStrictEqual(at.webhooksOf(mutatingConfiguration.path), [mutatingWebhook(target)])
        assert.deepStrictEqual(at.webhooksOf(validatingConfiguration.path), [])
        yield* it.settings({ VALIDATING_WEBHOOK: "warn" })
        assert.deepStrictEqual(at.webhooksOf(validatingConfiguration.path), [validatingWebhook(target)])
        assert.deepStrictEqual(yield* it.registration.state, { mutating: true, validating: true })
        yield* it.settings({ VALIDATING_WEBHOOK: "enforce" })
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(at.patches(), 2)
        yield* it.settings({ MUTATING_WEBHOOK: "off", VALIDATING_WEBHOOK: "off" })
        assert.deepStrictEqual(at.webhooksOf(mutatingConfiguration.path), [])
        assert.deepStrictEqual(at.webhooksOf(validatingConfiguration.path), [])
        assert.deepStrictEqual(yield* it.registration.state, { mutating: false, validating: false })
        assert.deepStrictEqual(at.log.map((line) => line.replace(/ \(.*/, "")), [
          "Info new pods are pointed to their copies from now on",
          "Info whoever makes pods with images that are not from the backup is warned from now on",
          "Info new pods with images that are not from the backup are refused from now on",
          "Info new pods are made as they are written from now on",
          "Info new pods are no longer asked whether their images are from the backup"
        ])
      }))
  })

  it.effect("that are both off cost a look a minute, and still do not wait for it", () => {
    const at = server()
    return world(at, {}, (it) =>
      Effect.gen(function*() {
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(at.calls.length, 22)
        yield* it.settings({ MUTATING_WEBHOOK: "on" })
        assert.strictEqual(at.webhooksOf(mutatingConfiguration.path).length, 1)
      }))
  })

  it.effect("wait for the server and its certificate before anything is filled in", () => {
    const at = server()
    return world(at, { settings: on, bundle: undefined }, (it) =>
      Effect.gen(function*() {
        yield* Ref.set(it.serves, false)
        yield* TestClock.adjust("10 seconds")
        yield* it.bundle(bundle)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(at.patches(), 0)
        yield* Ref.set(it.serves, true)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(at.patches(), 2)
      }))
  })

  it.effect("that are off are obeyed without a server and without a certificate", () => {
    const at = server()
    at.put(mutatingConfiguration.path, [mutatingWebhook(target), { name: "theirs.example.com" }])
    return world(at, { bundle: undefined }, (it) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(at.webhooksOf(mutatingConfiguration.path), [{ name: "theirs.example.com" }])
        assert.deepStrictEqual(yield* it.registration.state, { mutating: false, validating: false })
      }))
  })

  it.effect("are written by the leader alone; the others see what it did", () => {
    const at = server()
    return world(at, { bundle: undefined, settings: on }, (it) =>
      Effect.gen(function*() {
        yield* Ref.set(it.leads, false)
        yield* it.bundle(bundle)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(at.patches(), 0)
        assert.deepStrictEqual(at.log, [])
        at.put(mutatingConfiguration.path, [mutatingWebhook(target)])
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(yield* it.registration.state, { mutating: true, validating: false })
        assert.match(at.log.join(), /^Info new pods are pointed to their copies from now on/)
        yield* Ref.set(it.leads, true)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(at.patches(), 1)
      }))
  })
})

describe("what others do", () => {
  it.effect("is repaired within seconds and said now and then, whatever it is", () => {
    const at = server()
    return world(at, { settings: on }, () =>
      Effect.gen(function*() {
        at.log.length = 0
        for (let round = 0; round < 5; round++) {
          yield* TestClock.adjust("1 minute")
          at.put(
            mutatingConfiguration.path,
            round % 2 === 0 ? [] : [{ ...mutatingWebhook(target), failurePolicy: "Fail" }]
          )
          yield* TestClock.adjust("2 seconds")
          assert.deepStrictEqual(at.webhooksOf(mutatingConfiguration.path), [mutatingWebhook(target)])
        }
        assert.deepStrictEqual(at.log, [
          "Warn MutatingWebhookConfiguration zz-image-cloner was changed by somebody else (pods.mutate.image-cloner.io is " +
          "missing), and says what it should again; whatever applies it must leave its webhooks out"
        ])
      }))
  })

  it.effect("is left where a platform's enforcer excludes more, also through a new authority", () => {
    const at = server()
    return world(at, { settings: on }, (it) =>
      Effect.gen(function*() {
        yield* enforcing(at, aksOf, 60)
        assert.strictEqual(at.patches(), 2)
        yield* it.bundle(nextBundle)
        const wanted = mutatingWebhook({ ...target, bundle: nextBundle })
        assert.deepStrictEqual(at.webhooksOf(mutatingConfiguration.path), [aksOf(wanted)])
        yield* enforcing(at, aksOf, 60)
        assert.strictEqual(at.patches(), 4)
        assert.isEmpty(at.log.filter((line) => line.startsWith("Warn")))
      }))
  })

  it.effect("again each time is repaired more and more rarely, said so, and keeps no switch and no authority waiting", () => {
    const at = server()
    return world(at, { settings: { MUTATING_WEBHOOK: "on" } }, (it) =>
      Effect.gen(function*() {
        at.log.length = 0
        const times = yield* enforcing(at, onlyTeamA, 20 * 60)
        const gaps = times.map((time, index) => time - (times[index - 1] ?? 0))
        assert.deepStrictEqual(gaps, [2, 2, 2, 2, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
        const label = "; if it is the Admissions Enforcer of AKS, label the configuration " +
          "`admissions.enforcer/disabled: \"true\"`"
        assert.deepStrictEqual(at.log.slice(0, 2), [
          "Warn MutatingWebhookConfiguration zz-image-cloner was changed by somebody else (namespaceSelector), and says what " +
          `it should again; whatever applies it must leave its webhooks out${label}`,
          "Warn MutatingWebhookConfiguration zz-image-cloner is changed again and again by somebody else " +
          "(namespaceSelector), so it is brought back more and more rarely, every five minutes in the end; find out who " +
          `does it, and have it leave the webhooks of this configuration alone${label}`
        ])
        assert.isAtMost(at.log.length, 4)
        yield* it.bundle(nextBundle)
        const wanted = mutatingWebhook({ ...target, bundle: nextBundle })
        assert.deepStrictEqual(at.webhooksOf(mutatingConfiguration.path), [wanted])
        yield* enforcing(at, onlyTeamA, 10)
        yield* it.settings({ MUTATING_WEBHOOK: "off" })
        assert.deepStrictEqual(at.webhooksOf(mutatingConfiguration.path), [])
        yield* it.settings({ MUTATING_WEBHOOK: "on" })
        assert.deepStrictEqual(at.webhooksOf(mutatingConfiguration.path), [wanted])
      }))
  })

  it.effect("is repaired within seconds again once it was left alone for a minute", () => {
    const at = server()
    return world(at, { settings: { MUTATING_WEBHOOK: "on" } }, () =>
      Effect.gen(function*() {
        yield* enforcing(at, onlyTeamA, 100)
        yield* TestClock.adjust("5 minutes")
        assert.deepStrictEqual(at.webhooksOf(mutatingConfiguration.path), [mutatingWebhook(target)])
        at.put(mutatingConfiguration.path, [])
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(at.webhooksOf(mutatingConfiguration.path), [mutatingWebhook(target)])
      }))
  })

  it.effect("never leaves it to us whether pods start, however often somebody says so", () => {
    const at = server()
    return world(at, { settings: { MUTATING_WEBHOOK: "on" } }, () =>
      Effect.gen(function*() {
        for (let round = 0; round < 30; round++) {
          at.put(mutatingConfiguration.path, [{ ...mutatingWebhook(target), failurePolicy: "Fail" }])
          yield* TestClock.adjust("2 seconds")
          assert.deepStrictEqual(at.webhooksOf(mutatingConfiguration.path), [mutatingWebhook(target)])
        }
      }))
  })

  it.effect("never keeps in force what is switched off, however often somebody puts it back", () => {
    const at = server()
    return world(at, { settings: { VALIDATING_WEBHOOK: "warn" } }, () =>
      Effect.gen(function*() {
        for (let round = 0; round < 30; round++) {
          at.put(mutatingConfiguration.path, [mutatingWebhook(target)])
          yield* TestClock.adjust("2 seconds")
          assert.deepStrictEqual(at.webhooksOf(mutatingConfiguration.path), [])
        }
      }))
  })

  it.effect("between our look and our patch makes the patch void, and the next look decides anew", () => {
    const at = server()
    return world(at, { settings: { MUTATING_WEBHOOK: "on" }, bundle: undefined }, (it) =>
      Effect.gen(function*() {
        let raced = false
        at.fail((request) => {
          if (request.method === "PATCH" && !raced) {
            raced = true
            at.put(mutatingConfiguration.path, [{ name: "theirs.example.com" }])
          }
          return undefined
        })
        yield* it.bundle(bundle)
        assert.deepStrictEqual(at.webhooksOf(mutatingConfiguration.path), [{ name: "theirs.example.com" }])
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(at.webhooksOf(mutatingConfiguration.path), [
          { name: "theirs.example.com" },
          mutatingWebhook(target)
        ])
        assert.strictEqual(at.log.length, 1) // that it is on
      }))
  })
})

describe("a configuration that is not there", () => {
  it.effect("is said once while its switch is on, and again after it was there", () => {
    const at = server()
    at.objects.clear()
    return world(at, {}, (it) =>
      Effect.gen(function*() {
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(at.log, [])
        assert.isAtMost(at.calls.length, 130)
        yield* it.settings({ MUTATING_WEBHOOK: "on" })
        yield* TestClock.adjust("1 hour")
        const missing =
          "Warn MutatingWebhookConfiguration zz-image-cloner does not exist: apply manifests/overlays/admission"
        assert.deepStrictEqual(at.log, [missing])
        at.put(mutatingConfiguration.path, [])
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(at.webhooksOf(mutatingConfiguration.path).length, 1)
        at.objects.clear()
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(at.log.filter((line) => line === missing).length, 2)
        assert.deepStrictEqual(yield* it.registration.state, { mutating: false, validating: false })
      }))
  })
})

describe("a missing right", () => {
  it.effect("is said once while a switch is on, and to nobody else", () => {
    const at = server()
    at.fail((request) => Effect.fail(refusal(request, 403, "cannot get resource")))
    return world(at, {}, (it) =>
      Effect.gen(function*() {
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(at.log, [])
        yield* it.settings({ VALIDATING_WEBHOOK: "warn" })
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(at.log.length, 1)
        assert.match(
          at.log[0] ?? "",
          /^Warn ValidatingWebhookConfiguration image-cloner .* the right is missing: apply/
        )
        assert.isUndefined(yield* it.registration.publishedSince(bundle))
        at.fail(undefined)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(at.webhooksOf(validatingConfiguration.path).length, 1)
      }))
  })

  it.effect("to switch off is said, because pods still come to us", () => {
    const at = server()
    return world(at, { settings: on }, (it) =>
      Effect.gen(function*() {
        at.fail((request) => request.method === "PATCH" ? Effect.fail(refusal(request, 403)) : undefined)
        at.log.length = 0
        yield* it.settings({ MUTATING_WEBHOOK: "off" })
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(at.log.length, 1)
        assert.deepStrictEqual(yield* it.registration.state, { mutating: true, validating: true })
      }))
  })
})

describe("an API server", () => {
  const troubles: ReadonlyArray<readonly [string, (request: KubeRequest) => Effect.Effect<unknown, KubeError>]> = [
    [
      "that is not there",
      (request) => Effect.fail(fromTransport(request.path, request.method !== "GET", { code: "ECONNREFUSED" }))
    ],
    ["that never answers", () => Effect.never],
    ["that is overloaded", (request) => Effect.fail(refusal(request, 429))],
    ["that fails", (request) => Effect.fail(refusal(request, 500))],
    ["that says nothing", () => Effect.undefined],
    ["that answers something else", () => Effect.succeed({ kind: "Thing", metadata: { resourceVersion: 7 } })],
    ["that answers a list of texts", () => Effect.succeed({ metadata: { resourceVersion: "1" }, webhooks: ["a"] })]
  ]
  for (const [what, trouble] of troubles) {
    for (const method of ["GET", "PATCH"] as const) {
      it.effect(`${what} to a ${method} is asked again, without a flood, and never keeps a switch from the other`, () => {
        const at = server()
        const { path } = mutatingConfiguration
        at.fail((request) => request.path === path && request.method === method ? trouble(request) : undefined)
        return world(at, { settings: on }, () =>
          Effect.gen(function*() {
            assert.strictEqual(at.webhooksOf(validatingConfiguration.path).length, 1)
            yield* TestClock.adjust("5 minutes")
            assert.strictEqual(at.log.filter((line) => line.startsWith("Warn")).length, 1, at.log.join("\n"))
            at.fail(undefined)
            yield* TestClock.adjust("7 seconds") // a request that is under way has five
            assert.deepStrictEqual(at.webhooksOf(path), [mutatingWebhook(target)])
          }))
      })
    }
  }

  it.live("whose connections break, or that is no API server, is asked again over real sockets", () =>
    Effect.gen(function*() {
      const found = (version: string, webhooks: ReadonlyArray<unknown>) =>
        json(200, { metadata: { resourceVersion: version }, webhooks })
      const broken: Array<Answer> = [
        (_, response) => response.socket?.destroy(),
        refuse(503, "ServiceUnavailable"),
        json(200, "<html>"),
        (_, response) => {
          response.writeHead(200, { "content-type": "application/json", "content-length": "1000" })
          response.write("{\"metadata\":", () => response.socket?.destroy())
        }
      ]
      let patched = false
      const answer: Answer = (call, response) => {
        const isMutating = call.path === mutatingConfiguration.path
        const trouble = isMutating ? broken.shift() : undefined
        if (trouble !== undefined) return trouble(call, response)
        patched ||= call.method === "PATCH"
        found(patched ? "2" : "1", isMutating && patched ? [mutatingWebhook(target)] : [])(call, response)
      }
      const api = yield* fakeApi(Array.from({ length: 1000 }, () => answer))
      const it = yield* registration({
        ownNamespace: "image-cloner",
        url: undefined,
        bundle: yield* SubscriptionRef.make(Option.some(bundle)),
        settings: yield* SubscriptionRef.make(settingsOf("backup.example/copies", { MUTATING_WEBHOOK: "on" })),
        leads: Effect.succeed(true),
        serves: Effect.succeed(true)
      }).pipe(Effect.provide(KubeClient.layerFrom({ server: api.server })))
      yield* Effect.forkChild(it.run)
      yield* eventually("it is not registered", it.state, ({ mutating }) => mutating)
      const patch = api.calls.find((call) => call.method === "PATCH")
      assert.strictEqual(patch?.path, mutatingConfiguration.path)
      assert.strictEqual(patch?.headers["content-type"], "application/json-patch+json")
    }).pipe(Effect.scoped, Effect.provide(testingAt(10))))
})

describe("a bundle", () => {
  it.effect("is published since the last of the configurations that have our webhook carries it", () => {
    const at = server()
    return world(at, { settings: on }, (it) =>
      Effect.gen(function*() {
        const first = yield* it.registration.publishedSince(bundle)
        assert.strictEqual(first, yield* uptime)
        assert.isUndefined(yield* it.registration.publishedSince(nextBundle))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* it.registration.publishedSince(bundle), first)
        at.fail((request) => request.path === validatingConfiguration.path ? Effect.never : undefined)
        yield* it.bundle(nextBundle)
        assert.deepInclude(Object(at.webhooksOf(mutatingConfiguration.path)[0]).clientConfig, {
          caBundle: encodeBundle(nextBundle)
        })
        assert.isUndefined(yield* it.registration.publishedSince(nextBundle))
        at.fail(undefined)
        yield* TestClock.adjust("10 seconds")
        const since = yield* it.registration.publishedSince(nextBundle)
        assert.isAbove(since ?? 0, (first ?? 0) + 60_000)
        assert.isUndefined(yield* it.registration.publishedSince(bundle))
        assert.isEmpty(at.log.filter((line) => line.includes("somebody else")))
      }))
  })

  it.effect("with no webhook of ours anywhere is as good as published since the look that found so", () => {
    const at = server()
    at.fail(() => Effect.never)
    return world(at, {}, (it) =>
      Effect.gen(function*() {
        assert.isUndefined(yield* it.registration.publishedSince(bundle))
        at.fail(undefined)
        yield* TestClock.adjust("10 seconds")
        const since = yield* it.registration.publishedSince(bundle)
        assert.isNumber(since)
        yield* TestClock.adjust("5 minutes")
        assert.strictEqual(yield* it.registration.publishedSince(nextBundle), since)
      }))
  })
})
