import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Metric, type Scope, SubscriptionRef } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { type CloneError, Cloner, type Copied } from "../../src/clone/Cloner.ts"
import { digestOf } from "../../src/image/Digest.ts"
import { uptime } from "../../src/telemetry/Uptime.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { SettingsRef } from "../../src/settings/SettingsRef.ts"
import * as Metrics from "../../src/telemetry/Metrics.ts"
import { type FakeRegistry, refuse, startFakeRegistry } from "../support/FakeRegistry.ts"
import { clientLayer } from "../support/Registries.ts"
import { imageOf, layerOf } from "../support/TestImages.ts"
import { until, untilTrue } from "../support/Until.ts"
import { assertWhole, image, world } from "./World.ts"

/** Answers requests only when told to: those for manifests, which only an image with a permit makes, or others. */
const gate = (registry: FakeRegistry, requests = /GET .*manifests\/sha256:/) => {
  const waiting: Array<() => void> = []
  registry.on(requests, (_, __, next) => {
    waiting.push(next)
  })
  return {
    /** Waits until so many are at the door. */
    are: (count: number) => untilTrue(`${count} at the door`, () => waiting.length === count),
    /** Waits for the next and lets it through. */
    one: Effect.andThen(
      untilTrue("somebody at the door", () => waiting.length > 0),
      Effect.sync(() => waiting.shift()?.())
    )
  }
}

