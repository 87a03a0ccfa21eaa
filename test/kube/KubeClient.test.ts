import { assert, describe, it } from "@effect/vitest"
import { Effect, Latch, Logger, Metric, Stream } from "effect"
import { KubeClient, type KubeRequest } from "../../src/kube/KubeClient.ts"
import { kubeRequests } from "../../src/telemetry/Metrics.ts"
import { failure, fakeApi, json, refuse, stream, testing } from "./FakeApi.ts"
import { linesOf } from "./LinesOf.ts"
import { protobufOrJson, statusMessage } from "../../src/kube/frames/Envelope.ts"
import { encode } from "../protobuf/Encode.ts"
import { framed, wrap } from "./watch/WireFrames.ts"

const ok = json(200, { kind: "Thing" })
const get: KubeRequest = { method: "GET", path: "/api/v1/things" }
const patch: KubeRequest = {
  method: "PATCH",
  path: "/api/v1/things/a",
  body: [{ op: "test" }],
  contentType: "application/json-patch+json"
}

const ask = (server: string, request: KubeRequest) =>
  KubeClient.use((client) => client.request(request)).pipe(Effect.provide(KubeClient.layerFrom({ server })))

describe("request", () => {
  it.live("sends JSON, query, agent and headers, and parses the answer", () =>
    Effect.gen(function*() {
      const api = yield* fakeApi([ok, (_, response) => response.end()])
      const layer = KubeClient.layerFrom({
        server: `${api.server}/prefix/`,
        headers: { Authorization: "Bearer secret" }
      })
      const answers = yield* KubeClient.use((client) =>
        Effect.all([
          client.request({ ...patch, query: { fieldManager: "image-cloner", dryRun: "All" } }),
          client.request(get)
        ])
      ).pipe(Effect.provide(layer))
      assert.deepStrictEqual(answers, [{ kind: "Thing" }, undefined])
      const [first] = api.calls
      assert.deepStrictEqual([first?.method, first?.path, first?.query, first?.body], [
        "PATCH",
        "/prefix/api/v1/things/a",
        { fieldManager: "image-cloner", dryRun: "All" },
        "[{\"op\":\"test\"}]"
      ])
      assert.strictEqual(first?.headers["content-type"], "application/json-patch+json")
      assert.strictEqual(first?.headers["authorization"], "Bearer secret")
      assert.match(String(first?.headers["user-agent"]), /^image-cloner\/\d+\.\d+\.\d+ \(/)
      assert.isUndefined(first?.headers["traceparent"])
    }).pipe(Effect.provide(testing)))

  it.live("keeps its connections for request after request", () =>
    Effect.gen(function*() {
      const ports = new Set<number | undefined>()
      const answer: typeof ok = (call, response) => {
        ports.add(response.socket?.remotePort)
        ok(call, response)
      }
      const api = yield* fakeApi(Array.from({ length: 10 }, () => answer))
      yield* KubeClient.use((client) => Effect.replicateEffect(client.request(get), 10)).pipe(
        Effect.provide(KubeClient.layerFrom({ server: api.server }))
      )
      assert.isAtMost(ports.size, 2) // the second may begin before the first connection is free
    }).pipe(Effect.provide(testing)))

  it.live("tries a read again when that can help, and counts every attempt", () =>
    Effect.gen(function*() {
      const api = yield* fakeApi([
        refuse(503, "ServiceUnavailable"),
        (_, response) => response.socket?.destroy(),
        refuse(429, "TooManyRequests", "", { "retry-after": "2" }),
        ok
      ])
      assert.deepStrictEqual(yield* ask(api.server, get), { kind: "Thing" })
      const counts = yield* Effect.forEach(["2xx", "4xx", "5xx", "none"] as const, (code) =>
        Effect.map(Metric.value(kubeRequests({ method: "GET", code })), (it) => it.count))
      assert.deepStrictEqual(counts, [1, 1, 1, 1])
    }).pipe(Effect.provide(testing)))

  it.live("gives up after some attempts, and at once when asked to wait for long", () =>
    Effect.gen(function*() {
      const down = yield* fakeApi(Array.from({ length: 9 }, () => refuse(503, "ServiceUnavailable")))
      assert.strictEqual((yield* Effect.flip(ask(down.server, get))).reason, "Unavailable")
      assert.strictEqual(down.calls.length, 5)
      const busy = yield* fakeApi([refuse(429, "TooManyRequests", "", { "retry-after": "600" }), ok])
      assert.strictEqual((yield* Effect.flip(ask(busy.server, get))).reason, "TooManyRequests")
    }).pipe(Effect.provide(testing)))

  it.live("never repeats a change that may have been made", () =>
    Effect.gen(function*() {
      const broken = yield* fakeApi([(_, response) => response.socket?.destroy(), ok])
      const error = yield* Effect.flip(ask(broken.server, patch))
      assert.deepStrictEqual([error.reason, error.outcomeUnknown], ["Unreachable", true])
      assert.strictEqual(broken.calls.length, 1)
      const failed = yield* fakeApi([refuse(500, "InternalError"), ok])
      assert.isTrue((yield* Effect.flip(ask(failed.server, patch))).outcomeUnknown)
      assert.strictEqual(failed.calls.length, 1)
    }).pipe(Effect.provide(testing)))

  it.live("repeats a change that was refused for overload or never sent", () =>
    Effect.gen(function*() {
      const api = yield* fakeApi([refuse(429, "TooManyRequests", "", { "retry-after": "1" }), ok])
      assert.deepStrictEqual(yield* ask(api.server, patch), { kind: "Thing" })
      const error = yield* Effect.flip(ask("http://127.0.0.1:1", patch))
      assert.deepStrictEqual([error.reason, error.outcomeUnknown], ["Unreachable", false])
      assert.match(
        error.message,
        /^PATCH \/api\/v1\/things\/a: Unreachable .*127\.0\.0\.1:1.*is the API server running/
      )
    }).pipe(Effect.provide(testing)))

  it.live("repeats nothing that is decided anew before it is sent again", () =>
    Effect.gen(function*() {
      const api = yield* fakeApi([refuse(429, "TooManyRequests", "", { "retry-after": "1" }), ok])
      const error = yield* Effect.flip(ask(api.server, { ...patch, once: true }))
      assert.deepStrictEqual([error.reason, api.calls.length], ["TooManyRequests", 1])
    }).pipe(Effect.provide(testing)))

  it.live("says that an answer is not JSON", () =>
    Effect.gen(function*() {
      const api = yield* fakeApi([(_, response) => response.end("<html>")])
      assert.strictEqual((yield* Effect.flip(ask(api.server, get))).reason, "Protocol")
    }).pipe(Effect.provide(testing)))

  it.live("logs a warning of the server once", () =>
    Effect.gen(function*() {
      const said: Array<unknown> = []
      const logger = Logger.layer([Logger.make((it) => void said.push(it.message))])
      const deprecated = json(200, {}, { warning: "299 - \"v1beta1 Thing is deprecated\"" })
      const api = yield* fakeApi([deprecated, deprecated])
      yield* KubeClient.use((client) => Effect.replicateEffect(client.request(get), 2)).pipe(
        Effect.provide([KubeClient.layerFrom({ server: api.server }), logger])
      )
      assert.deepStrictEqual(said, [["the API server warns: v1beta1 Thing is deprecated"]])
    }).pipe(Effect.provide(testing)))

  it.live("ends the request when it is interrupted", () =>
    Effect.gen(function*() {
      let closed = false
      const api = yield* fakeApi([(_, response) => void response.on("close", () => void (closed = true))])
      yield* Effect.exit(Effect.timeout(ask(api.server, get), "5 seconds"))
      yield* Effect.sleep("2 seconds")
      assert.isTrue(closed)
    }).pipe(Effect.provide(testing)))
})

describe("lines", () => {
  it.live("do not wait for each other, nor do requests wait for them", () =>
    Effect.gen(function*() {
      const open = stream(["{}"], "open")
      const api = yield* fakeApi([...Array.from({ length: 20 }, () => open), ok])
      const answer = yield* KubeClient.use((client) =>
        Effect.gen(function*() {
          const started = yield* Latch.make()
          const one = Stream.runForEach(linesOf(client, get), () => started.open)
          yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.forkChild(one), { discard: true })
          yield* started.await
          while (api.calls.length < 20) yield* Effect.sleep("1 second")
          return yield* client.request(get)
        })
      ).pipe(Effect.provide(KubeClient.layerFrom({ server: api.server })))
      assert.deepStrictEqual(answer, { kind: "Thing" })
    }).pipe(Effect.provide(testing)))

  it.live("fail when the server says nothing for too long", () =>
    Effect.gen(function*() {
      const api = yield* fakeApi([stream(["{}"], "open")])
      const error = yield* KubeClient.use((client) =>
        Effect.flip(Stream.runDrain(linesOf(client, { ...get, silence: "100 millis" })))
      ).pipe(Effect.provide(KubeClient.layerFrom({ server: api.server })))
      assert.deepStrictEqual([error.reason, error.retryable], ["Timeout", true])
    }).pipe(Effect.provide(testing)))

  it.live("are messages where the server has them, and its refusal is understood then, too", () =>
    Effect.gen(function*() {
      const type = { "content-type": "application/vnd.kubernetes.protobuf;stream=watch" }
      const frame = Buffer.from("a message")
      const api = yield* fakeApi([
        (_, response) => void response.writeHead(200, type).end(Buffer.concat([framed(frame), framed(frame)])),
        (_, response) =>
          void response.writeHead(410, type).end(wrap(encode(statusMessage, failure(410, "Expired", "too old"))))
      ])
      const [frames, error] = yield* KubeClient.use((client) =>
        Effect.all([
          Stream.runCollect(Stream.flattenIterable(client.frames({ ...get, accept: protobufOrJson }))),
          Effect.flip(Stream.runDrain(client.frames(get)))
        ])
      ).pipe(Effect.provide(KubeClient.layerFrom({ server: api.server })))
      assert.strictEqual(api.calls[0]?.headers.accept, protobufOrJson)
      assert.deepStrictEqual(frames.map(String), ["a message", "a message"])
      assert.deepStrictEqual([error.reason, error.detail], ["Expired", "too old"])
    }).pipe(Effect.provide(testing)))

  it.live("fail when a line does not end", () =>
    Effect.gen(function*() {
      const api = yield* fakeApi([(_, response) => {
        const chunk = Buffer.alloc(1024 * 1024, "x")
        for (let i = 0; i < 9; i++) response.write(chunk)
      }])
      const error = yield* KubeClient.use((client) => Effect.flip(Stream.runDrain(linesOf(client, get)))).pipe(
        Effect.provide(KubeClient.layerFrom({ server: api.server }))
      )
      assert.strictEqual(error.reason, "Protocol")
    }).pipe(Effect.provide(testing)))
})
