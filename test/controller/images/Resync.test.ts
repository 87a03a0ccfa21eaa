import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Logger, Metric, Result, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { CloneError, Cloner, type CloneRequest, type Copied } from "../../../src/clone/Cloner.ts"
import { type SourceAnswer, SourceTags } from "../../../src/clone/SourceTags.ts"
import { ImageQueue, offerAll, WorkloadQueue } from "../../../src/controller/Queues.ts"
import * as ReconcileImage from "../../../src/controller/images/ReconcileImage.ts"
import type { Digest } from "../../../src/image/Digest.ts"
import { format, parse } from "../../../src/image/ImageReference.ts"
import { Leadership } from "../../../src/kube/lease/Leadership.ts"
import { Pacing } from "../../../src/rewrite/Pacing.ts"
import { type Settings, settingsOf } from "../../../src/settings/Settings.ts"
import { SettingsRef } from "../../../src/settings/SettingsRef.ts"
import { Inventory } from "../../../src/store/Inventory.ts"
import { WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import { tagMoves, tagsDrifted } from "../../../src/telemetry/Metrics.ts"
import { uptime } from "../../../src/telemetry/Uptime.ts"
import { anyPulls, digestOf, workload } from "../../support/Objects.ts"

const source = "docker.io/library/nginx:1.27"
const [one, two] = [digestOf("a"), digestOf("b")]

const copied = (text: string, digest: Digest, verifiedAt: number): Copied => {
  const reference = Result.getOrThrow(parse(text))
  const none = { uploaded: 0, mounted: 0, present: 0 }
  return {
    source: reference,
    backup: reference,
    digest,
    contents: new Set([digest]),
    verifiedAt,
    blobs: none,
    bytes: none,
    manifests: 0,
    upToDate: false,
    seconds: 1
  }
}

const failure = (given: Partial<CloneError>) =>
  new CloneError({
    image: source,
    reason: "unavailable",
    side: "source",
    detail: "no answer",
    retryable: true,
    retryAfter: undefined,
    ...given
  })

/** A source and a backup that say what these fields say, with the image loop between them. */
class World {
  /** What every tag names at its source. */
  named: Digest = one
  /** What is answered instead. */
  answer: SourceAnswer | undefined
  /** What every tag names in the backup. */
  held: Digest = one
  seenFails: CloneError | undefined
  copyFails: CloneError | undefined
  copyTakes: Duration.Input = 0
  /** Uptime of every HEAD of a tag at its source, and the images that were copied. */
  readonly asked: Array<number> = []
  readonly copies: Array<string> = []
  readonly looks: Array<string> = []
  readonly told: Array<string> = []
  lastRequest: CloneRequest | undefined

  readonly #cloner = Layer.mock(Cloner, {
    stepOut: () => Effect.void,
    isInLine: () => false,
    clone: (reference, request) =>
      Effect.gen({ self: this }, function*() {
        this.copies.push(format(reference))
        this.lastRequest = request
        const digest = this.named
        yield* Effect.sleep(this.copyTakes)
        if (this.copyFails !== undefined) return yield* this.copyFails
        this.held = digest
        return copied(format(reference), digest, yield* uptime)
      }),
    verify: (reference, digest) =>
      Effect.suspend(() => {
        this.looks.push(format(reference))
        if (this.seenFails !== undefined) return Effect.fail(this.seenFails)
        return this.held === digest ? uptime : Effect.fail(failure({ reason: "not-found", side: "backup" }))
      }),
    recognise: () =>
      Effect.map(uptime, (verifiedAt) => ({ digest: this.held, contents: new Set([this.held]), verifiedAt }))
  })
  readonly #tags = Layer.mock(SourceTags, {
    compare: () =>
      Effect.map(uptime, (now): SourceAnswer => {
        this.asked.push(now)
        return this.answer ?? { _tag: "Named", digest: this.named }
      })
  })

  layer(settings: Partial<Settings> = {}) {
    return Layer.mergeAll(
      this.#cloner,
      this.#tags,
      Pacing.layer,
      Inventory.layer,
      ImageQueue.layer,
      WorkloadQueue.layer,
      WorkloadStore.layer,
      SettingsRef.layerOf(settingsOf("backup.example/copies", settings)),
      Logger.layer([
        Logger.make((it) => void (/Info|Warn/.test(it.logLevel) && this.told.push(String(it.message))))
      ])
    )
  }

  /** All of these are wanted by a workload each, and copied. */
  readonly start = Effect.fnUntraced(function*(sources: ReadonlyArray<string> = [source]) {
    const inventory = yield* Inventory
    const images = yield* ImageQueue
    for (const it of sources) yield* offerAll(images, inventory.want(`Deployment/shop/${it}`, [it]))
    yield* Effect.forkScoped(images.run("unbounded", yield* ReconcileImage.make))
    yield* TestClock.adjust("1 second")
    return { inventory, images }
  })
}