interface Daemon {
  readonly source: FakeRegistry
  readonly backup: FakeRegistry
  readonly cloner: Cloner["Service"]
  /** Clones `app` by these tags, all at once. */
  readonly cloneAll: (tags: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Copied>, CloneError>
  readonly resize: (permits: number) => Effect.Effect<void>
}

/** As the daemon has it: as many permits as MAX_CONCURRENT_RECONCILES says, of which one registry never gets the last. */
const daemon = <A, E>(permits: number, use: (it: Daemon) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.gen(function*() {
    const source = yield* startFakeRegistry()
    const backup = yield* startFakeRegistry()
    const settings = settingsOf(`${backup.host}/mirror`, { MAX_CONCURRENT_RECONCILES: permits })
    const layer = Cloner.layer({ shared: true }).pipe(
      Layer.provideMerge(clientLayer({ backup: backup.host, plainHttp: [source.host, backup.host] })),
      Layer.provideMerge(SettingsRef.layerOf(settings))
    )
    yield* Effect.gen(function*() {
      const cloner = yield* Cloner
      const ref = yield* SettingsRef
      yield* use({
        source,
        backup,
        cloner,
        cloneAll: (tags) =>
          Effect.forEach(tags, (tag) => cloner.clone({ registry: source.host, repository: "app", tag }), {
            concurrency: "unbounded"
          }),
        resize: (next) => SubscriptionRef.set(ref, { ...settings, MAX_CONCURRENT_RECONCILES: next })
      })
    }).pipe(Effect.provide(layer))
  })
const tags = (count: number) => Array.from({ length: count }, (_, at) => `${at}`)

describe("one flight", () => {
  it.live("serves all who ask for an image, however they write it", () =>
    world(({ clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "latest")
        const results = yield* Effect.forEach(
          Array.from({ length: 200 }),
          (_, at) => clone(at % 2 === 0 ? {} : { tag: "latest" }),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(source.count(/HEAD/), 1)
        assert.strictEqual(source.count(/GET .*blobs/), 3)
        assert.isTrue(results.every((it) => it.digest === image.root.digest && !it.upToDate))
      })
    ))

  it.live("that fails fails for all who wait, and is not remembered", () =>
    world(({ clone, source }) =>
      Effect.gen(function*() {
        source.on(/./, (_, response) => {
          setTimeout(() => refuse(response, 404, "MANIFEST_UNKNOWN"), 100)
        }, 1)
        const errors = yield* Effect.forEach(Array.from({ length: 200 }), () => Effect.flip(clone()), {
          concurrency: "unbounded"
        })
        assert.strictEqual(source.seen.length, 1)
        assert.isTrue(errors.every((it) => it.reason === "not-found"))
        source.add("app", image, "1")
        assert.strictEqual((yield* clone()).digest, image.root.digest)
      })
    ))

  it.live("goes on while anybody still wants it", () =>
    world(({ clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        const door = gate(source)
        const one = yield* Effect.forkChild(clone(), { startImmediately: true })
        const two = yield* Effect.forkChild(clone(), { startImmediately: true })
        yield* door.are(1)
        yield* Fiber.interrupt(one)
        yield* door.one
        assert.strictEqual((yield* Fiber.join(two)).digest, image.root.digest)
        assert.strictEqual(source.count(/HEAD/), 1)
      })
    ))
})

describe("an image whose registry is at a private address", () => {
  it.live("is yours already: it is left alone, and where a registry leads to one it is refused", () =>
    world(({ clone, source }) =>
      Effect.gen(function*() {
        const internal = yield* Effect.flip(clone({ registry: "10.9.8.7:5000", tag: "1" }))
        assert.deepStrictEqual([internal.reason, internal.side, internal.retryable], ["internal", "source", false])
        assert.include(internal.message, "PRIVATE_REGISTRIES")
        source.on(/HEAD/, (_, response) => response.writeHead(307, { location: "http://10.9.8.7:5000/x" }).end())
        assert.strictEqual((yield* Effect.flip(clone())).reason, "refused")
      })
    ))
})

describe("permits", () => {
  it.live("of the daemon bound how many images are in flight, and the rest is seen to wait", () =>
    daemon(4, ({ cloneAll, cloner, source }) =>
      Effect.gen(function*() {
        for (const tag of tags(10)) source.add("app", imageOf([layerOf(tag)]), tag)
        const door = gate(source)
        const all = yield* Effect.forkChild(cloneAll(tags(10)), { startImmediately: true })
        let most = 0
        for (let left = 10; left > 0; left--) {
          yield* door.are(Math.min(3, left))
          most = Math.max(most, (yield* cloner.inFlight).length)
          yield* until("the rest waits", Effect.map(cloner.waiting, (it) => it === Math.max(0, left - 3)))
          yield* door.one
        }
        assert.strictEqual((yield* Fiber.join(all)).length, 10)
        assert.strictEqual(most, 3)
      })))

  it.live("of the daemon are held from the first request for a manifest to the tag", () =>
    daemon(4, ({ backup, cloneAll, source }) =>
      Effect.gen(function*() {
        for (const tag of tags(10)) source.add("app", imageOf([layerOf(tag)]), tag)
        let now = 0
        let most = 0
        source.on(/GET .*manifests\/sha256:/, (_, __, next) => {
          most = Math.max(most, ++now)
          next()
        })
        backup.on(/PUT .*manifests\/\d$/, (_, __, next) => {
          setTimeout(() => {
            now--
            next()
          }, 20)
        })
        assert.strictEqual((yield* cloneAll(tags(10))).length, 10)
        assert.deepStrictEqual([most, now], [3, 0])
      })))

  it.live("take turns over source registries", () =>
    Effect.gen(function*() {
      const other = yield* startFakeRegistry()
      yield* world(({ clone, cloner, source }) =>
        Effect.gen(function*() {
          for (let at = 0; at < 4; at++) source.add("app", imageOf([layerOf(`${at}`)]), `${at}`)
          other.add("late", image, "1")
          const order: Array<string> = []
          for (const registry of [source, other]) {
            registry.on(/GET .*manifests\/sha256:/, (seen, _, next) => {
              order.push(seen.path.split("/")[2] ?? "")
              setTimeout(next, order.length === 1 ? 300 : 0)
            })
          }
          const many = yield* Effect.forkChild(
            Effect.forEach(Array.from({ length: 4 }), (_, at) => clone({ tag: `${at}` }), {
              concurrency: "unbounded"
            }),
            { startImmediately: true }
          )
          const late = yield* Effect.forkChild(
            cloner.clone({ registry: other.host, repository: "late", tag: "1" }),
            { startImmediately: true }
          )
          yield* until("all wait", Effect.map(cloner.waiting, (it) => it === 4))
          yield* Fiber.join(late)
          yield* Fiber.join(many)
          // three images of the first registry were before it in the queue
          assert.isBelow(order.indexOf("late"), 3)
          assert.strictEqual(order.length, 5)
        }), { permits: 1, others: [other] })
    }))

  it.live("are for copies: the manifest of the next image is fetched meanwhile, and of no third", () =>
    world(({ backup, clone, cloner, into, source }) =>
      Effect.gen(function*() {
        const images = ["a", "b", "c"].map((tag) => imageOf([layerOf(tag)]))
        images.forEach((it, at) => source.add("app", it, `${at}`))
        const door = gate(source, /GET .*blobs/)
        const all = yield* Effect.forkChild(
          Effect.forEach(images, (_, at) => clone({ tag: `${at}` }), { concurrency: "unbounded" }),
          { startImmediately: true }
        )
        for (const fetched of [2, 3, 3]) {
          yield* door.are(2)
          yield* untilTrue("the next is fetched", () => source.count(/GET .*manifests/) === fetched)
          yield* Effect.sleep("50 millis")
          assert.strictEqual(source.count(/GET .*manifests/), fetched)
          assert.strictEqual((yield* cloner.inFlight).length, 1)
          yield* door.one
          yield* door.one
        }
        yield* Fiber.join(all)
        for (const it of images) assertWhole(backup, into, it)
      }), { permits: 1 }))

  it.live("go to the next image while the tag of one is put, and to no third", () =>
    world(({ backup, clone, cloner, into, source }) =>
      Effect.gen(function*() {
        const images = new Map(["a", "b", "c"].map((tag) => [tag, imageOf([layerOf(tag)])] as const))
        for (const [tag, content] of images) source.add("app", content, tag)
        const door = gate(backup, /PUT .*manifests\/[abc]$/)
        const all = yield* Effect.forkChild(
          Effect.forEach(images.keys(), (tag) => clone({ tag }), { concurrency: "unbounded" }),
          { startImmediately: true }
        )
        yield* door.are(1)
        yield* untilTrue("the next is copied but for its tag", () => backup.count(/PUT .*manifests\/at-/) === 2)
        yield* Effect.sleep("100 millis")
        assert.strictEqual(yield* cloner.waiting, 2)
        assert.strictEqual(backup.count(/PUT .*manifests\/[abc]$/), 1)
        for (let left = 3; left > 0; left--) yield* door.one
        yield* Fiber.join(all)
        for (const [tag, content] of images) {
          assertWhole(backup, into, content)
          assert.isTrue(backup.manifest(into, tag)?.equals(content.root.bytes), tag)
        }
      }), { permits: 1 }))

  it.live("are given back by an image that takes longer than CLONE_TIMEOUT", () =>
    world(({ clone, source }) =>
      Effect.gen(function*() {
        const large = layerOf("large", 1_000_000)
        source.add("app", imageOf([large]), "slow")
        source.add("app", imageOf([layerOf("quick")]), "quick")
        // a byte now and then, for ever
        source.on(new RegExp(`GET .*blobs/${large.digest}`), (_, response) => {
          response.writeHead(200, { "content-length": "1000000" })
          const drip = setInterval(() => response.write("x"), 20)
          response.once("close", () => clearInterval(drip))
        })
        const slow = yield* Effect.forkChild(Effect.flip(clone({ tag: "slow" })), { startImmediately: true })
        const quick = yield* Effect.forkChild(clone({ tag: "quick" }), { startImmediately: true })
        const error = yield* Fiber.join(slow)
        assert.deepStrictEqual([error.reason, error.retryable], ["unavailable", true])
        assert.include(error.message, "could not be copied within 700ms (CLONE_TIMEOUT)")
        assert.isAbove((yield* Fiber.join(quick)).manifests, 0)
      }), { permits: 1, cloneTimeout: Duration.millis(700) }))

  it.live("follow the settings while images are in flight", () =>
    daemon(1, ({ cloneAll, resize, source }) =>
      Effect.gen(function*() {
        for (const tag of tags(6)) source.add("app", imageOf([layerOf(tag)]), tag)
        const door = gate(source)
        const all = yield* Effect.forkChild(cloneAll(tags(6)), { startImmediately: true })
        yield* door.are(1)
        yield* resize(5)
        yield* door.are(4)
        for (let left = 6; left > 0; left--) yield* door.one
        yield* Fiber.join(all)
      })))

  it.live("are all free when all is done", () =>
    world(({ backup, clone, cloner, source }) =>
      Effect.gen(function*() {
        for (const tag of tags(8)) source.add("app", imageOf([layerOf(tag)]), tag)
        backup.on(/PUT .*manifests\/\d$/, (_, __, next) => {
          setTimeout(next, 30)
        })
        for (let round = 0; round < 2; round++) {
          yield* Effect.forEach(tags(8), (tag) => clone({ tag }), { concurrency: "unbounded" })
          assert.deepStrictEqual([yield* cloner.waiting, (yield* cloner.inFlight).length], [0, 0])
        }
      }), { permits: 2 }))

  it.live("come back from a rate-limited host, so that others go on", () =>
    Effect.gen(function*() {
      const limited = yield* startFakeRegistry()
      yield* world(({ clone, source }) =>
        Effect.gen(function*() {
          limited.on(/./, (_, response) => refuse(response, 429, "TOOMANYREQUESTS", { "retry-after": "600" }))
          source.add("app", image, "1")
          const outcomes = yield* Effect.all([
            ...Array.from({ length: 5 }, (_, at) =>
              Effect.map(
                Effect.flip(clone({ registry: limited.host, repository: "x", tag: `${at}` })),
                (it) => it.reason
              )),
            Effect.map(clone(), (it) => it.digest)
          ], { concurrency: "unbounded" }).pipe(Effect.timeout("5 seconds"))
          assert.deepStrictEqual(outcomes, [...Array.from({ length: 5 }, () => "rate-limited"), image.root.digest])
          assert.strictEqual(limited.seen.length, 1)
        }), { permits: 1, others: [limited] })
    }))
})

describe("an image that waits for its turn", () => {
  const moved = imageOf([layerOf("moved")])

  it.live("is not waited for by one that is there already", () =>
    world(({ clone, cloner, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "there")
        source.add("app", imageOf([layerOf("large")]), "large")
        yield* clone({ tag: "there" })
        const door = gate(source, /GET .*blobs/)
        const large = yield* Effect.forkChild(clone({ tag: "large" }), { startImmediately: true })
        yield* door.are(2)
        assert.isTrue((yield* clone({ tag: "there" })).upToDate)
        assert.strictEqual((yield* cloner.inFlight).length, 1)
        yield* door.one
        yield* door.one
        yield* Fiber.join(large)
      }), { permits: 1 }))

  it.live("is not waited for by one that nobody has", () =>
    world(({ clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "large")
        const door = gate(source)
        const large = yield* Effect.forkChild(clone({ tag: "large" }), { startImmediately: true })
        yield* door.are(1)
        assert.strictEqual((yield* Effect.flip(clone({ tag: "nobody-has-it" }))).reason, "not-found")
        yield* door.one
        yield* Fiber.join(large)
      }), { permits: 1 }))

  const layer = layerOf("large")
  const large = imageOf([layer])
  const manifest = new RegExp(`GET .*manifests/${large.root.digest}`)
  const blob = new RegExp(`GET .*blobs/${layer.digest}`)
  for (
    const [name, namesKept, behind, later, copies, heads, gets] of [
      ["is asked for once", 60_000, blob, moved, image, 1, 1],
      ["is asked for again when the wait was long, and copied as it is then", 1500, manifest, moved, moved, 2, 1],
      [
        "is asked for again when it waits long once it is fetched, and fetched as it is then",
        500,
        blob,
        moved,
        moved,
        2,
        2
      ],
      ["is not fetched again if it is still the same", 1500, blob, image, image, 2, 1]
    ] as const
  ) {
    it.live(name, () =>
      world(({ clone, cloner, source }) =>
        Effect.gen(function*() {
          source.add("app", large, "large")
          source.add("app", image, "1")
          const door = gate(source, behind)
          const before = yield* Effect.forkChild(clone({ tag: "large" }), { startImmediately: true })
          yield* door.are(1)
          const one = yield* Effect.forkChild(Effect.timed(clone()), { startImmediately: true })
          yield* untilTrue("its name is known", () => source.count(/HEAD .*manifests\/1$/) === 1)
          yield* until("it waits", Effect.map(cloner.waiting, (it) => it === 1))
          yield* Effect.sleep("1600 millis")
          source.add("app", later, "1")
          yield* door.one
          yield* Fiber.join(before)
          const [elapsed, copied] = yield* Fiber.join(one)
          assert.strictEqual(copied.digest, copies.root.digest)
          // the wait is not part of it
          assert.isBelow(copied.seconds, Duration.toSeconds(elapsed) - 1.6)
          assert.strictEqual(source.count(/HEAD .*manifests\/1$/), heads)
          // and once for the large one
          assert.strictEqual(source.count(/GET .*manifests/), gets + 1)
        }), { permits: 1, limits: { namesKept: Duration.millis(namesKept) } }))
  }
})

