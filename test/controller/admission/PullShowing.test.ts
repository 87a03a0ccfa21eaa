import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { Puller } from "../../../src/admission/Surroundings.ts"
import * as PullShowing from "../../../src/controller/admission/PullShowing.ts"
import { backup, settingsOf } from "../../../src/settings/Settings.ts"
import { Pacing } from "../../../src/rewrite/Pacing.ts"
import { WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import type { PullSet } from "../../../src/workload/PullSet.ts"
import { pod, workload } from "../../support/Objects.ts"

const target = backup(settingsOf("backup.example/copies"))
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const set: PullSet = { key: "uid/login", words: "pods of namespace shop with pull secret login" }
const web = workload()
const layer = Layer.mergeAll(Pacing.layer, WorkloadStore.layer)

const puller = (given: Partial<Puller> = {}): Puller => ({ pod: pod(), owners: [web], set, dryRun: false, ...given })

/** A Deployment with a ready pod. */
const ready = Effect.gen(function*() {
  const store = yield* WorkloadStore
  store.putWorkload(web)
  store.putPod(pod({ owner: web, name: "web-0" }))
  return yield* PullShowing.make
})

const first = /is shown by a pod of Deployment\/shop\/web first$/

describe("that pods can pull", () => {
  it.effect("is shown by one pod of a Deployment that has another, and the rest waits for that", () =>
    Effect.gen(function*() {
      const unshown = yield* ready
      const pacing = yield* Pacing
      assert.isUndefined(yield* unshown(puller()))
      assert.match(String(yield* unshown(puller())), first)
      const running = pod({
        owner: web,
        images: { app: copy },
        podSpec: { containers: [{ name: "app", image: copy, imagePullPolicy: "Always" }] }
      })
      pacing.observePod(running, set, target)
      assert.isUndefined(yield* unshown(puller()))
      assert.isUndefined(yield* unshown(puller()))
    }).pipe(Effect.provide(layer)))

  it.effect("is not tried by the first pod of a Deployment, nor by what has no such pods, unless somebody named it", () =>
    Effect.gen(function*() {
      const unshown = yield* PullShowing.make
      assert.match(String(yield* unshown(puller())), /is shown first by a Deployment/)
      const stateful = workload({ kind: "StatefulSet" })
      assert.isDefined(yield* unshown(puller({ owners: [stateful] })))
      assert.isDefined(yield* unshown(puller({ owners: [] })))
      const named = workload({
        kind: "StatefulSet",
        metadata: { annotations: { "image-cloner.io/rewrite": "admission" } }
      })
      assert.isUndefined(yield* unshown(puller({ owners: [named] })))
    }).pipe(Effect.provide(layer)))

  it.effect("is tried by nobody in a dry run, which is answered as if it were", () =>
    Effect.gen(function*() {
      const unshown = yield* ready
      assert.isUndefined(yield* unshown(puller({ dryRun: true })))
      assert.isUndefined(yield* unshown(puller()))
      assert.isDefined(yield* unshown(puller({ dryRun: true })))
    }).pipe(Effect.provide(layer)))

  it.effect("is left alone while the set rests, and tried by another pod where the first has shown nothing", () =>
    Effect.gen(function*() {
      const unshown = yield* ready
      const pacing = yield* Pacing
      assert.isUndefined(yield* unshown(puller()))
      yield* pacing.pullFailed(set, "pod shop/web-1 cannot pull", false)
      assert.strictEqual(yield* unshown(puller()), "pod shop/web-1 cannot pull")
      yield* TestClock.adjust("2 minutes")
      assert.match(String(yield* unshown(puller())), first)
      yield* TestClock.adjust("8 minutes")
      assert.isUndefined(yield* unshown(puller()))
    }).pipe(Effect.provide(layer)))

  it.effect("is tried for a few sets of a namespace at a time, however many secrets its pods name", () =>
    Effect.gen(function*() {
      const unshown = yield* ready
      const named = (at: number) => unshown(puller({ set: { key: `uid/s${at}`, words: `set ${at}` } }))
      for (let at = 0; at < 4; at++) assert.isUndefined(yield* named(at))
      assert.strictEqual(yield* named(4), "whether others of shop can pull is shown first")
      yield* TestClock.adjust("10 minutes")
      assert.isUndefined(yield* named(5))
    }).pipe(Effect.provide(layer)))

  it.effect("cannot be shown for pods of which nobody can tell the secrets", () =>
    Effect.gen(function*() {
      const unshown = yield* ready
      assert.match(String(yield* unshown(puller({ set: undefined }))), /nobody can tell with which pull secrets/)
    }).pipe(Effect.provide(layer)))
})
