import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { Decisions } from "../../src/controller/Decisions.ts"
import { ImageQueue, WorkloadQueue } from "../../src/controller/Queues.ts"
import { resources } from "../../src/controller/Watches.ts"
import { Pacing } from "../../src/rewrite/Pacing.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { SettingsRef } from "../../src/settings/SettingsRef.ts"
import { Inventory } from "../../src/store/Inventory.ts"
import { WorkloadStore } from "../../src/store/WorkloadStore.ts"
import type { Asked } from "../../src/web/Asked.ts"
import { Explainer, make } from "../../src/web/Explainer.ts"
import { plan } from "../../src/workload/Plan.ts"
import { held } from "../../src/workload/Verdict.ts"
import { pod, workload } from "../support/Objects.ts"
import { given, nginx } from "../workload/Planned.ts"

const layer = Layer.mergeAll(
  Pacing.layer,
  Decisions.layer,
  Inventory.layer,
  WorkloadStore.layer,
  ImageQueue.layer,
  WorkloadQueue.layer,
  SettingsRef.layerOf(settingsOf("backup.example/copies"))
)

const web = workload()
const planned = plan(web, given())

const ask = (asked: Asked) =>
  Effect.flatMap(
    make(Option.some("tools"), { isInLine: () => false, waiting: Effect.succeed(0) }),
    (explain) => explain(asked)
  )
const aboutWeb: Asked = { about: "workload", name: web.key }

describe("the controller, asked to explain", () => {
  it.effect("answers from its decisions, its queues and its stores", () =>
    Effect.gen(function*() {
      const store = yield* WorkloadStore
      store.putWorkload(web)
      const inventory = yield* Inventory
      inventory.want(web.key, [nginx])
      // people know its pods by the workload that makes them
      const young = pod({ owner: web })
      store.putPod(young)
      inventory.want(young.workload.key, [nginx])
      inventory.set(nginx, { _tag: "Failed", reason: "failed", message: "no route", retryAt: 90_000, triedAt: 30_000 })
      yield* (yield* ImageQueue).offerAfter(nginx, "2 minutes")
      yield* TestClock.adjust("1 minute")
      yield* (yield* Decisions).set({ plan: planned, verdict: held("failed", "no route") })
      yield* TestClock.adjust("30 seconds")
      const told = yield* ask(aboutWeb)
      assert.deepInclude(told, {
        _tag: "Workload",
        by: "controller",
        reason: "failed",
        since: "1970-01-01T00:01:00.000Z"
      })
      const image = yield* ask({ about: "image", name: "nginx:1.27" })
      assert.deepInclude(image, {
        _tag: "Image",
        state: "failed",
        triedAt: "1970-01-01T00:00:30.000Z",
        next: [{ what: `${nginx} is tried again`, at: "1970-01-01T00:02:00.000Z" }],
        users: { count: 1, some: [web.key] }
      })
    }).pipe(Effect.provide(layer)))

  it.effect("says that it has not decided yet, and what it has not seen yet", () =>
    Effect.gen(function*() {
      const store = yield* WorkloadStore
      const nothing = yield* ask(aboutWeb)
      assert.match(
        nothing._tag === "Unknown" ? nothing.message : "",
        /there is no Deployment web.*has not seen yet: namespaces,/
      )
      for (const { resource } of resources) store.markSynced(resource.name)
      const gone = yield* ask(aboutWeb)
      assert.strictEqual(gone._tag === "Unknown" ? gone.message : "", "there is no Deployment web in namespace shop")
      store.putWorkload(web)
      const early = yield* ask(aboutWeb)
      assert.match(early._tag === "Unknown" ? early.message : "", /was not decided about yet/)
    }).pipe(Effect.provide(layer)))

  it.effect("leads from what a workload makes to the workload", () =>
    Effect.gen(function*() {
      const store = yield* WorkloadStore
      store.putWorkload(web)
      store.putPod(pod({ owner: web }))
      const told = yield* ask({ about: "workload", name: "shop/web-1" })
      assert.deepStrictEqual(told._tag === "Unknown" ? told.candidates : [], [web.key])
    }).pipe(Effect.provide(layer)))

  it.effect("cannot be asked before it is there", () =>
    Effect.gen(function*() {
      const { answerBy, explain } = yield* Explainer
      assert.isUndefined(yield* explain(aboutWeb))
      yield* answerBy(() => Effect.succeed({ _tag: "Unknown", message: "x", candidates: [] }))
      assert.strictEqual((yield* explain(aboutWeb))?._tag, "Unknown")
    }).pipe(Effect.provide(Explainer.layer)))
})