describe("an image under several names", () => {
  for (const permits of [1, 2, 3]) {
    for (const [what, there] of [["is not there", false], ["is there without its tags", true]] as const) {
      // registries with immutable tags refuse the second
      it.live(`that ${what} is pushed and protected once, with ${permits} permits`, () =>
        world(({ backup, clone, into, source }) =>
          Effect.gen(function*() {
            source.add("app", image, ...tags(3))
            if (there) backup.add(into, image)
            const results = yield* Effect.forEach(tags(3), (tag) => clone({ tag }), { concurrency: "unbounded" })
            assert.deepStrictEqual(results.map((it) => it.digest), tags(3).map(() => image.root.digest))
            assert.strictEqual(results.reduce((sum, it) => sum + it.manifests, 0), there ? 0 : 1)
            assert.strictEqual(backup.count(/PUT .*manifests\/at-/), 1)
            for (const tag of tags(3)) assert.strictEqual(backup.count(new RegExp(`PUT .*manifests/${tag}$`)), 1)
            assertWhole(backup, into, image)
          }), { permits }))
    }
  }

  for (const permits of [1, 2, 3]) {
    it.live(`of which one is pinned gets its tag once, with ${permits} permits`, () =>
      world(({ backup, clone, source }) =>
        Effect.gen(function*() {
          source.add("app", image, "1")
          const pinned = { tag: "1", digest: digestOf(image.root.bytes) }
          yield* Effect.forEach([{ tag: "1" }, pinned, { digest: pinned.digest }], (it) => clone(it), {
            concurrency: "unbounded"
          })
          assert.strictEqual(backup.count(/PUT .*manifests\/1$/), 1)
          assert.strictEqual(backup.count(/PUT .*manifests\/at-/), 1)
        }), { permits }))
  }

  it.live("one of which moves while it waits for the other is copied as it is then", () =>
    world(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        const moved = imageOf([layerOf("moved")])
        source.add("app", image, "1", "2")
        const door = gate(backup, /PUT .*manifests\/at-/)
        const one = yield* Effect.forkChild(clone({ tag: "1" }), { startImmediately: true })
        yield* door.are(1)
        const two = yield* Effect.forkChild(clone({ tag: "2" }), { startImmediately: true })
        yield* untilTrue("its name is known", () => source.count(/HEAD .*manifests\/2$/) === 1)
        yield* Effect.sleep("50 millis")
        source.add("app", moved, "2")
        yield* door.one
        assert.strictEqual((yield* Fiber.join(one)).digest, image.root.digest)
        yield* door.one
        assert.strictEqual((yield* Fiber.join(two)).digest, moved.root.digest)
        assert.isTrue(backup.manifest(into, "2")?.equals(moved.root.bytes))
        assertWhole(backup, into, moved)
      }), { permits: 2 }))

  it.live("is copied by the second where the first fails", () =>
    world(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, ...tags(2))
        backup.on(/PUT .*manifests\/at-/, (_, response) => refuse(response, 403, "DENIED"), 1)
        const results = yield* Effect.forEach(tags(2), (tag) => Effect.result(clone({ tag })), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(results.map((it) => it._tag).toSorted(), ["Failure", "Success"])
        assertWhole(backup, into, image)
      }), { permits: 2 }))
})

