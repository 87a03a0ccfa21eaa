import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { CloneError } from "../../../src/clone/CloneError.ts"
import { Cloner } from "../../../src/clone/Cloner.ts"
import { BackupAnswers } from "../../../src/controller/admission/BackupAnswers.ts"
import * as Heartbeat from "../../../src/controller/admission/Heartbeat.ts"
import { ImageQueue } from "../../../src/controller/Queues.ts"
import { format, type ImageReference } from "../../../src/image/ImageReference.ts"
import { settingsOf } from "../../../src/settings/Settings.ts"
import { SettingsRef } from "../../../src/settings/SettingsRef.ts"
import { Inventory } from "../../../src/store/Inventory.ts"
import { uptime } from "../../../src/telemetry/Uptime.ts"
import { digestOf } from "../../support/Objects.ts"

const failure = (reason: CloneError["reason"]) =>
  new CloneError({
    image: "x",
    reason,
    side: "backup",
    detail: `said ${reason}`,
    retryable: true,
    retryAfter: undefined
  })

/** Heartbeats with a backup that answers what `verify` says. */
const beating = (
  verify: Effect.Effect<number, CloneError> | ((source: string) => Effect.Effect<number, CloneError>)
) => {
  const asked: Array<string> = []
  const cloner = Layer.mock(Cloner, {
    isInLine: () => false,
    verify: (it: ImageReference) =>
      Effect.suspend(() => (asked.push(format(it)), typeof verify === "function" ? verify(format(it)) : verify))
  })
  const layer = Layer.mergeAll(
    cloner,
    Inventory.layer,
    ImageQueue.layer,
    SettingsRef.layerOf(settingsOf("backup.example/copies", { MUTATING_WEBHOOK: "on" }))
  )
  const answers = new BackupAnswers()
  const start = Effect.fnUntraced(function*(copies: Record<string, number>) {
    const inventory = yield* Inventory
    inventory.want("x", Object.keys(copies))
    for (const [source, verifiedAt] of Object.entries(copies)) inventory.set(source, seen(verifiedAt))
    yield* Effect.forkScoped((yield* Heartbeat.make(answers)).beats)
    const fails = Effect.map(uptime, (now) => answers.fails(now))
    return { fails, inventory, settings: yield* SettingsRef }
  })
  return { answers, asked, layer, start }
}

const seen = (verifiedAt: number) => ({
  _tag: "BackedUp" as const,
  digest: digestOf("a"),
  contents: new Set([digestOf("a")]),
  verifiedAt
})

const hour = 3_600_000

describe("while new pods are pointed to copies, the backup", () => {
  it.effect("is asked every ten seconds for the copy that was seen longest ago, which it keeps fresh", () => {
    const { asked, layer, start } = beating(uptime)
    return Effect.gen(function*() {
      const began = yield* uptime
      const { fails, inventory } = yield* start({ "a.io/one:1": began, "a.io/two:1": began + 5000 })
      assert.isDefined(yield* fails)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(asked, ["a.io/one:1"])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(asked, ["a.io/one:1", "a.io/one:1"])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(asked.slice(2), ["a.io/two:1"])
      assert.isUndefined(yield* fails)
      const state = inventory.state("a.io/two:1")
      assert.strictEqual(state?._tag === "BackedUp" ? state.verifiedAt - began : undefined, 20_000)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.effect("is asked in time for all that would be too old to be used", () => {
    const { asked, layer, start } = beating(uptime)
    return Effect.gen(function*() {
      const old = (yield* uptime) - 5 * hour - 1000
      yield* start(Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`a.io/i${at}:1`, old])))
      for (let beats = 0; beats < 3; beats++) yield* TestClock.adjust("10 seconds")
      assert.strictEqual(new Set(asked).size, 60)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  for (const reason of ["denied", "unavailable"] as const) {
    it.effect(`counts no more once it has answered ${reason} for half a minute`, () => {
      const { answers, layer, start } = beating(Effect.fail(failure(reason)))
      return Effect.gen(function*() {
        answers.answered(yield* uptime)
        const { fails } = yield* start({ "a.io/one:1": 0 })
        yield* TestClock.adjust("29 seconds")
        assert.isUndefined(yield* fails)
        yield* TestClock.adjust("1 second")
        assert.match(String(yield* fails), new RegExp(`failed for \\d+ s: said ${reason}`))
      }).pipe(Effect.scoped, Effect.provide(layer))
    })
  }

  it.effect("counts no more where it takes a connection and says nothing", () => {
    const { answers, layer, start } = beating(Effect.never)
    return Effect.gen(function*() {
      answers.answered(yield* uptime)
      const { fails } = yield* start({ "a.io/one:1": 0 })
      for (let seconds = 0; seconds < 50; seconds++) yield* TestClock.adjust("1 second")
      assert.match(String(yield* fails), /no answer in 8s/)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.effect("answers even where it has lost a copy, which the image loop looks at", () => {
    const { layer, start } = beating(Effect.fail(failure("not-found")))
    return Effect.gen(function*() {
      const { fails } = yield* start({ "a.io/one:1": 0 })
      const offered: Array<string> = []
      const images = yield* ImageQueue
      yield* Effect.forkScoped(images.run(1, (key) => Effect.sync(() => void offered.push(key))))
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(yield* fails)
      assert.deepStrictEqual(offered, ["a.io/one:1"])
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.effect("is left alone while the webhook is off", () => {
    const { asked, layer, start } = beating(uptime)
    return Effect.gen(function*() {
      yield* SubscriptionRef.update(yield* SettingsRef, (it) => ({ ...it, MUTATING_WEBHOOK: "off" as const }))
      const { settings } = yield* start({ "a.io/one:1": 0 })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(asked, [])
      yield* SubscriptionRef.update(settings, (it) => ({ ...it, MUTATING_WEBHOOK: "on" as const }))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(asked, ["a.io/one:1"])
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  // seen: one copy that the backup refused was the oldest for good, and no pod of the cluster was pointed to copies any more
  it.effect("counts while it refuses one copy and has others, which are looked at all the same", () => {
    const { asked, layer, start } = beating((source) =>
      source === "a.io/refused:1" ? Effect.fail(failure("denied")) : uptime
    )
    return Effect.gen(function*() {
      const began = yield* uptime
      const { fails } = yield* start({ "a.io/refused:1": began, "a.io/one:1": began + 1, "a.io/two:1": began + 2 })
      for (let beats = 0; beats < 30; beats++) {
        yield* TestClock.adjust("10 seconds")
        assert.isUndefined(yield* fails)
      }
      assert.isAbove(asked.filter((it) => it === "a.io/one:1").length, 5)
      assert.isAbove(asked.filter((it) => it === "a.io/two:1").length, 5)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.effect("keeps other copies from ageing while many cannot be had", () => {
    const { asked, layer, start } = beating((source) =>
      source.startsWith("a.io/refused") ? Effect.fail(failure("denied")) : uptime
    )
    return Effect.gen(function*() {
      const old = (yield* uptime) - 5 * hour - 1000
      const copies = [
        ...Array.from({ length: 40 }, (_, at) => `a.io/refused${at}:1`),
        ...Array.from({ length: 40 }, (_, at) => `a.io/good${at}:1`)
      ]
      yield* start(Object.fromEntries(copies.map((it) => [it, old])))
      for (let beats = 0; beats < 5; beats++) yield* TestClock.adjust("10 seconds")
      assert.lengthOf([...new Set(asked.filter((it) => it.startsWith("a.io/good")))], 40)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })
})
