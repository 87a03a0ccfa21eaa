// A small model of an API server, random histories of changes and faults: whatever happens, the consumer ends with what the server
// has, and the versions it asks for never go back.
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Layer, Logger, Metric, Queue, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { Frame } from "../../../src/kube/frames/Frames.ts"
import { KubeClient, type KubeRequest } from "../../../src/kube/KubeClient.ts"
import { fromStatus, fromTransport, type KubeError } from "../../../src/kube/KubeError.ts"
import { type Resource, watch } from "../../../src/kube/watch/Watcher.ts"
import * as P from "../../../src/protobuf/Message.ts"
import { WatchStates } from "../../../src/kube/watch/WatchStates.ts"
import { failure } from "../FakeApi.ts"
import { frameOf } from "./WireFrames.ts"

const Step = Schema.Union([
  Schema.Struct({ do: Schema.Literal("put"), name: Schema.Literals(["a", "b", "c", "d"]), value: Schema.Int }),
  Schema.Struct({ do: Schema.Literal("delete"), name: Schema.Literals(["a", "b", "c", "d"]) }),
  Schema.Struct({ do: Schema.Literal("hide"), name: Schema.Literals(["a", "b", "c", "d"]) }),
  Schema.Struct({
    do: Schema.Literals([
      "bookmark",
      "compact",
      "end",
      "reset",
      "garbage",
      "expire",
      "throttle",
      "crash",
      "pages",
      "stream"
    ])
  }),
  Schema.Struct({ do: Schema.Literal("wait"), seconds: Schema.Literals([0, 1, 10, 90]) })
])
type Step = typeof Step.Type
const Steps = Schema.Array(Step).check(Schema.isMinLength(12), Schema.isMaxLength(60))

interface Stored {
  readonly value: number | "hidden"
  readonly version: number
}

const operation = "GET /things"
const status = (code: number, reason: string) =>
  fromStatus({ operation, mutation: false, status: code, body: failure(code, reason, reason), retryAfter: undefined })
const broken = () => fromTransport(operation, false, Object.assign(new Error("reset"), { code: "ECONNRESET" }))

interface Event {
  readonly type: string
  readonly object: unknown
}

const table = P.message({
  metadata: [
    1,
    P.one(P.message({
      name: [1, P.text],
      namespace: [3, P.text],
      resourceVersion: [6, P.text],
      annotations: [12, P.map]
    }))
  ],
  value: [2, P.intOrText]
})

/** One kind of a cluster, with a history that can be compacted, and watchers that can be cut off. */
class Model {
  readonly stored = new Map<string, Stored>()
  readonly history: Array<
    { readonly type: string; readonly name: string; readonly at: number; readonly value: Stored["value"] }
  > = []
  readonly open = new Set<Queue.Queue<Frame, KubeError | Cause.Done>>()
  readonly asked: Array<number> = []
  version = 10
  compacted = 10
  streams = true
  down = 0
  readonly #encode: (event: Event) => Frame
  constructor(encoding: "JSON" | "Protocol Buffers") {
    this.#encode = encoding === "JSON" ? JSON.stringify : (event) => frameOf(table, event)
  }

  object(name: string, { value, version }: Stored) {
    return { metadata: { namespace: "ns", name, resourceVersion: String(version) }, value }
  }

  change(name: string, value: Stored["value"] | undefined) {
    const before = this.stored.get(name)
    if (value === undefined && before === undefined) return
    const version = ++this.version
    const type = value === undefined ? "DELETED" : before === undefined ? "ADDED" : "MODIFIED"
    const shown = value ?? before?.value ?? 0
    if (value === undefined) this.stored.delete(name)
    else this.stored.set(name, { value, version })
    this.history.push({ type, name, at: version, value: shown })
    this.say({ type, object: this.object(name, { value: shown, version }) })
  }

  bookmark(initialEnd: boolean) {
    const annotations = initialEnd ? { "k8s.io/initial-events-end": "true" } : {}
    return { type: "BOOKMARK", object: { metadata: { resourceVersion: String(this.version), annotations } } }
  }

