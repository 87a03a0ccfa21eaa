import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { applyPatch } from "rfc6902"
import { makeKeepPullSecret } from "../../src/access/KeepPullSecret.ts"
import { copyLabel } from "../../src/access/SecretCopies.ts"
import { KubeClient, type KubeRequest } from "../../src/kube/KubeClient.ts"
import { fromStatus, fromTransport, type KubeError } from "../../src/kube/KubeError.ts"
import { basic } from "../../src/registry/auth/DockerConfig.ts"
import { type Settings, settingsOf } from "../../src/settings/Settings.ts"
import { WorkloadStore } from "../../src/store/WorkloadStore.ts"
import { projectAccount, projectNamespace } from "../../src/workload/ProjectSurroundings.ts"
import { failure } from "../kube/FakeApi.ts"
import { workload } from "../support/Objects.ts"

const encoded = (password: string, username = "puller") =>
  Buffer.from(JSON.stringify({ auths: { "registry.example.com": { username, password } } })).toString("base64")

const secretOf = (data: string, labels: Record<string, string> = {}) => ({
  type: "kubernetes.io/dockerconfigjson",
  metadata: { labels },
  data: { ".dockerconfigjson": data }
})

interface Stored {
  readonly metadata: { readonly labels?: Record<string, string>; readonly managedFields?: ReadonlyArray<unknown> }
  readonly data?: Record<string, string>
  readonly imagePullSecrets?: ReadonlyArray<{ readonly name: string }>
}

type Trouble = (request: KubeRequest) => Effect.Effect<unknown, KubeError> | undefined

const refusal = (request: KubeRequest, code: number, message = "", details: object = {}): KubeError =>
  fromStatus({
    operation: `${request.method} ${request.path}`,
    mutation: request.method !== "GET",
    status: code,
    body: failure(code, "", message, details),
    retryAfter: undefined
  })

