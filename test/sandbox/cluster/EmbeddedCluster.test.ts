// What only the embedded server can do: go wrong on purpose, let in users with few rights, forget its history.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Redacted, Stream } from "effect"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import type { KubeError } from "../../../src/kube/KubeError.ts"
import * as J from "../../../sandbox/Json.ts"
import { send } from "../Http.ts"
import * as Sandbox from "../support/Sandbox.ts"
import { linesOf } from "../../kube/LinesOf.ts"

const configMaps = "/api/v1/namespaces/default/configmaps"
const make = (name: string) => Sandbox.post(configMaps, { metadata: { name } })
const watch = (query: Record<string, string> = {}) =>
  Stream.unwrap(
    Effect.map(KubeClient, (client) =>
      linesOf(client, { method: "GET", path: configMaps, query: { watch: "true", ...query } }))
  ).pipe(
    Stream.filter((line) =>
      line !== ""
    )
  )
const types = (lines: ReadonlyArray<string>) => lines.map((line) => J.text(J.parse(line), "type"))
/** How a watch ends: what it showed, and whether it failed. */
const end = (query: Record<string, string> = {}) =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const outcome = yield* Effect.result(
      watch(query).pipe(Stream.runForEach((line) => Effect.sync(() => lines.push(line))), Effect.timeout("5 seconds"))
    )
    return { lines, failed: outcome._tag === "Failure" }
  })
const whileWatching = <A, E, R>(act: Effect.Effect<A, E, R>, query: Record<string, string> = {}) =>
  Effect.gen(function*() {
    const watching = yield* Effect.forkChild(end(query))
    yield* Effect.sleep("100 millis")
    yield* act
    return yield* Fiber.join(watching)
  })

