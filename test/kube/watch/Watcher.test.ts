import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer, Metric, Stream } from "effect"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import { type Change, type Resource, watch } from "../../../src/kube/watch/Watcher.ts"
import { WatchStates } from "../../../src/kube/watch/WatchStates.ts"
import { watchRestarts } from "../../../src/telemetry/Metrics.ts"
import { type Answer, failure, fakeApi, json, refuse, stream, testing } from "../FakeApi.ts"

interface Thing {
  readonly id: string
  readonly value: string
}

/** Things whose value is "hidden" are not kept; one with the value "broken" cannot be projected. */
const things: Resource<Thing> = {
  name: "things",
  path: "/api/v1/things",
  query: { labelSelector: "a=b" },
  project: (object) => {
    const { metadata, value } = object as { metadata: { namespace: string; name: string }; value: string }
    if (value === "broken") throw new Error("cannot be projected")
    return value === "hidden" ? undefined : { id: `${metadata.namespace}/${metadata.name}`, value }
  },
  key: ({ name, namespace }) => `${namespace}/${name}`
}

const object = (name: string, version: number, value = "") => ({
  metadata: { namespace: "ns", name, resourceVersion: String(version) },
  value
})
const event = (type: "ADDED" | "MODIFIED" | "DELETED", name: string, version: number, value = "") => ({
  type,
  object: object(name, version, value)
})
const bookmark = (version: number) => ({ type: "BOOKMARK", object: { metadata: { resourceVersion: String(version) } } })
const initialEnd = (version: number) => ({
  type: "BOOKMARK",
  object: {
    metadata: { resourceVersion: String(version), annotations: { "k8s.io/initial-events-end": "true" } }
  }
})
const error = (code: number, reason: string, message = reason) => ({
  type: "ERROR",
  object: failure(code, reason, message)
})
const list = (version: number, names: ReadonlyArray<string>, next = "") =>
  json(200, {
    kind: "List",
    metadata: { resourceVersion: String(version), ...(next === "" ? {} : { continue: next }) },
    items: names.map((name) => object(name, version))
  })
const noStreaming = refuse(
  422,
  "Invalid",
  "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
)

const show = (change: Change<Thing>): string =>
  change._tag === "Synced"
    ? `= ${[...change.items.values()].map((it) => it.id.slice(3) + it.value).join(" ")}`
    : change._tag === "Applied"
    ? `+ ${change.item.id.slice(3)}${change.item.value}`
    : `- ${change.key.slice(3)}`

/** The first `count` changes that these answers make, and the queries that were asked for them. */
const run = Effect.fnUntraced(function*(answers: ReadonlyArray<Answer>, count: number) {
  const api = yield* fakeApi(answers)
  const changes = yield* watch(things).pipe(
    Stream.take(count),
    Stream.runCollect,
    Effect.timeout("500 seconds"), // ten of the wall
    Effect.provide(KubeClient.layerFrom({ server: api.server }))
  )
  return { changes: changes.map(show), calls: api.calls, queries: api.calls.map((it) => it.query) }
})

const restarts = (reason: Parameters<typeof watchRestarts>[0]["reason"]) =>
  Effect.map(Metric.value(watchRestarts({ resource: "things", reason })), (it) => it.count)

