import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as Disown from "../../../src/controller/workloads/Disown.ts"
import { WorkloadQueue } from "../../../src/controller/Queues.ts"
import { KubeError } from "../../../src/kube/KubeError.ts"
import { type Disowned, Rewriter } from "../../../src/rewrite/Rewriter.ts"
import { type Settings, settingsOf } from "../../../src/settings/Settings.ts"
import { plan } from "../../../src/workload/Plan.ts"
import { facts, workload } from "../../support/Objects.ts"

const refusal = (reason: KubeError["reason"]) =>
  new KubeError({
    operation: "PATCH /x",
    reason,
    status: 403,
    detail: "not here",
    causes: [],
    retryAfter: undefined,
    retryable: false,
    outcomeUnknown: false
  })

/** A rewriter that answers what `answer` says, what was logged at warning, and what is made of them. */
const world = (
  answer: () => Effect.Effect<Disowned, KubeError>,
  settings: Partial<Settings> = {},
  unseen: ReadonlyArray<string> = []
) => {
  const asked: Array<string> = []
  const warnings: Array<string> = []
  const layer = Layer.mergeAll(
    Layer.mock(Rewriter, {
      disown: (it) =>
        Effect.suspend(() => {
          asked.push(it.key)
          return answer()
        })
    }),
    WorkloadQueue.layer,
    Logger.layer([Logger.make((it) => void (it.logLevel === "Warn" && warnings.push(String(it.message))))])
  )
  /** With the settings as they are when it is asked. */
  const make = Disown.make({
    decide: (key) =>
      Effect.sync(() => {
        const given = settingsOf("backup.example/copies", settings)
        const of = workload({ namespace: key.split("/")[1] ?? "" })
        return { settings: given, plan: plan(of, facts(given, { unseen })) }
      })
  })
  return { asked, warnings, layer, make }
}

const web = workload()
const ready = WorkloadQueue.use((queue) => queue.depth)

describe("giving up ownership", () => {
  it.effect("is not tried where nothing may be patched, whoever holds what", () =>
    Effect.gen(function*() {
      for (
        const settings of [{ DRY_RUN: true }, { REWRITE_MODE: "off" as const }, { NAMESPACES_TO_IGNORE: ["shop"] }]
      ) {
        const it = world(() => Effect.succeed("done"), settings)
        yield* Effect.gen(function*() {
          yield* (yield* it.make).disown(web)
          assert.deepStrictEqual(it.asked, [])
        }).pipe(Effect.provide(it.layer))
      }
    }))

  it.effect("is not tried while what it depends on cannot be seen", () => {
    const it = world(() => Effect.succeed("done"), {}, ["pods cannot be seen"])
    return Effect.gen(function*() {
      yield* (yield* it.make).disown(web)
      assert.deepStrictEqual(it.asked, [])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is judged by what the settings say when its turn comes", () => {
    const settings: { DRY_RUN?: boolean } = {}
    const it = world(() => Effect.delay(Effect.succeed("done"), "10 seconds"), settings)
    return Effect.gen(function*() {
      const { disown } = yield* it.make
      for (let index = 0; index < 9; index++) {
        yield* Effect.forkScoped(disown(workload({ name: `web-${index}` })), { startImmediately: true })
      }
      yield* TestClock.adjust("1 second")
      const begun = it.asked.length
      settings.DRY_RUN = true
      yield* TestClock.adjust("1 minute")
      assert.isBelow(begun, 9)
      assert.strictEqual(it.asked.length, begun)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("fails without a word to the rewrite, is said once, rests, and is tried at a later look", () => {
    let answer: Effect.Effect<Disowned, KubeError> = Effect.fail(refusal("Denied"))
    const it = world(() => answer)
    return Effect.gen(function*() {
      const { disown } = yield* it.make
      yield* disown(web)
      assert.strictEqual(it.warnings.length, 1)
      assert.include(it.warnings[0], "not here; tried again in 5m")
      // looks that come meanwhile, for each of its pods, do not try
      yield* disown(web)
      assert.strictEqual(it.asked.length, 1)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(yield* ready, 1)
      yield* disown(web)
      assert.strictEqual(it.asked.length, 2)
      assert.strictEqual(it.warnings.length, 1)
      yield* TestClock.adjust("5 minutes")
      answer = Effect.succeed("done")
      yield* disown(web)
      // another trouble is another line
      answer = Effect.fail(refusal("Unavailable"))
      yield* disown(web)
      assert.strictEqual(it.warnings.length, 2)
      assert.include(it.warnings[1], "tried again in 30s")
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("does not fight with who puts our entry back", () => {
    const it = world(() => Effect.succeed("kept"))
    return Effect.gen(function*() {
      const { disown } = yield* it.make
      yield* disown(web)
      yield* TestClock.adjust("4 minutes")
      yield* disown(web)
      assert.strictEqual(it.asked.length, 1)
      assert.include(it.warnings[0], "does a webhook change them?")
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is left to a look a moment later where others write all the time", () => {
    const it = world(() => Effect.succeed("changed"))
    return Effect.gen(function*() {
      yield* (yield* it.make).disown(web)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* ready, 1)
      assert.deepStrictEqual(it.warnings, [])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("begins anew with an object of the same name", () => {
    const it = world(() => Effect.fail(refusal("Forbidden")))
    return Effect.gen(function*() {
      const { disown, forget } = yield* it.make
      yield* disown(web)
      yield* forget(web.key)
      yield* disown(web)
      assert.strictEqual(it.warnings.length, 2)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("in one namespace holds up no other, however slow its webhooks are", () => {
    let namespace = "shop"
    const it = world(() => namespace === "shop" ? Effect.never : Effect.succeed("done"))
    return Effect.gen(function*() {
      const { disown } = yield* it.make
      for (let index = 0; index < 9; index++) {
        yield* Effect.forkScoped(disown(workload({ name: `web-${index}` })), { startImmediately: true })
      }
      namespace = "other"
      yield* disown(workload({ namespace }))
      assert.include(it.asked, "Deployment/other/web")
    }).pipe(Effect.provide(it.layer))
  })
})
