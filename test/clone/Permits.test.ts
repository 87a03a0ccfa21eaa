// How many images are copied at once, who is next, and what a permit is held for.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, type Scope, SubscriptionRef } from "effect"
import { type CloneError, Cloner, type Copied } from "../../src/clone/Cloner.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { SettingsRef } from "../../src/settings/SettingsRef.ts"
import { type FakeRegistry, refuse, startFakeRegistry } from "../support/FakeRegistry.ts"
import { gate } from "../support/Gate.ts"
import { clientLayer } from "../support/Registries.ts"
import { imageOf, layerOf } from "../support/TestImages.ts"
import { eventually } from "../support/Eventually.ts"
import { assertWhole, betweenRegistries, image } from "../support/SourceAndBackup.ts"
import { supervised } from "../../src/Supervisor.ts"

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
    const layer = supervised((run) => Cloner.layer({ shared: true, run })).pipe(
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
          yield* eventually("the rest does not wait", cloner.waiting, (it) => it === Math.max(0, left - 3))
          yield* door.one
        }
        assert.strictEqual((yield* Fiber.join(all)).length, 10)
        assert.strictEqual(most, 3)
      })))

  it.live("are fewer where somebody says so, whatever the settings become, until it is taken back", () =>
    daemon(4, ({ backup, cloneAll, cloner, resize, source }) =>
      Effect.gen(function*() {
        for (const tag of tags(6)) source.add("app", imageOf([layerOf(tag)]), tag)
        const door = gate(source)
        yield* cloner.atMost(1)
        const all = yield* Effect.forkChild(cloneAll(tags(6)), { startImmediately: true })
        yield* door.are(1)
        yield* resize(5)
        yield* door.one
        yield* eventually("the first is not done", () => backup.count(/PUT .*manifests\/\d$/) === 1)
        yield* door.are(1)
        assert.strictEqual((yield* cloner.inFlight).length, 1)
        yield* cloner.atMost(undefined)
        yield* door.are(4)
        yield* Effect.repeat(door.one, { times: 4 })
        assert.strictEqual((yield* Fiber.join(all)).length, 6)
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
      yield* betweenRegistries(({ clone, cloner, source }) =>
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
          yield* eventually("not all wait", cloner.waiting, (it) => it === 4)
          yield* Fiber.join(late)
          yield* Fiber.join(many)
          // three images of the first registry were before it in the queue
          assert.isBelow(order.indexOf("late"), 3)
          assert.strictEqual(order.length, 5)
        }), { permits: 1, others: [other] })
    }))

  it.live("are for copies: the manifest of the next image is fetched meanwhile, and of no third", () =>
    betweenRegistries(({ backup, clone, cloner, into, source }) =>
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
          yield* eventually("the next is not fetched", () => source.count(/GET .*manifests/) === fetched)
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
    betweenRegistries(({ backup, clone, cloner, into, source }) =>
      Effect.gen(function*() {
        const images = new Map(["a", "b", "c"].map((tag) => [tag, imageOf([layerOf(tag)])] as const))
        for (const [tag, content] of images) source.add("app", content, tag)
        const door = gate(backup, /PUT .*manifests\/[abc]$/)
        const all = yield* Effect.forkChild(
          Effect.forEach(images.keys(), (tag) => clone({ tag }), { concurrency: "unbounded" }),
          { startImmediately: true }
        )
        yield* door.are(1)
        yield* eventually("the next is not copied but for its tag", () => backup.count(/PUT .*manifests\/at-/) === 2)
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
    betweenRegistries(({ clone, source }) =>
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
    betweenRegistries(({ backup, clone, cloner, source }) =>
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
      yield* betweenRegistries(({ clone, source }) =>
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