const ledBy = (leads: SubscriptionRef.SubscriptionRef<boolean>): typeof Leadership.Service => ({
  mayWrite: SubscriptionRef.get(leads),
  changes: SubscriptionRef.changes(leads),
  leave: Effect.void
})

const digestNow = (inventory: Inventory["Service"]) => {
  const state = inventory.state(source)
  return state?._tag === "BackedUp" ? state.digest : state?._tag
}

describe("a tag that moves at its source", () => {
  it.effect("is followed within an interval: copied first, and until then nothing is patched to name it", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { inventory } = yield* world.start()
      const before = yield* Metric.value(tagMoves)
      world.named = two
      world.copyTakes = "7 hours"
      yield* TestClock.adjust("6 hours")
      const state = inventory.state(source)
      assert.deepStrictEqual([state?._tag === "BackedUp" && state.digest, world.copies.length], [one, 2])
      assert.strictEqual(state?._tag === "BackedUp" && state.moving, two)
      yield* TestClock.adjust("7 hours")
      const after = inventory.state(source)
      assert.deepStrictEqual([digestNow(inventory), after?._tag === "BackedUp" && after.moving], [two, undefined])
      assert.strictEqual((yield* Metric.value(tagMoves)).count, before.count + 1)
      assert.isTrue(
        world.told.some((it) => it.includes(one) && it.includes(two) && it.includes("nothing is restarted"))
      )
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("costs one HEAD of the source an interval, and none while nothing is due", () => {
    const world = new World()
    return Effect.gen(function*() {
      yield* world.start()
      yield* TestClock.adjust("24 hours")
      assert.deepStrictEqual([world.asked.length, world.copies.length], [4, 1])
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("is compared every five minutes while a user pulls it anew at every start", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { images, inventory } = yield* world.start()
      const user = "Deployment/shop/nightly"
      yield* offerAll(images, inventory.want(user, [source], new Set([source])))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(world.asked.length, 12)
      inventory.want(user, [])
      yield* TestClock.adjust("6 hours")
      assert.isAtMost(world.asked.length, 15)
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("is compared soon when somebody asks, and once in ten seconds however often that is", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { images, inventory } = yield* world.start()
      yield* TestClock.adjust("2 minutes")
      const before = world.asked.length
      for (let second = 0; second < 300; second++) {
        inventory.ask(source)
        yield* images.offer(source)
        yield* TestClock.adjust("1 second")
      }
      assert.isAtMost(world.asked.length - before, 31)
      assert.isAtLeast(world.asked.length - before, 29)
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("is never asked for where it is named with a digest", () => {
    const world = new World()
    return Effect.gen(function*() {
      yield* world.start([`${source}@${one}`])
      yield* TestClock.adjust("24 hours")
      assert.isEmpty(world.asked)
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("stays where a rollout of ours uses it, for which nobody is asked anything, and moves afterwards", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { inventory } = yield* world.start()
      const pacing = yield* Pacing
      const user = workload({ name: "web" })
      inventory.want(user.key, [source])
      yield* pacing.admit(user, { as: "rollout", limit: 1, ...anyPulls })
      world.named = two
      const looks = world.looks.length
      // its turn has come by then
      yield* TestClock.adjust("6 hours")
      assert.strictEqual(digestNow(inventory), one)
      assert.isEmpty(world.asked)
      assert.isAtMost(world.looks.length - looks, 72)
      yield* pacing.release(user.key)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(digestNow(inventory), two)
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("leaves the copy as it is where the new image cannot be copied, and is compared again", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { inventory } = yield* world.start()
      world.named = two
      world.copyFails = failure({ reason: "too-large", retryable: false, detail: "it has 90 GiB" })
      yield* TestClock.adjust("6 hours")
      const state = inventory.state(source)
      assert.deepStrictEqual([digestNow(inventory), state?._tag === "BackedUp" && state.moving], [one, undefined])
      assert.isTrue(world.told.some((it) => it.includes("it has 90 GiB") && it.includes(`stays at ${one}`)))
      assert.isAtMost(world.copies.length, 10)
      world.copyFails = undefined
      yield* TestClock.adjust("7 hours")
      assert.strictEqual(digestNow(inventory), two)
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("to what can never be copied is tried less and less often, and said once; what it names next is tried at once", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { images, inventory } = yield* world.start()
      // it is compared every five minutes
      yield* offerAll(images, inventory.want("Deployment/shop/nightly", [source], new Set([source])))
      world.named = two
      world.copyFails = failure({ reason: "corrupt", detail: "a layer is lost" })
      yield* TestClock.adjust("24 hours")
      // after 10, 20, 40, 80, 160, 320 minutes, and 6 hours each time then
      assert.isAtMost(world.copies.length - 1, 10)
      assert.isAtLeast(world.copies.length - 1, 7)
      assert.isAtLeast(world.asked.length, 250)
      const said = () => world.told.filter((it) => it.includes("a layer is lost")).length
      assert.deepStrictEqual([digestNow(inventory), said()], [one, 1])
      // nor because somebody asks
      const before = world.copies.length
      inventory.ask(source)
      yield* images.offer(source)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(world.copies.length, before)
      world.named = digestOf("c")
      yield* TestClock.adjust("6 minutes")
      assert.deepStrictEqual([world.copies.length, said()], [before + 1, 2])
      world.copyFails = undefined
      yield* TestClock.adjust("20 minutes")
      assert.strictEqual(digestNow(inventory), digestOf("c"))
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("to what cannot be copied leaves a copy that was looked at anew for a new user, unless the backup lacks it", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { images, inventory } = yield* world.start()
      world.named = two
      world.copyFails = failure({ reason: "too-large", retryable: false, detail: "it has 90 GiB" })
      const doubt = Effect.fnUntraced(function*() {
        inventory.set(source, { _tag: "Pending", why: "it is compared with its source for a new user" })
        yield* images.offer(source)
        yield* TestClock.adjust("1 second")
      })
      yield* doubt()
      const state = inventory.state(source)
      assert.deepStrictEqual([digestNow(inventory), state?._tag === "BackedUp" && state.behind], [one, two])
      assert.strictEqual(world.copies.length, 2)
      assert.isTrue(world.told.some((it) => it.includes("it has 90 GiB") && it.includes(`stays at ${one}`)))
      // its source names the copy again
      world.named = one
      yield* TestClock.adjust("6 hours")
      const after = inventory.state(source)
      assert.deepStrictEqual([digestNow(inventory), after?._tag === "BackedUp" && after.behind], [one, undefined])
      // what is missing of the same image is missing in the copy
      yield* doubt()
      assert.strictEqual(inventory.state(source)?._tag, "Failed")
      world.named = two
      world.held = digestOf("c")
      yield* doubt()
      assert.strictEqual(inventory.state(source)?._tag, "Failed")
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("stays as it is where the backup is away while the new image is copied, and moves when it is back", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { inventory } = yield* world.start()
      world.named = two
      world.copyTakes = "1 minute"
      world.copyFails = failure({ side: "backup" })
      // its turn has come, and the backup goes while it is copied
      while (world.copies.length === 1) yield* TestClock.adjust("30 seconds")
      world.seenFails = failure({ side: "backup" })
      yield* TestClock.adjust("10 minutes")
      const state = inventory.state(source)
      assert.deepStrictEqual([digestNow(inventory), state?._tag === "BackedUp" && state.moving], [one, undefined])
      world.seenFails = undefined
      world.copyFails = undefined
      yield* TestClock.adjust("90 minutes")
      assert.strictEqual(digestNow(inventory), two)
    }).pipe(Effect.provide(world.layer()))
  })

  // each turn began anew, with the bytes of the source fetched again, and nothing was said
  it.effect("is tried less and less often where the backup goes under each copy, and is back for each look", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { images, inventory } = yield* world.start()
      yield* offerAll(images, inventory.want("Deployment/shop/nightly", [source], new Set([source])))
      world.named = two
      world.copyTakes = "1 minute"
      world.copyFails = failure({ side: "backup" })
      for (let minutes = 0; minutes < 24 * 60; minutes++) {
        // away while a copy is on its way, and for a moment after it
        const state = inventory.state(source)
        world.seenFails = state?._tag === "BackedUp" && state.moving !== undefined
          ? failure({ side: "backup" })
          : undefined
        yield* TestClock.adjust("1 minute")
      }
      assert.strictEqual(digestNow(inventory), one)
      assert.isAtMost(world.copies.length - 1, 150)
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("leaves the copy from before to a new user where the backup does not take the new one", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { images, inventory } = yield* world.start()
      world.named = two
      world.copyFails = failure({ reason: "denied", side: "backup", retryable: false, detail: "the quota is used up" })
      inventory.set(source, { _tag: "Pending", why: "it is compared with its source for a new user" })
      yield* images.offer(source)
      yield* TestClock.adjust("1 second")
      const state = inventory.state(source)
      assert.deepStrictEqual([digestNow(inventory), state?._tag === "BackedUp" && state.behind], [one, two])
      assert.isTrue(world.told.some((it) => it.includes("the quota is used up")))
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("is restored where the backup has lost it while the new image could not be copied", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { inventory } = yield* world.start()
      world.named = two
      world.copyTakes = "1 minute"
      world.copyFails = failure({ reason: "corrupt" })
      while (world.copies.length === 1) yield* TestClock.adjust("30 seconds")
      world.held = digestOf("c")
      yield* TestClock.adjust("65 seconds")
      assert.strictEqual(inventory.state(source)?._tag, "Pending")
      assert.strictEqual(world.lastRequest?.last, one)
      world.copyFails = undefined
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(digestNow(inventory), two)
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("whose copy is not wanted any more has not failed: nobody is warned, and the copy stays", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { inventory } = yield* world.start()
      world.named = two
      world.copyFails = failure({ reason: "unwanted", side: "backup", detail: "it is not to be copied any more" })
      const looks = world.looks.length
      yield* TestClock.adjust("6 hours")
      const state = inventory.state(source)
      assert.deepStrictEqual([digestNow(inventory), state?._tag === "BackedUp" && state.moving], [one, undefined])
      assert.deepStrictEqual([world.copies.length, world.looks.length - looks], [2, 1])
      assert.isFalse(world.told.some((it) => it.includes("not to be copied")))
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("is no move where the source is gone, refuses or rests: the copy stays, and nothing is copied", () => {
    const answers: ReadonlyArray<SourceAnswer> = [
      { _tag: "Gone" },
      { _tag: "None", rest: Duration.hours(2), why: "403" },
      { _tag: "None", rest: Duration.zero, why: "no answer" }
    ]
    return Effect.forEach(answers, (answer) => {
      const world = new World()
      return Effect.gen(function*() {
        const { inventory } = yield* world.start()
        world.answer = answer
        yield* TestClock.adjust("12 hours")
        assert.deepStrictEqual([digestNow(inventory), world.copies.length], [one, 1])
        // since when it is gone is remembered, until its source has it again
        assert.strictEqual(inventory.get(source)?.gone !== undefined, answer._tag === "Gone")
        world.answer = undefined
        yield* TestClock.adjust("7 hours")
        assert.isUndefined(inventory.get(source)?.gone)
      }).pipe(Effect.provide(world.layer()), Effect.scoped)
    }, { discard: true })
  })

  it.effect("is lost to nobody by an outage of a whole interval, after which there is no storm", () => {
    const world = new World()
    const sources = Array.from({ length: 300 }, (_, at) => `quay.io/team/app${at}:1`)
    return Effect.gen(function*() {
      const { inventory } = yield* world.start(sources)
      world.answer = { _tag: "None", rest: Duration.zero, why: "no answer" }
      yield* TestClock.adjust("6 hours")
      world.answer = undefined
      world.named = two
      const since = world.asked.length
      yield* TestClock.adjust("45 minutes")
      const digests = new Set(inventory.all.map(({ state }) => state._tag === "BackedUp" ? state.digest : state._tag))
      assert.deepStrictEqual(digests, new Set([two]))
      const perMinute = Map.groupBy(world.asked.slice(since), (at) => Math.floor(at / 60_000))
      assert.isAtMost(Math.max(...[...perMinute.values()].map((it) => it.length)), 300 / 45 + 5)
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("is nobody's who does not lead; who takes over compares within an interval", () => {
    const world = new World()
    return Effect.gen(function*() {
      const leads = yield* SubscriptionRef.make(true)
      yield* Effect.gen(function*() {
        const { images, inventory } = yield* world.start()
        yield* SubscriptionRef.set(leads, false)
        yield* TestClock.adjust("12 hours")
        assert.isEmpty(world.asked)
        yield* SubscriptionRef.set(leads, true)
        world.named = two
        yield* offerAll(images, [source])
        yield* TestClock.adjust("6 hours")
        assert.strictEqual(digestNow(inventory), two)
      }).pipe(
        Effect.provide(world.layer()),
        Effect.provideService(Leadership, ledBy(leads))
      )
    })
  })
})

describe("a copy at its turn", () => {
  it.effect("whose tag was being moved when the work was stopped is compared again at once", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { images, inventory } = yield* world.start()
      const state = inventory.state(source)
      if (state?._tag === "BackedUp") inventory.set(source, { ...state, moving: two })
      world.named = two
      yield* images.offer(source)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(digestNow(inventory), two)
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("whose tag another replica has moved is recognised at once as what it is now, and copied by nobody here", () => {
    const world = new World()
    return Effect.gen(function*() {
      const leads = yield* SubscriptionRef.make(true)
      yield* Effect.gen(function*() {
        const { images, inventory } = yield* world.start()
        yield* SubscriptionRef.set(leads, false)
        world.held = two
        yield* TestClock.adjust("2 minutes")
        yield* images.offer(source)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual([digestNow(inventory), world.copies.length], [two, 1])
      }).pipe(Effect.provide(world.layer()), Effect.provideService(Leadership, ledBy(leads)))
    })
  })

  it.effect("that the backup has lost is restored", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { inventory } = yield* world.start()
      world.held = two
      yield* TestClock.adjust("6 hours")
      assert.deepStrictEqual([digestNow(inventory), world.held, world.copies.length], [one, one, 2])
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("of a backup that is down stays what it is, and is looked at again", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { inventory } = yield* world.start()
      world.seenFails = failure({ side: "backup" })
      yield* TestClock.adjust("6 hours")
      assert.deepStrictEqual([digestNow(inventory), world.asked, world.copies.length], [one, [], 1])
      assert.isAtMost(world.looks.length, 10)
      world.seenFails = undefined
      yield* TestClock.adjust("45 minutes")
      // its turn of the interval may follow at once
      assert.include([1, 2], world.asked.length)
    }).pipe(Effect.provide(world.layer()))
  })

  it.effect("is left alone while DRY_RUN is on, and has its turns again afterwards", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { images } = yield* world.start()
      const settings = yield* SettingsRef
      yield* SubscriptionRef.update(settings, (it) => ({ ...it, DRY_RUN: true }))
      yield* images.offer(source)
      yield* TestClock.adjust("12 hours")
      assert.isEmpty(world.asked)
      yield* SubscriptionRef.update(settings, (it) => ({ ...it, DRY_RUN: false }))
      yield* images.offer(source)
      yield* TestClock.adjust("6 hours")
      assert.strictEqual(world.asked.length, 1)
    }).pipe(Effect.provide(world.layer()))
  })
})

describe("a tag that TAG_POLICY keeps", () => {
  it.effect("stays; the drift is said once with both digests, and counted until it is gone", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { inventory } = yield* world.start()
      world.named = two
      yield* TestClock.adjust("24 hours")
      assert.deepStrictEqual([digestNow(inventory), world.copies.length, world.held], [one, 1, one])
      const said = world.told.filter((it) => it.includes(two))
      assert.strictEqual(said.length, 1)
      assert.include(said[0], source)
      assert.include(said[0], one)
      assert.strictEqual((yield* Metric.value(tagsDrifted)).value, 1)
      world.named = one
      yield* TestClock.adjust("6 hours")
      assert.strictEqual((yield* Metric.value(tagsDrifted)).value, 0)
    }).pipe(Effect.provide(world.layer({ TAG_POLICY: "keep" })))
  })

  it.effect("is counted by nobody who compares no longer", () => {
    const world = new World()
    return Effect.gen(function*() {
      yield* world.start()
      world.named = two
      yield* TestClock.adjust("12 hours")
      assert.strictEqual((yield* Metric.value(tagsDrifted)).value, 1)
      const settings = yield* SettingsRef
      yield* SubscriptionRef.update(settings, (it) => ({ ...it, DRY_RUN: true }))
      yield* TestClock.adjust("7 hours")
      assert.strictEqual((yield* Metric.value(tagsDrifted)).value, 0)
    }).pipe(Effect.provide(world.layer({ TAG_POLICY: "keep" })))
  })

  it.effect("follows at once what it drifted from when the policy changes", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { images, inventory } = yield* world.start()
      world.named = two
      yield* TestClock.adjust("6 hours")
      const settings = yield* SettingsRef
      yield* SubscriptionRef.update(settings, (it) => ({ ...it, TAG_POLICY: "follow" as const }))
      yield* images.offer(source)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(digestNow(inventory), two)
      assert.strictEqual((yield* Metric.value(tagsDrifted)).value, 0)
    }).pipe(Effect.provide(world.layer({ TAG_POLICY: "keep" })))
  })

  it.effect("is restored as what it was, by what was seen of it last", () => {
    const world = new World()
    return Effect.gen(function*() {
      const { images, inventory } = yield* world.start()
      inventory.set(source, { _tag: "Pending" })
      yield* images.offer(source)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(world.lastRequest?.last, one)
    }).pipe(Effect.provide(world.layer({ TAG_POLICY: "keep" })))
  })
})