describe("watches go wrong on purpose", () => {
  it.live("they end, or break", () =>
    Effect.gen(function*() {
      const { client, cluster } = yield* Sandbox.cluster()
      yield* Effect.gen(function*() {
        const ended = yield* whileWatching(cluster.endWatches)
        assert.isFalse(ended.failed)
        const cut = yield* whileWatching(cluster.cutWatches)
        assert.isTrue(cut.failed)
        assert.strictEqual(cluster.watches(), 0)
      }).pipe(Effect.provideContext(client))
    }))

  it.live("they say 410 in their stream, and whoever starts from before is told the same", () =>
    Effect.gen(function*() {
      const { client, cluster } = yield* Sandbox.cluster()
      yield* Effect.gen(function*() {
        const version = J.text(yield* make("a"), "metadata", "resourceVersion") ?? ""
        yield* make("b")
        const expired = yield* whileWatching(cluster.expireWatches, { resourceVersion: version })
        assert.deepStrictEqual(types(expired.lines), ["ADDED", "ERROR"])
        const late = yield* end({ resourceVersion: version })
        assert.deepStrictEqual(types(late.lines), ["ERROR"])
        const status = J.object(J.parse(late.lines[0] ?? ""), "object")
        assert.strictEqual(status["code"], 410)
        assert.strictEqual(status["reason"], "Expired")
      }).pipe(Effect.provideContext(client))
    }))

  it.live("they get a line of garbage", () =>
    Effect.gen(function*() {
      const { client, cluster } = yield* Sandbox.cluster()
      const seen = yield* whileWatching(Effect.andThen(cluster.sendLine("{\"type\":\n"), cluster.endWatches))
        .pipe(Effect.provideContext(client))
      assert.deepStrictEqual(seen.lines, ["{\"type\":"])
    }))

  it.live("bookmarks come as often as told, or not at all", () =>
    Effect.gen(function*() {
      const { client, cluster } = yield* Sandbox.cluster({ bookmarkPeriod: 50 })
      yield* Effect.gen(function*() {
        const query = { allowWatchBookmarks: "true", timeoutSeconds: "1" }
        const many = yield* end(query)
        assert.isAtLeast(many.lines.length, 5)
        assert.isTrue(types(many.lines).every((type) => type === "BOOKMARK"))
        cluster.behaviour.bookmarkPeriod = Infinity
        assert.deepStrictEqual((yield* end(query)).lines, [])
      }).pipe(Effect.provideContext(client))
    }))

  it.live("a server without watch-lists refuses them with 422", () =>
    Effect.gen(function*() {
      const { client } = yield* Sandbox.cluster({ watchList: false })
      const query = { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" }
      const error = yield* Effect.flip(watch(query).pipe(Stream.runDrain)).pipe(Effect.provideContext(client))
      assert.strictEqual(error.status, 422)
      assert.match(error.detail, /unless the WatchList feature gate is enabled/)
    }))

  it.live("history is a ring: what is too old is gone", () =>
    Effect.gen(function*() {
      const { client } = yield* Sandbox.cluster({ historySize: 4 })
      yield* Effect.gen(function*() {
        const version = J.text(yield* make("first"), "metadata", "resourceVersion") ?? ""
        for (let index = 0; index < 12; index++) yield* make(`c${index}`)
        const late = yield* end({ resourceVersion: version })
        assert.deepStrictEqual(types(late.lines), ["ERROR"])
      }).pipe(Effect.provideContext(client))
    }))

  it.live("a page whose list is forgotten is 410, with a token to go on without consistency", () =>
    Effect.gen(function*() {
      const { client, cluster } = yield* Sandbox.cluster()
      const page = (token: string) => send(`${cluster.url}/api/v1/namespaces?limit=1&continue=${token}`)
      const first = (yield* page("")).json()
      yield* cluster.compact
      // Forgotten is only what was before: another write makes the page's version old.
      yield* Effect.provideContext(make("a"), client)
      yield* cluster.compact
      const expired = yield* page(first.metadata.continue)
      assert.strictEqual(expired.status, 410)
      assert.strictEqual(expired.json().reason, "Expired")
      const rest = yield* page(expired.json().metadata.continue)
      assert.strictEqual(rest.json().items[0].metadata.name, "kube-node-lease")
    }))
})

describe("requests go wrong on purpose", () => {
  it.live("they are throttled, and fail, as often as told", () =>
    Effect.gen(function*() {
      const { cluster } = yield* Sandbox.cluster()
      yield* cluster.throttle(3, 1)
      const throttled = yield* send(`${cluster.url}${configMaps}`)
      assert.strictEqual(throttled.status, 429)
      assert.strictEqual(throttled.headers.get("retry-after"), "3")
      assert.strictEqual(throttled.json().details.retryAfterSeconds, 3)
      yield* cluster.fail(2)
      for (const status of [500, 500, 200]) {
        assert.strictEqual((yield* send(`${cluster.url}${configMaps}`)).status, status)
      }
    }))

  it.live("the server is away, and comes back with what it had", () =>
    Effect.gen(function*() {
      const { client, cluster } = yield* Sandbox.cluster()
      yield* Effect.provideContext(make("kept"), client)
      yield* cluster.switchOff
      assert.isTrue(Option.isNone(yield* Effect.option(send(`${cluster.url}${configMaps}`))))
      yield* cluster.switchOn
      assert.strictEqual((yield* send(`${cluster.url}${configMaps}/kept`)).status, 200)
    }))
})

describe("users", () => {
  const as = <A>(effect: Effect.Effect<A, KubeError, KubeClient>, layer: ReturnType<typeof Sandbox.clientOf>) =>
    Effect.flip(effect).pipe(Effect.provide(layer))

  it.live("do what their rules say, and nothing else", () =>
    Effect.gen(function*() {
      const { cluster } = yield* Sandbox.cluster()
      const token = yield* cluster.addUser({
        name: "reader",
        rules: [
          { verbs: ["get", "list"], groups: [""], resources: ["configmaps"], namespaces: ["default"] },
          { verbs: ["patch"], groups: ["apps"], resources: ["deployments"] }
        ]
      })
      const reader = Sandbox.clientOf(cluster, token)
      yield* Sandbox.get(configMaps).pipe(Effect.provide(reader))
      const create = yield* as(make("a"), reader)
      assert.strictEqual(create.reason, "Forbidden")
      assert.strictEqual(
        create.detail,
        `configmaps is forbidden: User "reader" cannot create resource "configmaps" in API group "" in the namespace "default"`
      )
      const everywhere = yield* as(Sandbox.get("/api/v1/configmaps"), reader)
      assert.match(everywhere.detail, /cannot list resource "configmaps" in API group "" at the cluster scope/)
      const status = yield* as(
        Sandbox.call({ method: "PATCH", path: "/apis/apps/v1/namespaces/default/deployments/x/status", body: {} }),
        reader
      )
      assert.match(
        status.detail,
        /"x" is forbidden: .* cannot patch resource "deployments\/status" in API group "apps"/
      )
      yield* cluster.removeToken(token)
      assert.strictEqual((yield* as(Sandbox.get(configMaps), reader)).reason, "Unauthorized")
    }))

  it.live("ask what they may do", () =>
    Effect.gen(function*() {
      const { cluster } = yield* Sandbox.cluster()
      const token = yield* cluster.addUser({
        name: "reader",
        rules: [{ verbs: ["get"], groups: [""], resources: ["pods"] }]
      })
      const review = (verb: string) =>
        Sandbox.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
          spec: { resourceAttributes: { verb, resource: "pods", namespace: "default" } }
        }).pipe(Effect.provide(Sandbox.clientOf(cluster, token)))
      assert.strictEqual(J.at(yield* review("get"), "status", "allowed"), true)
      assert.strictEqual(J.at(yield* review("delete"), "status", "allowed"), false)
    }))

  it.live("are nobody without a token, where that is refused", () =>
    Effect.gen(function*() {
      const { cluster } = yield* Sandbox.cluster({ anonymous: "refused" })
      assert.strictEqual((yield* send(`${cluster.url}${configMaps}`)).status, 401)
      assert.strictEqual((yield* send(`${cluster.url}/readyz`)).status, 200)
    }))

  it.live("of a ServiceAccount get their token from the server, with the rights given to its name", () =>
    Effect.gen(function*() {
      const { client, cluster } = yield* Sandbox.cluster()
      yield* cluster.addUser({
        name: "system:serviceaccount:default:default",
        rules: [{ verbs: ["list"], groups: [""], resources: ["pods"] }]
      })
      const issued = yield* Sandbox.post("/api/v1/namespaces/default/serviceaccounts/default/token", { spec: {} })
        .pipe(Effect.provideContext(client))
      const account = Sandbox.clientOf(cluster, Redacted.make(J.text(issued, "status", "token") ?? ""))
      yield* Sandbox.get("/api/v1/pods").pipe(Effect.provide(account))
      assert.strictEqual((yield* as(Sandbox.get("/api/v1/secrets"), account)).reason, "Forbidden")
    }))
})

describe("what a sandbox does not serve it says in clear words", () => {
  it.live("bodies that are not JSON, and methods that make no sense", () =>
    Effect.gen(function*() {
      const { cluster } = yield* Sandbox.cluster()
      const protobuf = yield* send(`${cluster.url}${configMaps}`, {
        method: "POST",
        headers: { "content-type": "application/vnd.kubernetes.protobuf" },
        body: "k8s"
      })
      assert.strictEqual(protobuf.status, 415)
      assert.strictEqual((yield* send(`${cluster.url}${configMaps}`, { method: "PUT", body: "{}" })).status, 405)
      assert.strictEqual((yield* send(`${cluster.url}/nothing`)).status, 404)
    }))
})