  say(event: Event) {
    for (const queue of this.open) Queue.offerUnsafe(queue, this.#encode(event))
  }

  garbage() {
    const whole = this.#encode({ type: "ADDED", object: this.object("a", { value: 1, version: 1 }) })
    for (const queue of this.open) Queue.offerUnsafe(queue, whole.slice(0, 10))
  }

  encode(event: Event): Frame {
    return this.#encode(event)
  }

  cut(error?: KubeError) {
    for (const queue of this.open) {
      if (error === undefined) Queue.endUnsafe(queue)
      else Queue.failCauseUnsafe(queue, Cause.fail(error))
    }
    this.open.clear()
  }
}

const keep = (value: Stored["value"]) => value === "hidden" ? undefined : value

const client = (model: Model) =>
  KubeClient.of({
    server: "http://model",
    frames: (request: KubeRequest) =>
      Stream.unwrap(Effect.gen(function*() {
        const query = request.query ?? {}
        if (model.down-- > 0) return yield* broken()
        if (query["sendInitialEvents"] === "true" && !model.streams) return yield* status(422, "Invalid")
        const queue = yield* Queue.unbounded<Frame, KubeError | Cause.Done>()
        const lines: Array<Event> = []
        if (query["sendInitialEvents"] === "true") {
          for (const [name, it] of model.stored) lines.push({ type: "ADDED", object: model.object(name, it) })
          lines.push(model.bookmark(true))
        } else {
          const from = Number(query["resourceVersion"])
          model.asked.push(from)
          // either way a server may say it
          if (from < model.compacted) {
            if (from % 2 === 0) return yield* status(410, "Expired")
            lines.push({ type: "ERROR", object: failure(410, "Expired", "too old") })
          } else {
            for (const it of model.history.filter((past) => past.at > from)) {
              lines.push({ type: it.type, object: model.object(it.name, { value: it.value, version: it.at }) })
            }
          }
        }
        for (const line of lines) Queue.offerUnsafe(queue, model.encode(line))
        model.open.add(queue)
        return Stream.fromQueue(queue).pipe(
          Stream.chunks,
          Stream.ensuring(Effect.sync(() => model.open.delete(queue)))
        )
      })),
    // pages of two; a token is the moment of the first page and the number of the next object
    request: (request) =>
      Effect.gen(function*() {
        const query = request.query ?? {}
        if (model.down-- > 0) return yield* broken()
        const [moment = "", skip = "0"] = (query["continue"] ?? "").split(":")
        const at = moment === "" ? model.version : Number(moment)
        if (at < model.compacted) return yield* status(410, "Expired")
        const then = new Map<string, Stored>()
        for (const it of model.history.filter((past) => past.at <= at)) {
          if (it.type === "DELETED") then.delete(it.name)
          else then.set(it.name, { value: it.value, version: it.at })
        }
        const objects = [...then].map(([name, it]) => model.object(name, it))
        const end = query["limit"] === undefined ? objects.length : Number(skip) + 2
        // something else happens while the pages are read
        model.change("d", model.version)
        return {
          metadata: {
            resourceVersion: String(at),
            ...(end < objects.length ? { continue: `${at}:${end}` } : {})
          },
          items: objects.slice(Number(skip), end)
        }
      })
  })

const project = (object: unknown) => {
  const { metadata, value } = object as { metadata: { name: string }; value: Stored["value"] }
  const kept = keep(value)
  return kept === undefined ? undefined : { name: metadata.name, value: kept }
}

const things: Resource<{ readonly name: string; readonly value: number }> = {
  name: "things",
  path: "/things",
  project,
  wire: { message: table, project },
  key: (it) => it.name
}

const perform = Effect.fnUntraced(function*(model: Model, step: Step) {
  switch (step.do) {
    case "put":
      model.change(step.name, step.value)
      break
    case "hide":
      model.change(step.name, "hidden")
      break
    case "delete":
      model.change(step.name, undefined)
      break
    case "bookmark":
      model.say(model.bookmark(false))
      break
    case "compact":
      model.compacted = model.version
      break
    case "end":
      model.cut()
      break
    case "reset":
      model.cut(broken())
      break
    case "garbage":
      model.garbage()
      break
    case "expire":
      model.say({ type: "ERROR", object: failure(410, "Expired", "too old") })
      break
    case "throttle":
      model.say({ type: "ERROR", object: failure(429, "TooManyRequests", "slow down") })
      break
    case "crash":
      model.down = 3
      model.cut(broken())
      break
    case "pages":
      model.streams = false
      break
    case "stream":
      model.streams = true
      break
    case "wait":
      yield* TestClock.adjust(step.seconds * 1000)
      break
  }
})

const quiet = Layer.mergeAll(
  Layer.sync(Metric.MetricRegistry, () => new Map()),
  WatchStates.layer,
  Logger.layer([])
)

it.effect.prop(
  "whatever happens, the consumer ends with what the server has",
  { steps: Steps, encoding: Schema.Literals(["JSON", "Protocol Buffers"]) },
  ({ encoding, steps }) =>
    Effect.gen(function*() {
      const model = new Model(encoding)
      const seen = new Map<string, number>()
      yield* watch(things).pipe(
        Stream.runForEach((change) =>
          Effect.sync(() => {
            if (change._tag === "Synced") {
              seen.clear()
              for (const [key, item] of change.items) seen.set(key, item.value)
            } else if (change._tag === "Applied") seen.set(change.key, change.item.value)
            else seen.delete(change.key)
          })
        ),
        Effect.provideService(KubeClient, client(model)),
        Effect.forkChild
      )
      for (const step of steps) {
        yield* perform(model, step)
        yield* Effect.yieldNow
      }
      yield* TestClock.adjust("3 minutes")
      const expected = [...model.stored].flatMap(([name, it]) =>
        it.value === "hidden" ? [] : [[name, it.value] as const]
      )
      assert.deepStrictEqual(
        [...seen].toSorted(([a], [b]) => a.localeCompare(b)),
        expected.toSorted(([a], [b]) => a.localeCompare(b))
      )
      assert.deepStrictEqual(model.asked, model.asked.toSorted((a, b) => a - b), "versions never go back")
    }).pipe(Effect.provide(quiet)),
  { arbitrary: { runs: 400 }, timeout: 60_000 }
)