const secretIn = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets/pull`
const accountIn = (namespace: string): string => `/api/v1/namespaces/${namespace}/serviceaccounts/default`

/** The store and an API server's memory, in which the workloads of these namespaces run. */
const world = (namespaces: ReadonlyArray<string>, password = encoded("pull-word")) => {
  const objects = new Map<string, Stored>([[secretIn("image-cloner"), secretOf(password)]])
  const calls: Array<string> = []
  const log: Array<string> = []
  let trouble: Trouble | undefined

  const patch = (asked: KubeRequest, object: Stored) => {
    assert(Array.isArray(asked.body))
    const copy = structuredClone(object)
    // the API server's library takes a name that is not there for null; this one does not
    const operations = asked.body.filter((it) => it.op !== "test" || it.value !== null)
    if (applyPatch(copy, structuredClone(operations)).some((it) => it !== null)) return Effect.fail(refusal(asked, 422))
    objects.set(asked.path, copy)
    return Effect.succeed(copy)
  }

  const request = (asked: KubeRequest): Effect.Effect<unknown, KubeError> =>
    Effect.suspend(() => {
      calls.push(`${asked.method} ${asked.path.replace("/api/v1/namespaces/", "")}`)
      const instead = trouble?.(asked)
      if (instead !== undefined) return instead
      if (asked.method === "POST") {
        const path = `${asked.path}/pull`
        if (objects.has(path)) return Effect.fail(refusal(asked, 409))
        objects.set(path, asked.body as Stored) // what a creation has is an object
        return Effect.succeed(asked.body)
      }
      const object = objects.get(asked.path)
      if (object === undefined) return Effect.fail(refusal(asked, 404))
      return asked.method === "PATCH" ? patch(asked, object) : Effect.succeed(structuredClone(object))
    })

  const layer = Layer.mergeAll(
    WorkloadStore.layer,
    Layer.succeed(KubeClient, KubeClient.of({ server: "", request, frames: () => assert.fail("no watch is meant") })),
    Logger.layer([Logger.make(({ message }) => void log.push(String(message)))])
  )

  /** What the watches would have told by now. */
  const watchAll = Effect.gen(function*() {
    const store = yield* WorkloadStore
    for (const name of namespaces) {
      store.putNamespace(projectNamespace({ metadata: { name, uid: `uid-${name}` } }) ?? assert.fail())
      if (!objects.has(accountIn(name))) objects.set(accountIn(name), { metadata: {} })
      const { imagePullSecrets, metadata } = objects.get(accountIn(name)) ?? { metadata: {} }
      const account = {
        metadata: { ...metadata, name: "default", namespace: name },
        imagePullSecrets: imagePullSecrets ?? []
      }
      store.putAccount(projectAccount(account) ?? assert.fail())
      store.putWorkload(workload({ namespace: name }))
    }
    for (const resource of ["namespaces", "serviceaccounts"]) store.markSynced(resource)
  })

  return {
    objects,
    calls,
    log,
    layer,
    watchAll,
    fail: (it: Trouble | undefined) => {
      trouble = it
    },
    take: () => calls.splice(0)
  }
}

const settings = (others: Partial<Settings> = {}) =>
  settingsOf("registry.example.com/copies", { PULL_SECRET: "pull", ...others })

const make = (mayWrite = true) =>
  makeKeepPullSecret({
    ownNamespace: "image-cloner",
    mayWrite: Effect.succeed(mayWrite),
    logins: () => Effect.succeed([basic("pusher", "push-word")])
  })

describe("the pull secret", () => {
  it.effect("is made in each namespace and named by its accounts, and a second look writes nothing", () => {
    const it = world(["shop", "web"])
    return Effect.gen(function*() {
      const look = yield* make()
      yield* it.watchAll
      yield* look(settings())
      assert.sameMembers(it.take(), [
        "GET image-cloner/secrets/pull",
        "POST shop/secrets",
        "PATCH shop/serviceaccounts/default",
        "POST web/secrets",
        "PATCH web/serviceaccounts/default"
      ])
      const made = it.objects.get(secretIn("shop"))
      assert.strictEqual(made?.metadata.labels?.[copyLabel], "true")
      assert.deepStrictEqual(made?.data, { ".dockerconfigjson": encoded("pull-word") })
      assert.deepStrictEqual(it.objects.get(accountIn("web"))?.imagePullSecrets, [{ name: "pull" }])
      yield* it.watchAll
      yield* look(settings())
      assert.deepStrictEqual(it.take(), [])
      assert.deepStrictEqual(it.log, [])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("follows a change of the Secret, with one change a namespace; and is forgotten by no restart", () => {
    const it = world(["shop"])
    return Effect.gen(function*() {
      yield* it.watchAll
      yield* Effect.flatMap(make(), (look) => look(settings()))
      yield* it.watchAll
      // another process knows nothing of what was written
      const look = yield* make()
      it.objects.set(secretIn("image-cloner"), secretOf(encoded("next-word")))
      it.take()
      yield* look(settings())
      assert.deepStrictEqual(it.take(), [
        "GET image-cloner/secrets/pull",
        "POST shop/secrets",
        "PATCH shop/secrets/pull"
      ])
      assert.deepStrictEqual(it.objects.get(secretIn("shop"))?.data, { ".dockerconfigjson": encoded("next-word") })
      yield* TestClock.adjust("30 seconds")
      yield* look(settings())
      assert.deepStrictEqual(it.take(), ["GET image-cloner/secrets/pull"])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("never goes over a Secret that is not ours, whose namespace is named once", () => {
    const it = world(["shop"])
    const theirs = secretOf("dGhlaXJz")
    it.objects.set(secretIn("shop"), theirs)
    return Effect.gen(function*() {
      const look = yield* make()
      yield* it.watchAll
      for (let looks = 0; looks < 3; looks++) {
        yield* look(settings())
        yield* TestClock.adjust("2 minutes")
      }
      assert.deepStrictEqual(it.objects.get(secretIn("shop")), theirs)
      assert.isUndefined(it.objects.get(accountIn("shop"))?.imagePullSecrets)
      assert.lengthOf(it.log, 1)
      assert.include(it.log[0], "shop: Secret pull is not done: a Secret of that name is there without the label")
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is not written over the list of another field manager, who is told the line", () => {
    const it = world(["shop"])
    const managedFields = [{ manager: "argocd", operation: "Apply", fieldsV1: { "f:imagePullSecrets": {} } }]
    it.objects.set(accountIn("shop"), { metadata: { managedFields }, imagePullSecrets: [{ name: "theirs" }] })
    return Effect.gen(function*() {
      yield* it.watchAll
      yield* Effect.flatMap(make(), (look) => look(settings()))
      assert.deepStrictEqual(it.objects.get(accountIn("shop"))?.imagePullSecrets, [{ name: "theirs" }])
      assert.deepStrictEqual(it.log, [
        "ServiceAccount shop/default: its pull secrets are not ours: add \"- name: pull\" to imagePullSecrets in what \"argocd\" applies"
      ])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is refused with the login that pushes, and where it is no such Secret", () => {
    const it = world(["shop"], encoded("push-word"))
    return Effect.gen(function*() {
      const look = yield* make()
      yield* it.watchAll
      yield* look(settings())
      assert.deepStrictEqual(it.take(), ["GET image-cloner/secrets/pull"])
      it.objects.delete(secretIn("image-cloner"))
      yield* TestClock.adjust("10 seconds")
      yield* look(settings())
      assert.lengthOf(it.log, 2)
      assert.include(it.log[0], "has the login by which copies are pushed")
      assert.include(it.log[1], "there is none")
      assert.notInclude(it.log.join(), "push-word")
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is nobody's while it is off, in a dry run, by a replica that does not lead, or before all is seen", () => {
    const it = world(["shop"])
    return Effect.gen(function*() {
      const look = yield* make()
      yield* look(settings())
      yield* it.watchAll
      yield* look(settings({ PULL_SECRET: "" }))
      yield* look(settings({ DRY_RUN: true }))
      yield* look(settings({ NAMESPACES_TO_IGNORE: ["shop"], DRY_RUN: true }))
      yield* Effect.flatMap(make(false), (other) => other(settings()))
      assert.deepStrictEqual(it.take(), [])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("goes on after a refusal, an outage and a silence; no namespace holds another up, and nothing is quoted", () => {
    const it = world(["shop", "web"])
    return Effect.gen(function*() {
      const look = yield* make()
      yield* it.watchAll
      const troubles: ReadonlyArray<Trouble> = [
        (asked) => Effect.fail(refusal(asked, 403, "pull-word is forbidden")),
        (asked) => Effect.fail(fromTransport(asked.path, true, new Error("cut off"))),
        (asked) => Effect.fail(refusal(asked, 422, "pull-word is bad", { causes: [{ message: "pull-word" }] })),
        () => Effect.never
      ]
      for (const trouble of troubles) {
        it.fail((asked) => asked.path.includes("/shop/") ? trouble(asked) : undefined)
        const looking = yield* Effect.forkChild(look(settings()))
        yield* TestClock.adjust("6 seconds")
        yield* Effect.yieldNow
        assert.isDefined(looking.pollUnsafe(), "a silent server holds the look up")
        yield* TestClock.adjust("2 minutes")
        yield* it.watchAll
      }
      assert.isDefined(it.objects.get(secretIn("web")))
      assert.isUndefined(it.objects.get(secretIn("shop")))
      assert.notInclude(it.log.join(), "word")
      assert.include(it.log.join(), "manifests/pull-secret")
      it.fail(undefined)
      yield* look(settings())
      assert.isDefined(it.objects.get(secretIn("shop")))
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is finished by the next process where one was killed between the two writes", () => {
    const it = world(["shop"])
    return Effect.gen(function*() {
      yield* it.watchAll
      it.fail((asked) => asked.path.includes("serviceaccounts") ? Effect.interrupt : undefined)
      yield* Effect.exit(Effect.flatMap(make(), (look) => look(settings())))
      assert.isDefined(it.objects.get(secretIn("shop")))
      it.fail(undefined)
      yield* Effect.flatMap(make(), (look) => look(settings()))
      assert.deepStrictEqual(it.objects.get(accountIn("shop"))?.imagePullSecrets, [{ name: "pull" }])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is left where the namespace is just being deleted", () => {
    const it = world(["shop"])
    return Effect.gen(function*() {
      yield* it.watchAll
      const details = { causes: [{ reason: "NamespaceTerminating", message: "" }] }
      it.fail((asked) => asked.method === "GET" ? undefined : Effect.fail(refusal(asked, 403, "", details)))
      yield* Effect.flatMap(make(), (look) => look(settings()))
      assert.deepStrictEqual(it.log, [])
    }).pipe(Effect.provide(it.layer))
  })
})