/** A whole answer in small chunks, written at once: Node's own server would join them. */
const chunked = (bytes: Buffer): Buffer => {
  const parts: Array<Buffer> = ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"].map((it) => Buffer.from(it))
  for (let at = 0; at < bytes.length; at += 10_000) {
    const part = bytes.subarray(at, at + 10_000)
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n"))
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")])
}

describe("many large blobs at once", () => {
  it.live(
    "arrive as they are although their buffers are used again and again",
    () =>
      world(({ backup, clone, into, source }) =>
        Effect.gen(function*() {
          const images = Array.from(
            { length: 4 },
            (_, at) => imageOf([layerOf(`x${at}`, 5_000_000), layerOf(`y${at}`, 3_333_333), layerOf(`z${at}`, 1)])
          )
          images.forEach((it, at) => source.add(`app${at}`, it, "1"))
          // half of them in chunks, whose slices must not come back to the pool
          source.on(/GET .*blobs/, (seen, response, next) => {
            if (!seen.path.includes("app1") && !seen.path.includes("app3")) return next()
            const bytes = source.blob(seen.path.split("/")[2] ?? "", seen.path.split("/").at(-1) ?? "")
            if (bytes === undefined) return next()
            return response.socket?.write(chunked(bytes))
          })
          yield* Effect.forEach(images, (_, at) => clone({ repository: `app${at}`, tag: "1" }), {
            concurrency: "unbounded"
          })
          images.forEach((it, at) => assertWhole(backup, into.replace(/app$/, `app${at}`), it))
        }), { permits: 4 }),
    30_000
  )
})

describe("telemetry", () => {
  const value = (metric: Metric.Metric<never, { readonly count: number | bigint }>) =>
    Effect.map(Metric.value(metric), (it) => Number(it.count))

  it.live("counts clones, blobs and requests, and never names an image", () =>
    world(({ backup, clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        yield* clone()
        yield* clone()
        yield* Effect.flip(clone({ tag: "none" }))
        assert.strictEqual(yield* value(Metrics.clones({ result: "copied" })), 1)
        assert.strictEqual(yield* value(Metrics.clones({ result: "up-to-date" })), 1)
        assert.strictEqual(yield* value(Metrics.clones({ result: "not-found" })), 1)
        assert.strictEqual(yield* value(Metrics.blobs({ how: "uploaded" })), 3)
        assert.strictEqual(yield* value(Metrics.blobs({ how: "present" })), 3)
        assert.isAbove(yield* value(Metrics.blobBytes({ how: "uploaded" })), 40_000)
        assert.strictEqual(yield* value(Metrics.manifests), 1)
        assert.isAbove(yield* value(Metrics.registryRequests({ host: backup.host, code: "2xx" })), 5)
        // a source's host is a tenant's word: it has to be used a while first
        assert.isAbove(yield* value(Metrics.registryRequests({ host: "other", code: "2xx" })), 3)
        assert.notInclude(yield* PrometheusMetrics.format(), source.host)
      })
    ).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))
})

