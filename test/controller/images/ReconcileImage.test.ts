import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Logger, Result, Stream, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { CloneError } from "../../../src/clone/CloneError.ts"
import { Cloner, type CloneRequest, type Copied } from "../../../src/clone/Cloner.ts"
import { SourceTags } from "../../../src/clone/SourceTags.ts"
import { ImageQueue, WorkloadQueue } from "../../../src/controller/Queues.ts"
import * as ReconcileImage from "../../../src/controller/images/ReconcileImage.ts"
import { format, type ImageReference, parse } from "../../../src/image/ImageReference.ts"
import { Leadership } from "../../../src/kube/lease/Leadership.ts"
import { Pacing } from "../../../src/rewrite/Pacing.ts"
import { type Settings, settingsOf } from "../../../src/settings/Settings.ts"
import { SettingsRef } from "../../../src/settings/SettingsRef.ts"
import { Images, Inventory } from "../../../src/store/Inventory.ts"
import { WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import { uptime } from "../../../src/telemetry/Uptime.ts"
import { anyPulls, digestOf, workload } from "../../support/Objects.ts"

const source = "docker.io/library/nginx:1.27"
const reference = Result.getOrThrow(parse(source))

const copied: Copied = {
  source: reference,
  backup: reference,
  digest: digestOf("a"),
  contents: new Set([digestOf("a")]),
  verifiedAt: 0,
  blobs: { uploaded: 1, mounted: 0, present: 0 },
  bytes: { uploaded: 1, mounted: 0, present: 0 },
  manifests: 1,
  upToDate: false,
  seconds: 1
}

const failure = (given: Partial<CloneError> = {}) =>
  new CloneError({
    image: source,
    reason: "unavailable",
    side: "source",
    detail: "no answer",
    retryable: true,
    retryAfter: undefined,
    ...given
  })

const unwanted = failure({ reason: "unwanted", side: "backup", detail: "it is not to be copied any more" })

/** Keeps what is logged at warning or above. */
const warnings = (told: Array<string>) =>
  Logger.layer([
    Logger.make((it) => void (/Warn|Error|Fatal/.test(it.logLevel) && told.push(String(it.message))))
  ])

/** The image loop with a cloner that says what `clone` and `verify` say. */
const loop = (given: {
  readonly clone: (attempt: number, request?: CloneRequest) => Effect.Effect<Copied, CloneError>
  readonly verify?: Effect.Effect<number, CloneError>
  readonly verifyWhole?: Effect.Effect<number, CloneError>
  readonly settings?: Partial<Settings>
}) => {
  const clones: Array<string> = []
  const out: Array<string> = []
  const cloner = Layer.mock(Cloner, {
    isInLine: () => false,
    stepOut: (of) => Effect.sync(() => void out.push(of)),
    clone: (it: ImageReference, request) =>
      Effect.suspend(() => {
        clones.push(format(it))
        return given.clone(clones.length, request)
      }),
    verify: () => given.verify ?? Effect.succeed(0),
    verifyWhole: () => given.verifyWhole ?? Effect.succeed(0)
  })
  const layer = Layer.mergeAll(
    cloner,
    Layer.mock(SourceTags, { compare: () => Effect.succeed({ _tag: "Gone" }) }),
    Pacing.layer,
    Inventory.layer,
    ImageQueue.layer,
    WorkloadQueue.layer,
    WorkloadStore.layer,
    SettingsRef.layerOf(settingsOf("backup.example/copies", given.settings))
  )
  const start = Effect.gen(function*() {
    const images = yield* ImageQueue
    const work = yield* ReconcileImage.make
    yield* Effect.forkScoped(images.run("unbounded", work))
  })
  return { clones, layer, out, start }
}

/** Two hundred workloads want the image. */
const wanted = Effect.gen(function*() {
  const inventory = yield* Inventory
  const images = yield* ImageQueue
  for (let user = 0; user < 200; user++) inventory.want(`Deployment/shop/${user}`, [source])
  yield* images.offer(source)
  return inventory
})

describe("the actor of an image", () => {
  it.effect("copies it once for all its users, and wakes every one of them", () => {
    const it = loop({ clone: () => Effect.succeed(copied) })
    return Effect.gen(function*() {
      const inventory = yield* wanted
      yield* it.start
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(it.clones, [source])
      assert.strictEqual(inventory.state(source)?._tag, "BackedUp")
      assert.strictEqual(yield* (yield* WorkloadQueue).depth, 200)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("that waits for its turn is pending, is tried by nobody until it is called, and keeps its place", () => {
    const it = loop({
      clone: (attempt) => attempt === 1 ? Effect.fail(failure({ reason: "in-line" })) : Effect.succeed(copied)
    })
    return Effect.gen(function*() {
      const inventory = yield* wanted
      yield* it.start
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual([it.clones.length, it.out.length, inventory.state(source)?._tag], [1, 0, "Pending"])
      yield* (yield* ImageQueue).offer(source)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(inventory.state(source)?._tag, "BackedUp")
    }).pipe(Effect.provide(it.layer))
  })

  it.effect.each([{ DRY_RUN: true }, { DRY_RUN: false }])(
    "that is not to be copied any more steps out: %j",
    (settings) => {
      const it = loop({ clone: () => Effect.fail(failure({ reason: "in-line" })) })
      return Effect.gen(function*() {
        const inventory = yield* wanted
        yield* it.start
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(it.out, [])
        yield* SubscriptionRef.update(yield* SettingsRef, (before) => ({ ...before, ...settings }))
        if (!settings.DRY_RUN) { for (let user = 0; user < 200; user++) inventory.want(`Deployment/shop/${user}`, []) }
        yield* (yield* ImageQueue).offer(source)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual([it.clones.length, it.out], [1, [source]])
      }).pipe(Effect.provide(it.layer))
    }
  )

  it.effect("that the backup has lost is copied as what it was, also where it has to wait for its turn", () => {
    const asked: Array<CloneRequest["last"]> = []
    const it = loop({
      clone: (attempt, request) =>
        Effect.suspend(() => {
          asked.push(request?.last)
          return attempt === 2 ? Effect.fail(failure({ reason: "in-line" })) : Effect.succeed(copied)
        }),
      verify: Effect.fail(failure({ reason: "not-found", side: "backup" }))
    })
    return Effect.gen(function*() {
      yield* wanted
      yield* it.start
      yield* TestClock.adjust("7 hours")
      const images = yield* ImageQueue
      yield* images.offer(source)
      yield* TestClock.adjust("1 second")
      yield* images.offer(source)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(asked.slice(0, 3), [undefined, copied.digest, copied.digest])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("that cannot be had costs one retry at a time, however many use it, and less and less often", () => {
    const it = loop({ clone: () => Effect.fail(failure()) })
    return Effect.gen(function*() {
      const inventory = yield* wanted
      yield* it.start
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(it.clones.length, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(it.clones.length, 2)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(it.clones.length, 3)
      yield* TestClock.adjust("1 hours")
      assert.isBelow(it.clones.length, 15)
      const state = inventory.state(source)
      assert.strictEqual(state?._tag === "Failed" && state.reason, "failed")
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is not tried again by a user that comes while it rests", () => {
    const it = loop({ clone: () => Effect.fail(failure({ reason: "not-found", retryable: false })) })
    return Effect.gen(function*() {
      const inventory = yield* wanted
      yield* it.start
      yield* TestClock.adjust("1 second")
      inventory.want("Deployment/shop/late", [source])
      yield* (yield* ImageQueue).offer(source)
      yield* TestClock.adjust("9 minutes")
      assert.strictEqual(it.clones.length, 1)
      yield* TestClock.adjust("1 minutes")
      assert.strictEqual(it.clones.length, 2)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("that is not at its source has that remembered, from the first time to the last, until it is copied", () => {
    let gone = true
    const it = loop({
      clone: () => gone ? Effect.fail(failure({ reason: "not-found", retryable: false })) : Effect.succeed(copied)
    })
    return Effect.gen(function*() {
      const inventory = yield* wanted
      yield* it.start
      yield* TestClock.adjust("1 second")
      const first = inventory.get(source)?.gone
      assert.strictEqual(first?.since, first?.last)
      yield* TestClock.adjust("30 hours")
      const { last = 0, since = 0 } = inventory.get(source)?.gone ?? {}
      assert.strictEqual(since, first?.since)
      assert.isAtLeast(last - since, 24 * 3_600_000)
      gone = false
      // its tag is compared later, and this source says then that it has none
      while (inventory.state(source)?._tag !== "BackedUp") yield* TestClock.adjust("1 minute")
      assert.isUndefined(inventory.get(source)?.gone)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("whose tag a rollout uses stays pending, says so, and is tried again soon", () => {
    const inUse = failure({ reason: "tag-in-use", side: "backup", retryAfter: Duration.seconds(15) })
    const it = loop({ clone: (attempt) => attempt < 3 ? Effect.fail(inUse) : Effect.succeed(copied) })
    return Effect.gen(function*() {
      const inventory = yield* wanted
      yield* it.start
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(inventory.state(source), { _tag: "Pending", why: "no answer" })
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(it.clones.length, 3)
      assert.strictEqual(inventory.state(source)?._tag, "BackedUp")
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("tells the cloner whether a rollout of one of its users is under way", () => {
    const told: Array<boolean> = []
    const it = loop({
      clone: (_, { tagInUse = Effect.succeed(false) } = {}) =>
        Effect.flatMap(tagInUse, (answer) => {
          told.push(answer)
          return Effect.fail(failure({ reason: "unavailable", retryAfter: Duration.seconds(60) }))
        })
    })
    return Effect.gen(function*() {
      yield* wanted
      yield* it.start
      yield* TestClock.adjust("1 second")
      const user = workload({ name: "7" })
      yield* (yield* Pacing).admit(user, { as: "rollout", limit: 1, ...anyPulls })
      yield* TestClock.adjust("61 seconds")
      assert.deepStrictEqual(told, [false, true])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("whose tag is copied with another digest is compared anew, and points nobody to the tag meanwhile", () => {
    const moved = `${source}@${digestOf("b")}`
    const inventory = new Images()
    const seen: Array<string | undefined> = []
    const it = loop({
      clone: () =>
        Effect.sync(() => {
          seen.push(inventory.state(source)?._tag)
          return copied
        })
    })
    return Effect.gen(function*() {
      inventory.want("Deployment/shop/web", [source])
      yield* (yield* ImageQueue).offer(source)
      yield* it.start
      yield* TestClock.adjust("1 second")
      inventory.want("Deployment/shop/pinned", [moved])
      yield* (yield* ImageQueue).offer(moved)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(it.clones.slice(0, 3), [source, moved, source])
      assert.strictEqual(seen[1], "Pending")
      assert.strictEqual(inventory.state(source)?._tag, "BackedUp")
    }).pipe(Effect.provide(Layer.merge(it.layer, Layer.succeed(Inventory, inventory))))
  })

  it.effect.each([["source", 6], ["backup", 37]] as const)(
    "that needs somebody to mend the %s is tried %i times in six hours",
    ([side, times]) => {
      const it = loop({ clone: () => Effect.fail(failure({ reason: "denied", side, retryable: false })) })
      return Effect.gen(function*() {
        yield* wanted
        yield* it.start
        yield* TestClock.adjust("6 hours")
        assert.strictEqual(it.clones.length, times)
      }).pipe(Effect.provide(it.layer))
    }
  )

  it.effect("waits as long as the registry asks", () => {
    const retryAfter = Duration.hours(5)
    const it = loop({ clone: () => Effect.fail(failure({ reason: "rate-limited", retryAfter })) })
    return Effect.gen(function*() {
      yield* wanted
      yield* it.start
      yield* TestClock.adjust("299 minutes")
      assert.strictEqual(it.clones.length, 1)
      yield* TestClock.adjust("1 minutes")
      assert.strictEqual(it.clones.length, 2)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("does not wait for years because a registry asks for them", () => {
    const retryAfter = Duration.nanos(10n ** 40n)
    const it = loop({ clone: () => Effect.fail(failure({ reason: "rate-limited", retryAfter })) })
    return Effect.gen(function*() {
      yield* wanted
      yield* it.start
      yield* TestClock.adjust("23 hours")
      assert.strictEqual(it.clones.length, 1)
      yield* TestClock.adjust("1 hours")
      assert.strictEqual(it.clones.length, 2)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("tells what is the source's fault from what is the backup's", () =>
    Effect.gen(function*() {
      const reasons = [
        [failure({ reason: "private" }), "private"],
        [failure({ reason: "not-found" }), "not-found"],
        [failure({ reason: "internal", retryable: false }), "internal"],
        [failure({ reason: "too-large" }), "too-large"],
        [failure({ reason: "unsupported" }), "unsupported"],
        [failure({ reason: "not-found", side: "backup" }), "failed"],
        [failure({ reason: "denied", side: "backup" }), "failed"],
        [failure({ reason: "refused" }), "failed"]
      ] as const
      for (const [error, expected] of reasons) {
        const it = loop({ clone: () => Effect.fail(error) })
        const state = yield* Effect.gen(function*() {
          const inventory = yield* wanted
          yield* it.start
          yield* TestClock.adjust("1 second")
          return inventory.state(source)
        }).pipe(Effect.provide(it.layer), Effect.scoped)
        assert.strictEqual(state?._tag === "Failed" && state.reason, expected)
      }
    }))

  it.effect("that was seen whole long ago is seen again, and copied again if it is gone", () => {
    const it = loop({
      clone: () => Effect.succeed(copied),
      verify: Effect.fail(failure({ reason: "not-found", side: "backup" }))
    })
    return Effect.gen(function*() {
      yield* wanted
      yield* it.start
      yield* TestClock.adjust("50 seconds")
      yield* (yield* ImageQueue).offer(source)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(it.clones.length, 1)
      // a cure asks for a look that is younger than a minute
      yield* TestClock.adjust("1 minutes")
      yield* (yield* ImageQueue).offer(source)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(it.clones.length, 2)
    }).pipe(Effect.provide(it.layer))
  })

  // a registry's clean-up takes manifests from under an index that stays: a HEAD says that it is there, and no node can pull it
  it.effect("that pods cannot pull is looked at to its last blob, every ten minutes at most, and copied again if it is not whole", () => {
    let looks = 0
    const it = loop({
      clone: () => Effect.succeed(copied),
      verifyWhole: Effect.suspend(() =>
        ++looks === 2 ? Effect.fail(failure({ reason: "not-found", side: "backup" })) : Effect.succeed(7)
      )
    })
    const suspect = Effect.gen(function*() {
      const inventory = yield* Inventory
      inventory.suspect(source, yield* uptime)
      yield* (yield* ImageQueue).offer(source)
      yield* TestClock.adjust("1 second")
      return [looks, it.clones.length]
    })
    return Effect.gen(function*() {
      yield* wanted
      yield* it.start
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* suspect, [1, 1])
      assert.deepStrictEqual(yield* suspect, [1, 1], "it may be the nodes")
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* suspect, [2, 2])
    }).pipe(Effect.provide(it.layer))
  })

  // the look at all of it took the place of the wake for the tag's turn, which then never came
  it.effect("that pods cannot pull has its tag compared at its turn all the same, and an outage then takes nothing back", () => {
    const it = loop({
      clone: () => Effect.succeed(copied),
      verifyWhole: Effect.fail(failure({ side: "backup" })),
      verify: Effect.map(uptime, (now) => now)
    })
    let compared = 0
    const tags = Layer.mock(SourceTags, {
      compare: () => Effect.sync(() => (compared++, { _tag: "Gone" as const }))
    })
    return Effect.gen(function*() {
      const inventory = yield* wanted
      yield* it.start
      yield* TestClock.adjust("1 second")
      inventory.suspect(source, yield* uptime)
      yield* (yield* ImageQueue).offer(source)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([inventory.state(source)?._tag, compared], ["BackedUp", 0])
      yield* TestClock.adjust("1 days")
      assert.isAbove(compared, 0)
    }).pipe(Effect.provide(Layer.mergeAll(it.layer, tags)))
  })

  it.effect("that nobody wants any more is left alone", () => {
    const it = loop({ clone: () => Effect.fail(failure()) })
    return Effect.gen(function*() {
      const inventory = yield* wanted
      yield* it.start
      yield* TestClock.adjust("1 second")
      for (let user = 0; user < 200; user++) inventory.want(`Deployment/shop/${user}`, [])
      yield* TestClock.adjust("1 hours")
      assert.strictEqual(it.clones.length, 1)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("that waits for its turn while DRY_RUN is switched on is not copied, has not failed, and is once it is off", () => {
    const told: Array<string> = []
    const it = loop({
      // its turn comes after a minute
      clone: (_, request) =>
        Effect.flatMap(
          Effect.delay(request?.wanted ?? Effect.succeed(true), "1 minute"),
          (is) => is ? Effect.succeed(copied) : Effect.fail(unwanted)
        )
    })
    return Effect.gen(function*() {
      const inventory = yield* wanted
      const settings = yield* SettingsRef
      const dryRun = (DRY_RUN: boolean) => SubscriptionRef.update(settings, (now) => ({ ...now, DRY_RUN }))
      yield* it.start
      yield* TestClock.adjust("1 second")
      yield* dryRun(true)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(it.clones.length, 1)
      assert.deepStrictEqual(inventory.state(source), { _tag: "Pending" })
      yield* dryRun(false)
      yield* (yield* ImageQueue).offer(source)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(inventory.state(source)?._tag, "BackedUp")
      assert.deepStrictEqual(told, [])
    }).pipe(Effect.provide([it.layer, warnings(told)]))
  })

  it.effect("that nobody uses any more when its turn comes is not copied, and is for whoever comes meanwhile", () => {
    const told: Array<string> = []
    const answers: Array<boolean> = []
    const it = loop({
      clone: (_, request) =>
        Effect.flatMap(Effect.delay(request?.wanted ?? Effect.succeed(true), "1 minute"), (is) => {
          answers.push(is)
          return is ? Effect.succeed(copied) : Effect.fail(unwanted)
        })
    })
    return Effect.gen(function*() {
      const inventory = yield* wanted
      yield* it.start
      yield* TestClock.adjust("1 second")
      for (let user = 0; user < 200; user++) inventory.want(`Deployment/shop/${user}`, [])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual([answers, inventory.all], [[false], []])
      yield* wanted
      yield* TestClock.adjust("30 seconds")
      for (let user = 0; user < 200; user++) inventory.want(`Deployment/shop/${user}`, [])
      yield* wanted
      yield* TestClock.adjust("31 seconds")
      assert.deepStrictEqual(answers, [false, true])
      assert.strictEqual(inventory.state(source)?._tag, "BackedUp")
      assert.deepStrictEqual(told, [])
    }).pipe(Effect.provide([it.layer, warnings(told)]))
  })

  it.effect("is not copied while DRY_RUN is on", () => {
    const it = loop({ clone: () => Effect.succeed(copied), settings: { DRY_RUN: true } })
    return Effect.gen(function*() {
      yield* wanted
      yield* it.start
      yield* TestClock.adjust("1 minutes")
      assert.deepStrictEqual(it.clones, [])
    }).pipe(Effect.provide(it.layer))
  })
})

describe("the actor of an image while another replica leads", () => {
  const known = { digest: digestOf("b"), contents: new Set([digestOf("b")]), verifiedAt: 7 }
  /** The image loop of a replica that leads from the moment it is told to. */
  const following = (recognised: () => typeof known | undefined) => {
    let leads = false
    const looks: Array<string> = []
    const it = loop({ clone: () => Effect.succeed(copied) })
    const cloner = Layer.mock(Cloner, {
      stepOut: () => Effect.void,
      isInLine: () => false,
      clone: (_, request) =>
        Effect.flatMap(
          request?.mayCopy ?? Effect.succeed(true),
          (may) => may ? Effect.succeed(copied) : Effect.fail(unwanted)
        ),
      recognise: (of) => Effect.sync(() => (looks.push(format(of)), recognised())),
      verify: () => Effect.fail(failure({ reason: "not-found", side: "backup" }))
    })
    const leadership = Layer.succeed(Leadership, {
      mayWrite: Effect.sync(() => leads),
      changes: Stream.never,
      leave: Effect.void
    })
    return { ...it, looks, lead: () => void (leads = true), layer: Layer.mergeAll(it.layer, cloner, leadership) }
  }

  it.effect("copies nothing, and finds what that one has copied within half a minute", () => {
    let held: typeof known | undefined
    const it = following(() => held)
    return Effect.gen(function*() {
      const inventory = yield* wanted
      yield* it.start
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual([it.looks.length, inventory.state(source)?._tag], [1, "Pending"])
      held = known
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(inventory.state(source), { _tag: "BackedUp", ...known })
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("copies at once when it leads, and follows again when it does no longer", () => {
    const it = following(() => undefined)
    return Effect.gen(function*() {
      const inventory = yield* wanted
      yield* it.start
      yield* TestClock.adjust("1 second")
      it.lead()
      yield* (yield* ImageQueue).offer(source)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(inventory.state(source)?._tag, "BackedUp")
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("does not forget an image that the backup has lost: whoever leads copies it", () => {
    let held: typeof known | undefined = known
    const it = following(() => held)
    return Effect.gen(function*() {
      const inventory = yield* wanted
      yield* it.start
      yield* TestClock.adjust("2 minutes")
      held = undefined
      yield* (yield* ImageQueue).offer(source)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(inventory.state(source)?._tag, "Pending")
      held = known
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(inventory.state(source)?._tag, "BackedUp")
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("copies what only its own hints want: nobody else knows of that", () => {
    const it = following(() => undefined)
    return Effect.gen(function*() {
      const inventory = yield* Inventory
      inventory.want("Hint/shop", [source])
      yield* (yield* ImageQueue).offer(source)
      yield* it.start
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([inventory.state(source)?._tag, it.looks], ["BackedUp", []])
    }).pipe(Effect.provide(it.layer))
  })
})
