import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { Cloner } from "../../../src/clone/Cloner.ts"
import { Progress } from "../../../src/clone/Progress.ts"
import * as ReviewsFirst from "../../../src/controller/admission/ReviewsFirst.ts"
import { settingsOf } from "../../../src/settings/Settings.ts"
import { SettingsRef } from "../../../src/settings/SettingsRef.ts"
import { MeasureThreadUse } from "../../../src/telemetry/ThreadUse.ts"

const settings = settingsOf("backup.example/copies", { MAX_CONCURRENT_RECONCILES: 6 })
const image = { registry: "docker.io", repository: "library/nginx", tag: "1.27" }

/** Copies beside reviews, in a world where so much of the thread is used, and so many images are copied and wait. */
const copying = Effect.fnUntraced(function*(world: { busy: number; running: number; waiting: number }) {
  const limits: Array<number | undefined> = []
  const progress = new Progress(image, { registry: "backup.example", repository: "copies/nginx", tag: "1.27" })
  const layer = Layer.mergeAll(
    Layer.mock(Cloner, {
      atMost: (most) => Effect.sync(() => void limits.push(most)),
      isInLine: () => false,
      inFlight: Effect.sync(() => Array.from({ length: world.running }, () => progress.now)),
      waiting: Effect.sync(() => world.waiting)
    }),
    SettingsRef.layerOf(settings),
    Layer.succeed(MeasureThreadUse, () => () => world.busy)
  )
  const context = yield* Layer.build(layer)
  const { giveWay, reviewed } = yield* Effect.provideContext(ReviewsFirst.make, context)
  yield* Effect.forkScoped(giveWay, { startImmediately: true })
  const ref = yield* Effect.provideContext(SettingsRef, context)
  return {
    limits,
    reviewed,
    allow: (permits: number) => SubscriptionRef.update(ref, (it) => ({ ...it, MAX_CONCURRENT_RECONCILES: permits })),
    /** What was set in the next so many tenths of a second. */
    after: Effect.fnUntraced(function*(looks: number) {
      limits.length = 0
      yield* TestClock.adjust(looks * 100)
      return [...limits]
    })
  }
})

describe("copies beside reviews", () => {
  it.effect("are as many as the settings say where nobody asks", () =>
    Effect.gen(function*() {
      const { after } = yield* copying({ busy: 1, running: 5, waiting: 5 })
      assert.deepStrictEqual(yield* after(100), [])
    }))

  it.effect("begin with few, and become more while the thread has room", () =>
    Effect.gen(function*() {
      const { after, limits, reviewed } = yield* copying({ busy: 0.5, running: 1, waiting: 9 })
      yield* reviewed
      yield* Effect.yieldNow
      assert.deepStrictEqual(limits, [2])
      assert.deepStrictEqual(yield* after(6), [3, 4, 5, 6, 6, 6])
    }))

  // While a hundred images were copied, 1,000 reviews a second waited up to half a second each: all copies that were allowed took
  // their turns in the one thread between two reviews.
  it.effect("become fewer while the thread is full, and go on", () =>
    Effect.gen(function*() {
      const world = { busy: 0.5, running: 6, waiting: 9 }
      const { after, reviewed } = yield* copying(world)
      yield* reviewed
      yield* after(6)
      world.busy = 0.95
      assert.deepStrictEqual(yield* after(3), [3, 2, 2])
      world.busy = 0.5
      assert.deepStrictEqual(yield* after(2), [3, 4])
    }))

  it.effect("begin with few again where nothing was copied meanwhile", () =>
    Effect.gen(function*() {
      const world = { busy: 0.5, running: 6, waiting: 9 }
      const { after, reviewed } = yield* copying(world)
      yield* reviewed
      yield* after(6)
      Object.assign(world, { running: 0, waiting: 0 })
      assert.deepStrictEqual(yield* after(1), [2])
    }))

  it.effect("follow the settings", () =>
    Effect.gen(function*() {
      const { after, allow, reviewed } = yield* copying({ busy: 0.5, running: 2, waiting: 9 })
      yield* reviewed
      yield* after(6)
      yield* allow(3)
      assert.deepStrictEqual(yield* after(1), [3])
    }))

  it.effect("are as many as the settings say ten seconds after the last review, until the next", () =>
    Effect.gen(function*() {
      const { after, limits, reviewed } = yield* copying({ busy: 1, running: 6, waiting: 9 })
      yield* reviewed
      yield* after(50)
      yield* reviewed
      assert.notInclude(yield* after(99), undefined)
      assert.deepStrictEqual(yield* after(1), [undefined])
      assert.deepStrictEqual(yield* after(100), [])
      yield* reviewed
      yield* Effect.yieldNow
      assert.deepStrictEqual(limits, [2])
    }))
})