describe("watch", () => {
  it.live("streams the list and goes on with the changes in one request", () =>
    Effect.gen(function*() {
      const { changes, queries } = yield* run([
        stream([
          event("ADDED", "a", 5),
          event("ADDED", "b", 3),
          initialEnd(7),
          event("MODIFIED", "a", 8, "!"),
          bookmark(9),
          event("DELETED", "b", 10)
        ], "open")
      ], 3)
      assert.deepStrictEqual(changes, ["= a b", "+ a!", "- b"])
      const [{ timeoutSeconds, ...query }] = queries as [Record<string, string>]
      assert.deepStrictEqual(query, {
        labelSelector: "a=b",
        watch: "true",
        allowWatchBookmarks: "true",
        sendInitialEvents: "true",
        resourceVersionMatch: "NotOlderThan",
        resourceVersion: ""
      })
      assert.isTrue(Number(timeoutSeconds) >= 300 && Number(timeoutSeconds) <= 600)
    }).pipe(Effect.provide(testing)))

  it.live("forgets a streamed list that breaks off, and begins again", () =>
    Effect.gen(function*() {
      const { changes } = yield* run([
        stream([event("ADDED", "a", 5)], "reset"),
        stream([event("ADDED", "b", 6), initialEnd(7)], "open")
      ], 1)
      assert.deepStrictEqual(changes, ["= b"])
    }).pipe(Effect.provide(testing)))

  it.live("lists by pages where the server does not stream, with the version of the first page", () =>
    Effect.gen(function*() {
      const { changes, queries } = yield* run([
        noStreaming,
        list(20, ["a", "b"], "next-1"),
        list(20, ["c"], "next-2"),
        list(20, ["d"]),
        stream([event("ADDED", "e", 21)], "open")
      ], 2)
      assert.deepStrictEqual(changes, ["= a b c d", "+ e"])
      assert.deepStrictEqual(queries.slice(1, 4), [
        { labelSelector: "a=b", limit: "500" },
        { labelSelector: "a=b", limit: "500", continue: "next-1" },
        { labelSelector: "a=b", limit: "500", continue: "next-2" }
      ])
      assert.strictEqual(queries[4]?.["resourceVersion"], "20")
      assert.isUndefined(queries[4]?.["sendInitialEvents"])
    }).pipe(Effect.provide(testing)))

  it.live("lists from the first page again when a page's token expires, and unpaged when that happens twice", () =>
    Effect.gen(function*() {
      const { changes, queries } = yield* run([
        noStreaming,
        list(20, ["old"], "next-1"),
        refuse(410, "Expired"),
        list(30, ["older"], "next-2"),
        refuse(410, "Expired"),
        list(40, ["a", "b"]),
        stream([], "open")
      ], 1)
      assert.deepStrictEqual(changes, ["= a b"])
      assert.deepStrictEqual(queries.slice(1, 6).map((it) => [it["limit"], it["continue"]]), [
        ["500", undefined],
        ["500", "next-1"],
        ["500", undefined],
        ["500", "next-2"],
        [undefined, undefined]
      ])
    }).pipe(Effect.provide(testing)))

  it.live("goes on where it was when the server ends the watch", () =>
    Effect.gen(function*() {
      const { changes, queries } = yield* run([
        stream([initialEnd(7), event("ADDED", "a", 8)], "end"),
        stream([bookmark(12)], "end"),
        stream([event("ADDED", "b", 13)], "end")
      ], 3)
      assert.deepStrictEqual(changes, ["= ", "+ a", "+ b"])
      assert.deepStrictEqual(queries.map((it) => it["resourceVersion"]), ["", "8", "12"])
      assert.strictEqual(yield* restarts("closed"), 2)
    }).pipe(Effect.provide(testing)))

  // seen in the model: the first of what was missed passed for all of it, and a plan was made of pods that were gone
  it.live("lists anew what it was not let see for a while: only then is all seen that was missed", () =>
    Effect.gen(function*() {
      const { changes, queries } = yield* run([
        stream([initialEnd(7), event("ADDED", "a", 8)], "end"),
        refuse(403, "Forbidden"),
        stream([event("ADDED", "b", 9), initialEnd(20)], "open")
      ], 3)
      assert.deepStrictEqual(changes, ["= ", "+ a", "= b"])
      assert.strictEqual(queries[2]?.["sendInitialEvents"], "true")
    }).pipe(Effect.provide(testing)))

  it.live("goes on after the last whole line when the connection breaks in the middle of one", () =>
    Effect.gen(function*() {
      const { changes, queries } = yield* run([
        stream([initialEnd(7), event("ADDED", "a", 8)], "cut"),
        stream([event("ADDED", "b", 9)], "open")
      ], 3)
      assert.deepStrictEqual(changes, ["= ", "+ a", "+ b"])
      assert.strictEqual(queries[1]?.["resourceVersion"], "8")
    }).pipe(Effect.provide(testing)))

  it.live("reads everything again, not older than it was, when its version has expired: in the stream", () =>
    Effect.gen(function*() {
      const { changes, queries } = yield* run([
        stream([event("ADDED", "a", 1), initialEnd(7), event("ADDED", "b", 8), error(410, "Expired")], "open"),
        stream([event("ADDED", "b", 8), event("ADDED", "c", 9), initialEnd(30)], "open")
      ], 3)
      assert.deepStrictEqual(changes, ["= a", "+ b", "= b c"])
      assert.deepStrictEqual([queries[1]?.["sendInitialEvents"], queries[1]?.["resourceVersion"]], ["true", "8"])
      assert.strictEqual(yield* restarts("expired"), 1)
    }).pipe(Effect.provide(testing)))

  it.live("reads everything again as of now when that has expired as well: by the status", () =>
    Effect.gen(function*() {
      const { changes, queries } = yield* run([
        stream([initialEnd(7)], "end"),
        refuse(410, "Gone"),
        refuse(410, "Expired"),
        stream([event("ADDED", "c", 9), initialEnd(30)], "open")
      ], 2)
      assert.deepStrictEqual(changes, ["= ", "= c"])
      assert.deepStrictEqual(queries.map((it) => it["resourceVersion"]), ["", "7", "7", ""])
    }).pipe(Effect.provide(testing)))

  it.live("reads everything as of now when the server does not know the version yet", () =>
    Effect.gen(function*() {
      const tooLarge = json(
        504,
        failure(504, "Timeout", "Too large resource version: 9, current: 3", {
          causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
          retryAfterSeconds: 1
        })
      )
      const { changes, queries } = yield* run([
        stream([initialEnd(9)], "end"),
        tooLarge,
        stream([event("ADDED", "a", 2), initialEnd(3)], "open")
      ], 2)
      assert.deepStrictEqual(changes, ["= ", "= a"])
      assert.strictEqual(queries[2]?.["resourceVersion"], "")
    }).pipe(Effect.provide(testing)))

  it.live("keeps its version when it is throttled, by status or in the stream", () =>
    Effect.gen(function*() {
      const { changes, queries } = yield* run([
        stream([initialEnd(7), event("ADDED", "a", 8), error(429, "TooManyRequests")], "open"),
        refuse(429, "TooManyRequests", "slow down", { "retry-after": "3" }),
        stream([event("ADDED", "b", 9)], "open")
      ], 3)
      assert.deepStrictEqual(changes, ["= ", "+ a", "+ b"])
      assert.deepStrictEqual(queries.map((it) => it["resourceVersion"]), ["", "8", "8"])
      assert.strictEqual(yield* restarts("throttled"), 2)
    }).pipe(Effect.provide(testing)))

  it.live("keeps its version when the server is down for a while", () =>
    Effect.gen(function*() {
      const { changes, queries } = yield* run([
        stream([initialEnd(7)], "reset"),
        json(503, "down for maintenance"),
        (_, response) => response.socket?.destroy(),
        refuse(500, "InternalError"),
        stream([event("ADDED", "b", 9)], "open")
      ], 2)
      assert.deepStrictEqual(changes, ["= ", "+ b"])
      assert.deepStrictEqual(queries.map((it) => it["resourceVersion"]), ["", "7", "7", "7", "7"])
    }).pipe(Effect.provide(testing)))

  it.live("drops a connection that brings what is no event", () =>
    Effect.gen(function*() {
      const { changes, queries } = yield* run([
        stream([initialEnd(7), event("ADDED", "a", 8), "<html>", event("ADDED", "lost", 9)], "open"),
        stream([event("ADDED", "b", 9)], "open")
      ], 3)
      assert.deepStrictEqual(changes, ["= ", "+ a", "+ b"])
      assert.strictEqual(queries[1]?.["resourceVersion"], "8")
      assert.strictEqual(yield* restarts("protocol"), 1)
    }).pipe(Effect.provide(testing)))

  it.live("goes on at once when the connection falls silent, and waits longer where bookmarks never come", () =>
    Effect.gen(function*() {
      const api = yield* fakeApi([
        stream([initialEnd(7)], "open"),
        stream([], "open"),
        stream([], "open"),
        stream([event("ADDED", "a", 8)], "open")
      ])
      const silences: Array<number> = []
      // the same client with a thousandth of the silence
      const impatient = Layer.effect(
        KubeClient,
        Effect.map(KubeClient, (client) => ({
          ...client,
          frames: (request) => {
            const silence = Duration.toMillis(request.silence ?? 0)
            silences.push(silence)
            return client.frames({ ...request, silence: Math.min(silence / 300, 600) })
          }
        }))
      )
      const changes = yield* watch(things).pipe(
        Stream.take(2),
        Stream.runCollect,
        Effect.provide(impatient.pipe(Layer.provide(KubeClient.layerFrom({ server: api.server }))))
      )
      assert.deepStrictEqual(changes.map(show), ["= ", "+ a"])
      assert.deepStrictEqual(silences.slice(0, 2), [90_000, 90_000])
      assert.isTrue(silences.slice(2).every((it) => it >= 305_000))
      assert.strictEqual(yield* restarts("silent"), 3)
    }).pipe(Effect.provide(testing)))

  it.live("is heard of by what is whole, and neither by an error nor by half a list", () =>
    Effect.gen(function*() {
      const states = yield* WatchStates
      const heardAt = () => states.get("things")?.heardAt ?? 0
      const api = yield* fakeApi([
        stream([event("ADDED", "a", 1)], "reset"),
        stream([event("ADDED", "a", 1), initialEnd(5)], "reset"),
        stream([bookmark(6)], "reset"),
        stream([error(429, "TooManyRequests")], "open"),
        stream([error(429, "TooManyRequests")], "open"),
        stream([event("MODIFIED", "a", 7, "2")], "open")
      ])
      const seen: Array<number> = []
      const heard: Array<number> = []
      /** What has been heard when each request comes. */
      const listening = Layer.effect(
        KubeClient,
        Effect.map(KubeClient, (client) => ({
          ...client,
          frames: (request) => {
            heard.push(heardAt())
            return client.frames(request)
          }
        }))
      )
      yield* watch(things).pipe(
        Stream.take(2),
        Stream.runForEach(() => Effect.sync(() => void seen.push(heardAt()))),
        Effect.timeout("500 seconds"),
        Effect.provide(listening.pipe(Layer.provide(KubeClient.layerFrom({ server: api.server }))))
      )
      const [first, half, listed, marked, failed, again] = heard
      assert.deepStrictEqual([first, half], [0, 0])
      assert.isAbove(listed ?? 0, 0)
      assert.deepStrictEqual([failed, again], [marked, marked])
      assert.isAbove(seen[1] ?? 0, again ?? 0)
    }).pipe(Effect.provide(testing)))

  it.live("keeps asking for a kind that is forbidden or absent, and says so", () =>
    Effect.gen(function*() {
      const api = yield* fakeApi([
        refuse(403, "Forbidden", "things is forbidden"),
        refuse(404, "NotFound", "the server could not find the requested resource"),
        stream([initialEnd(7), event("ADDED", "a", 8)], "open")
      ])
      const states = yield* WatchStates
      const fiber = yield* watch(things).pipe(
        Stream.take(2),
        Stream.runCollect,
        Effect.provide(KubeClient.layerFrom({ server: api.server })),
        Effect.forkChild
      )
      assert.deepStrictEqual(yield* states.settled(["things"]), ["things"])
      assert.match(states.get("things")?.detail ?? "", /403 things is forbidden; the right is missing/)
      const changes = yield* Fiber.join(fiber)
      assert.deepStrictEqual(changes.map(show), ["= ", "+ a"])
      assert.deepStrictEqual(yield* states.settled(["things"]), [])
      assert.deepStrictEqual(states.all.map((it) => [it.state, it.detail]), [["synced", ""]])
    }).pipe(Effect.provide(testing)))

  it.live("is synced once the consumer has taken everything there is", () =>
    Effect.gen(function*() {
      const api = yield* fakeApi([stream([initialEnd(7), event("ADDED", "a", 8)], "open")])
      const states = yield* WatchStates
      const seen: Array<string | undefined> = []
      yield* watch(things).pipe(
        Stream.take(2),
        Stream.runForEach(() => Effect.sync(() => seen.push(states.get("things")?.state))),
        Effect.provide(KubeClient.layerFrom({ server: api.server }))
      )
      assert.deepStrictEqual(seen, ["starting", "synced"])
    }).pipe(Effect.provide(testing)))

  it.live("calls deleted what is not kept any more, or never was", () =>
    Effect.gen(function*() {
      const { changes } = yield* run([
        stream([
          event("ADDED", "a", 1),
          event("ADDED", "never", 2, "hidden"),
          initialEnd(7),
          event("MODIFIED", "a", 8, "hidden"),
          event("DELETED", "never", 9),
          event("DELETED", "a", 10),
          event("ADDED", "b", 11)
        ], "open")
      ], 5)
      assert.deepStrictEqual(changes, ["= a", "- a", "- never", "- a", "+ b"])
    }).pipe(Effect.provide(testing)))

  it.live("leaves out what cannot be projected and goes on", () =>
    Effect.gen(function*() {
      const { changes } = yield* run([
        stream([
          event("ADDED", "a", 1, "broken"),
          event("ADDED", "b", 2),
          initialEnd(7),
          event("ADDED", "c", 8, "broken"),
          event("ADDED", "d", 9)
        ], "open")
      ], 3)
      assert.deepStrictEqual(changes, ["= b", "- c", "+ d"])
    }).pipe(Effect.provide(testing)))

  it.live("closes its connection when it is interrupted", () =>
    Effect.gen(function*() {
      let closed = false
      const api = yield* fakeApi([(call, response) => {
        response.on("close", () => void (closed = true))
        stream([initialEnd(7)], "open")(call, response)
      }])
      const client = yield* Layer.build(KubeClient.layerFrom({ server: api.server }))
      yield* watch(things).pipe(
        Stream.take(1),
        Stream.runDrain,
        Effect.provideService(KubeClient, Context.get(client, KubeClient))
      )
      yield* Effect.sleep("2 seconds") // 40 ms of the wall
      assert.isTrue(closed)
    }).pipe(Effect.provide(testing)))
})
