import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Logger, Metric } from "effect"
import { TestClock } from "effect/testing"
import { Cloner } from "../../../src/clone/Cloner.ts"
import { Decisions } from "../../../src/controller/Decisions.ts"
import type { ToldEvent } from "../../../src/controller/events/EventOf.ts"
import { Events } from "../../../src/controller/events/Events.ts"
import { reportVanished } from "../../../src/controller/sources/ReportVanished.ts"
import { Leadership } from "../../../src/kube/lease/Leadership.ts"
import { settingsOf } from "../../../src/settings/Settings.ts"
import { SettingsRef } from "../../../src/settings/SettingsRef.ts"
import { Inventory } from "../../../src/store/Inventory.ts"
import { vanishedSources } from "../../../src/telemetry/Metrics.ts"
import { plan } from "../../../src/workload/Plan.ts"
import { workload } from "../../support/Objects.ts"
import { backedUp, given } from "../../workload/Planned.ts"

const day = 24 * 3_600_000
const nginx = "docker.io/library/nginx:1.27"

/** A reporter that runs, what it has said, and a world that a test changes. */
const reporting = Effect.gen(function*() {
  const events: Array<ToldEvent> = []
  const log: Array<string> = []
  const world = { silences: new Map<string, Duration.Duration>(), leads: true }
  const context = yield* Layer.build(Layer.mergeAll(
    Layer.mock(Cloner, { silences: Effect.sync(() => world.silences), isInLine: () => false }),
    Inventory.layer,
    Decisions.layer,
    SettingsRef.layerOf(settingsOf("backup.example/copies")),
    Layer.succeed(Leadership, {
      mayWrite: Effect.sync(() => world.leads),
      changes: Effect.die("nobody follows it here") as never, // as it says
      leave: Effect.void
    }),
    Layer.succeed(Events, {
      tell: (event) => Effect.sync(() => void events.push(event)),
      take: Effect.never,
      forget: () => Effect.void
    }),
    Logger.layer([Logger.make(({ logLevel, message }) => void log.push(`${logLevel} ${String(message)}`))])
  ))
  const inventory = yield* Effect.provide(Effect.service(Inventory), context)
  const decisions = yield* Effect.provide(Effect.service(Decisions), context)
  yield* Effect.forkScoped(Effect.provide(reportVanished, context))
  const use = (name: string, source: string) => {
    const it = workload({ name, images: { app: source } })
    inventory.want(it.key, [source])
    return decisions.set({ plan: plan(it, given()), verdict: { _tag: "Done" } })
  }
  const said = () => log.filter((it) => it.startsWith("Warn") || it.includes("again"))
  return { inventory, decisions, events, world, use, said }
})

const minute = TestClock.adjust("1 minute")

const vanished = (cause: "not-found" | "unreachable", copy: "kept" | "none") =>
  Effect.map(Metric.value(vanishedSources({ cause, copy })), (it) => it.value)

describe("a source that has vanished", () => {
  it.effect("is said once, counted, and has an Event on each workload, until it is there again, which is said too", () =>
    Effect.gen(function*() {
      const { events, inventory, said, use } = yield* reporting
      yield* use("web", nginx)
      yield* use("api", nginx)
      inventory.want("Pod/shop/web-1", [nginx])
      inventory.set(nginx, backedUp())
      inventory.noteGone(nginx, 0)
      inventory.noteGone(nginx, day)
      for (let round = 0; round < 5; round++) yield* minute
      assert.lengthOf(said(), 1)
      assert.include(said()[0] ?? "", "2 workloads use it, first Deployment/shop/api; the copy in the backup")
      assert.deepStrictEqual(events.map((it) => `${it.reason} ${it.regarding.name}`), [
        "SourceVanished api",
        "SourceVanished web"
      ])
      assert.strictEqual(yield* vanished("not-found", "kept"), 1)
      assert.strictEqual(inventory.get(nginx)?.vanished, "not-found")

      inventory.noteGone(nginx, undefined)
      yield* minute
      yield* minute
      assert.lengthOf(said(), 2)
      assert.deepInclude(events.at(-1), { reason: "SourceBack", type: "Normal" })
      assert.strictEqual(yield* vanished("not-found", "kept"), 0)
      assert.isUndefined(inventory.get(nginx)?.vanished)
    }).pipe(Effect.scoped))

  it.effect("with its registry is said once for all of its images", () =>
    Effect.gen(function*() {
      const { events, inventory, said, use, world } = yield* reporting
      for (let index = 0; index < 300; index++) yield* use(`w${index}`, `quay.io/team/app${index}:1`)
      world.silences.set("quay.io", Duration.hours(1))
      for (let round = 0; round < 3; round++) yield* minute
      assert.lengthOf(said(), 1)
      assert.include(said()[0] ?? "", "300 images")
      assert.lengthOf(events, 50)
      assert.strictEqual(yield* vanished("unreachable", "none"), 300)
      inventory.set("quay.io/team/app0:1", backedUp())
      world.silences.delete("quay.io")
      yield* minute
      assert.strictEqual(yield* vanished("unreachable", "none"), 0)
      assert.strictEqual(events.at(-1)?.reason, "SourceBack")
    }).pipe(Effect.scoped))

  it.effect("is not told while the backup gives no answer either: neither that it has, nor that it is back", () =>
    Effect.gen(function*() {
      const { events, said, use, world } = yield* reporting
      yield* use("web", nginx)
      world.silences.set("docker.io", Duration.hours(3))
      world.silences.set("backup.example", Duration.seconds(1))
      yield* minute
      assert.deepStrictEqual(said(), [])
      world.silences.delete("backup.example")
      yield* minute
      assert.lengthOf(said(), 1)
      world.silences.clear()
      world.silences.set("backup.example", Duration.seconds(1))
      yield* minute
      assert.lengthOf(said(), 1)
      assert.lengthOf(events, 1)
    }).pipe(Effect.scoped))

  it.effect("of a whole repository has twenty lines, and the rest one", () =>
    Effect.gen(function*() {
      const { inventory, said, use } = yield* reporting
      for (let index = 0; index < 100; index++) {
        const source = `quay.io/team/app:${index}`
        yield* use(`w${index}`, source)
        inventory.noteGone(source, 0)
        inventory.noteGone(source, day)
      }
      yield* minute
      assert.lengthOf(said(), 21)
      assert.include(said().at(-1) ?? "", "80 more images")
    }).pipe(Effect.scoped))

  it.effect("is not told by who does not lead, or of what nobody uses any more", () =>
    Effect.gen(function*() {
      const { inventory, said, use, world } = yield* reporting
      yield* use("web", nginx)
      inventory.noteGone(nginx, 0)
      inventory.noteGone(nginx, day)
      world.leads = false
      yield* minute
      world.leads = true
      yield* minute
      // another may have seen it there meanwhile: its day begins anew
      assert.deepStrictEqual(said(), [])
      inventory.noteGone(nginx, 2 * day)
      inventory.noteGone(nginx, 3 * day)
      yield* minute
      assert.lengthOf(said(), 1)
      inventory.want(workload({}).key, [])
      yield* minute
      assert.lengthOf(said(), 1)
    }).pipe(Effect.scoped))
})
