// The image loop and a registry that gives no answer, on the test clock: real queue, permits and reachability; the cloner's
// copies are the test's, and take a second.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, References, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { fromRegistry } from "../../../src/clone/CloneError.ts"
import { Cloner, type Copied } from "../../../src/clone/Cloner.ts"
import { SourceTags } from "../../../src/clone/SourceTags.ts"
import { ImageQueue, offerAll, WorkloadQueue } from "../../../src/controller/Queues.ts"
import * as ReconcileImage from "../../../src/controller/images/ReconcileImage.ts"
import { vanishedOf } from "../../../src/controller/sources/VanishedSources.ts"
import * as Waking from "../../../src/controller/images/Waking.ts"
import { format, type ImageReference } from "../../../src/image/ImageReference.ts"
import { unclaimed } from "../../../src/queue/FairTurns.ts"
import { makeResizablePermits } from "../../../src/queue/ResizablePermits.ts"
import { makeReachability } from "../../../src/registry/Reachability.ts"
import { registryError } from "../../../src/registry/RegistryError.ts"
import { settingsOf } from "../../../src/settings/Settings.ts"
import { SettingsRef } from "../../../src/settings/SettingsRef.ts"
import { Pacing } from "../../../src/rewrite/Pacing.ts"
import { Inventory } from "../../../src/store/Inventory.ts"
import { WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import { digestOf } from "../../support/Objects.ts"

const dead = "dead.test"
const images = Array.from({ length: 500 }, (_, at) => `${dead}/team/app${at}:1`)
const healthy = Array.from({ length: 20 }, (_, at) => `well.test/team/app${at}:1`)

const copied = (source: ImageReference): Copied => ({
  source,
  backup: source,
  digest: digestOf("a"),
  contents: new Set([digestOf("a")]),
  verifiedAt: 0,
  blobs: { uploaded: 1, mounted: 0, present: 0 },
  bytes: { uploaded: 1, mounted: 0, present: 0 },
  manifests: 1,
  upToDate: false,
  seconds: 1
})

/** Twenty permits as the daemon has them; `down` says which registries refuse connections. */
const world = () => {
  const permits = makeResizablePermits({ permits: 20, reserve: true })
  const reachability = makeReachability(() => 0)
  const down = new Set([dead])
  const asked: Array<string> = []
  let atOnce = 0
  const most = { atOnce: 0 }
  const answer = (registry: string) =>
    Effect.suspend(() =>
      down.has(registry)
        ? Effect.fail(registryError({
          operation: "HEAD manifest",
          target: registry,
          reason: "Unreachable",
          detail: `${registry}: no answer (ECONNREFUSED)`,
          noConnection: true
        }))
        : Effect.void
    )
  const attempt = (source: ImageReference) =>
    Effect.gen(function*() {
      asked.push(format(source))
      most.atOnce = Math.max(most.atOnce, ++atOnce)
      yield* Effect.sleep("1 second")
      yield* answer(source.registry)
    }).pipe(Effect.ensuring(Effect.sync(() => void atOnce--)))
  const inLine = new Set<string>()
  const cloner = Layer.mock(Cloner, {
    stepOut: () => Effect.void,
    isInLine: (source) => inLine.has(source),
    silenceOf: reachability.silenceOf,
    silences: reachability.silences,
    clone: (source, claim) =>
      permits.withPermit({ ...unclaimed, ...claim, lane: source.registry })(
        reachability.ask(
          { operation: "HEAD manifest", target: format(source), registry: source.registry, spares: true },
          attempt(source)
        )
      ).pipe(Effect.mapError(fromRegistry(format(source), "source")), Effect.as(copied(source)))
  })
  const settings = settingsOf("backup.example/copies")
  const layer = Layer.mergeAll(
    cloner,
    Layer.mock(SourceTags, { compare: () => Effect.succeed({ _tag: "Gone" }) }),
    Pacing.layer,
    Inventory.layer,
    ImageQueue.layer,
    WorkloadQueue.layer,
    WorkloadStore.layer,
    SettingsRef.layerOf(settings),
    Layer.succeed(References.MinimumLogLevel, "None")
  )
  /** The image loop with its tick, and users for these images. */
  const start = Effect.fnUntraced(function*(sources: ReadonlyArray<string>) {
    const queue = yield* ImageQueue
    const inventory = yield* Inventory
    for (const source of sources) inventory.want(`Deployment/shop/${source}`, [source])
    const work = yield* ReconcileImage.make
    const { due } = yield* Waking.make
    yield* Effect.forkScoped(queue.run("unbounded", work))
    yield* Effect.forkScoped(
      due.pipe(Effect.flatMap((it) => offerAll(queue, it)), Effect.delay("1 second"), Effect.forever)
    )
    yield* offerAll(queue, sources)
    return inventory
  })
  return { asked, down, inLine, layer, most, settings, silences: reachability.silences, start }
}

const count = (inventory: Inventory["Service"], tag: string, of: ReadonlyArray<string>) =>
  of.filter((source) => inventory.state(source)?._tag === tag).length

describe("five hundred images of a registry that refuses connections", () => {
  it.effect("are all told within seconds, and cost one attempt at a time, less and less often", () => {
    const it = world()
    return Effect.gen(function*() {
      const inventory = yield* it.start(images)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(count(inventory, "Failed", images), 500)
      // those that had a permit before anybody knew
      assert.strictEqual(it.asked.length, 19)
      it.most.atOnce = 0
      yield* TestClock.adjust("2 minutes")
      // after 5, 10, 20, 40 seconds
      assert.strictEqual(it.asked.length, 23)
      assert.strictEqual(it.most.atOnce, 1)
      yield* TestClock.adjust("1 hour")
      assert.isBelow(it.asked.length, 40)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("have lost their source for all that is known after an hour, and until it answers", () => {
    const it = world()
    return Effect.gen(function*() {
      const inventory = yield* it.start(images)
      const lost = Effect.map(it.silences, (silences) => vanishedOf(inventory.all, silences).length)
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual(yield* lost, 0)
      // it is asked every five minutes by then
      yield* TestClock.adjust("7 minutes")
      assert.strictEqual(yield* lost, 500)
      it.down.clear()
      yield* TestClock.adjust("6 minutes")
      assert.strictEqual(yield* lost, 0)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("are not offered again while they wait for their turn", () => {
    const it = world()
    return Effect.gen(function*() {
      const inventory = yield* it.start(images)
      yield* TestClock.adjust("3 seconds")
      it.asked.length = 0
      it.inLine.add(images[0] ?? "")
      yield* TestClock.adjust("1 hour")
      // one of them will ask when it is called, and tell the others
      assert.deepStrictEqual(it.asked, [])
      it.down.clear()
      it.inLine.clear()
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(count(inventory, "BackedUp", images), 500)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("hold up no image of another", () => {
    const it = world()
    return Effect.gen(function*() {
      const inventory = yield* it.start([...images, ...healthy])
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(count(inventory, "BackedUp", healthy), 20)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("are all copied when it answers, no more at once than there are permits", () => {
    const it = world()
    return Effect.gen(function*() {
      const inventory = yield* it.start(images)
      yield* TestClock.adjust("1 minute")
      it.down.clear()
      it.most.atOnce = 0
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(count(inventory, "BackedUp", images), 500)
      assert.strictEqual(it.most.atOnce, 19)
      assert.strictEqual(new Set(it.asked.slice(-500)).size, 500)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("wait again when it dies in the midst of that", () => {
    const it = world()
    return Effect.gen(function*() {
      const inventory = yield* it.start(images)
      yield* TestClock.adjust("1 minute")
      it.down.clear()
      // the next question is a minute and twenty seconds after the first
      yield* TestClock.adjust("30 seconds")
      const done = count(inventory, "BackedUp", images)
      assert.isAbove(done, 0)
      assert.isBelow(done, 500)
      it.down.add(dead)
      yield* TestClock.adjust("3 seconds")
      const before = it.asked.length
      it.most.atOnce = 0
      yield* TestClock.adjust("1 minute")
      assert.isAtMost(it.asked.length - before, 4)
      assert.strictEqual(it.most.atOnce, 1)
      it.down.clear()
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual(count(inventory, "BackedUp", images), 500)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("are asked for by the one that most need, and by another where that is no longer wanted", () => {
    const it = world()
    const [first = "", second = ""] = images.slice(300)
    return Effect.gen(function*() {
      const inventory = yield* it.start(images)
      for (let user = 0; user < 50; user++) inventory.want(`Deployment/many/${user}`, [first])
      for (let user = 0; user < 10; user++) inventory.want(`Deployment/some/${user}`, [second])
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(it.asked.at(-1), first)
      inventory.want(`Deployment/shop/${first}`, [])
      for (let user = 0; user < 50; user++) inventory.want(`Deployment/many/${user}`, [])
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(it.asked.at(-1), second)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("are not asked for when none is wanted, nor while DRY_RUN is on", () => {
    const it = world()
    return Effect.gen(function*() {
      const inventory = yield* it.start(images)
      yield* TestClock.adjust("4 seconds")
      const ref = yield* SettingsRef
      yield* SubscriptionRef.set(ref, { ...it.settings, DRY_RUN: true })
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(it.asked.length, 19)
      yield* SubscriptionRef.set(ref, it.settings)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(it.asked.length, 20)
      for (const source of images) inventory.want(`Deployment/shop/${source}`, [])
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(it.asked.length, 20)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("are no worse for it: what is woken has no failures of its own to its name", () => {
    const it = world()
    const [one = ""] = images
    return Effect.gen(function*() {
      const inventory = yield* it.start([one])
      yield* TestClock.adjust("1 hour")
      const state = inventory.state(one)
      assert.deepStrictEqual(state?._tag === "Failed" && [state.reason, state.silent], ["failed", dead])
      assert.include(state?._tag === "Failed" ? state.message : "", "ECONNREFUSED")
      it.down.clear()
      yield* TestClock.adjust(Duration.minutes(6))
      assert.strictEqual(inventory.state(one)?._tag, "BackedUp")
    }).pipe(Effect.provide(it.layer))
  })
})