describe("verify", () => {
  it.live("asks the backup for the digest, and tells when", () =>
    world(({ backup, clone, cloner, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        const copied = yield* clone()
        backup.forget()
        const before = yield* uptime
        const at = yield* cloner.verify(copied.source, copied.digest)
        assert.isAtLeast(at, before)
        assert.deepStrictEqual(backup.seen.map((it) => `${it.method} ${it.path}`), [
          `HEAD /v2/${into}/manifests/${image.root.digest}`,
          `HEAD /v2/${into}/manifests/1`
        ])
        // what somebody deleted is found missing, and the next clone brings it back
        backup.remove(into, image.root.digest)
        const error = yield* Effect.flip(cloner.verify(copied.source, copied.digest))
        assert.deepStrictEqual([error.reason, error.side, error.retryable], ["not-found", "backup", true])
        assert.isFalse((yield* clone()).upToDate)
        yield* cloner.verify(copied.source, copied.digest)
        assert.strictEqual(
          (yield* Effect.flip(cloner.verify(copied.source, digestOf(Buffer.from("other"))))).reason,
          "not-found"
        )
      })
    ))

  it.live.each<[string, (backup: FakeRegistry, into: string) => void]>([
    ["is gone", (backup, into) => backup.remove(into, "1")],
    ["names something else", (backup, into) => backup.add(into, imageOf([layerOf("other")]), "1")]
  ])(
    "finds out that the copy's tag %s, and the next clone sets it again",
    ([, spoil]) =>
      world(({ backup, clone, cloner, into, source }) =>
        Effect.gen(function*() {
          source.add("app", image, "1")
          const copied = yield* clone()
          spoil(backup, into)
          const error = yield* Effect.flip(cloner.verify(copied.source, copied.digest))
          assert.deepStrictEqual([error.reason, error.side, error.retryable], ["not-found", "backup", true])
          assert.include(error.message, "the tag 1")
          assert.isFalse((yield* clone()).upToDate)
          yield* cloner.verify(copied.source, copied.digest)
          assertWhole(backup, into, image)
        })
      )
  )

  it.live("does not ask for the tag of what is pulled by digest", () =>
    world(({ backup, clone, cloner, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        const copied = yield* clone({ tag: "1", digest: image.root.digest })
        backup.remove(into, "1")
        yield* cloner.verify(copied.source, copied.digest)
      })
    ))

  it.live("is an error that can pass where the backup does not answer", () =>
    world(({ backup, cloner, source }) =>
      Effect.gen(function*() {
        backup.on(/./, (_, response) => response.writeHead(503).end())
        const error = yield* Effect.flip(
          cloner.verify({ registry: source.host, repository: "app", tag: "1" }, image.root.digest)
        )
        assert.deepStrictEqual([error.reason, error.side, error.retryable], ["unavailable", "backup", true])
      }), { limits: { answerTimeout: Duration.seconds(1) } }))
})
