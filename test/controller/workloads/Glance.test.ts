// What is made by a workload is wanted without a fiber and without a decision; all that needs more is left to the actor.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import { Coverage } from "../../../src/upkeep/Coverage.ts"
import { Decisions } from "../../../src/controller/Decisions.ts"
import { SourceTags } from "../../../src/clone/SourceTags.ts"
import * as Glance from "../../../src/controller/workloads/Glance.ts"
import * as ReconcileWorkload from "../../../src/controller/workloads/ReconcileWorkload.ts"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import { Rewriter } from "../../../src/rewrite/Rewriter.ts"
import { Inventory } from "../../../src/store/Inventory.ts"
import { WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import type { Workload } from "../../../src/workload/Workload.ts"
import { controllerState } from "../../support/ControllerState.ts"
import { digestOf, pod, resources, workload } from "../../support/Objects.ts"

const source = "docker.io/library/nginx:1.27"
const copy = "backup.example/copies/docker.io/library/nginx:1.27"

const layer = Layer.mergeAll(
  Layer.mock(Rewriter, {}),
  Layer.mock(KubeClient, { server: "https://127.0.0.1" }),
  Layer.mock(SourceTags, { named: () => Effect.succeedNone }),
  controllerState()
)

const deployment = workload()
const replicaSet = (given: Partial<Workload> = {}): Workload => ({
  ...workload({ kind: "ReplicaSet", name: "web-1" }),
  owner: { apiVersion: "apps/v1", kind: "Deployment", name: deployment.name, uid: deployment.uid },
  ...given
})

const world = Effect.gen(function*() {
  const store = yield* WorkloadStore
  for (const resource of resources) store.markSynced(resource)
  store.putNamespace({ name: "shop", uid: "shop", marks: { ignore: undefined, rewrite: undefined } })
  store.putWorkload(deployment)
  const inventory = yield* Inventory
  const glance = yield* Glance.make({ ownNamespace: Option.none() })
  return { store, inventory, decisions: yield* Decisions, glance }
})

describe("a glance", () => {
  it.effect("is enough for what a workload makes, once its images are known", () =>
    Effect.gen(function*() {
      const { decisions, glance, inventory, store } = yield* world
      inventory.want(deployment.key, [source])
      const made = replicaSet()
      const of = pod({ owner: made, digest: digestOf("a") })
      store.putWorkload(made)
      store.putPod(of)
      assert.isTrue(glance(made.key))
      assert.isTrue(glance(of.workload.key))
      assert.deepStrictEqual(
        [...inventory.get(source)?.users ?? []].toSorted(),
        [
          deployment.key,
          of.workload.key,
          made.key
        ].toSorted()
      )
      assert.isUndefined(decisions.get(made.key))
      assert.isUndefined(decisions.get(of.workload.key))
      const coverage = yield* Coverage
      assert.strictEqual(coverage.pods["at-risk"], 1)
      inventory.set(source, {
        _tag: "BackedUp",
        digest: digestOf("a"),
        contents: new Set([digestOf("a")]),
        verifiedAt: 0
      })
      assert.isTrue(glance(of.workload.key))
      assert.deepStrictEqual(coverage.pods, { running: 0, whole: 1, left: 0, "at-risk": 0 })
      store.putPod({ ...of, finished: true })
      assert.isTrue(glance(of.workload.key))
      assert.strictEqual(coverage.pods.whole, 0)
    }).pipe(Effect.provide(layer)))

  it.effect("is not enough for what nobody has wanted yet, and has done nothing then", () =>
    Effect.gen(function*() {
      const { glance, inventory, store } = yield* world
      const made = replicaSet()
      store.putWorkload(made)
      assert.isFalse(glance(made.key))
      assert.isUndefined(inventory.get(source))
    }).pipe(Effect.provide(layer)))

  it.effect("is not enough for a workload, for what is gone, or for what somebody else's kind makes", () =>
    Effect.gen(function*() {
      const { decisions, glance, inventory, store } = yield* world
      inventory.want(deployment.key, [source])
      const rollout = { apiVersion: "argoproj.io/v1alpha1", kind: "Rollout", name: "web", uid: "r" }
      const operated = { ...workload({ kind: "StatefulSet", name: "operated" }), owner: replicaSet().owner }
      const adopted = replicaSet({ key: "ReplicaSet/shop/adopted", name: "adopted" })
      for (const it of [replicaSet({ owner: rollout }), operated, adopted]) store.putWorkload(it)
      const before = { workload: adopted, images: [], wants: [], stale: [], onlyStale: false, touchable: true }
      yield* decisions.set({
        plan: { ...before, patchable: true, verdict: { _tag: "Done" } },
        verdict: { _tag: "Done" }
      })
      for (const key of [deployment.key, "ReplicaSet/shop/gone", "ReplicaSet/shop/web-1", operated.key, adopted.key]) {
        assert.isFalse(glance(key), key)
      }
    }).pipe(Effect.provide(layer)))

  it.effect("is not enough for what has pods that cannot pull their copy, which the backup may have lost", () =>
    Effect.gen(function*() {
      const { glance, inventory, store } = yield* world
      inventory.want(deployment.key, [source])
      inventory.set(source, { _tag: "BackedUp", digest: digestOf("a"), contents: new Set(), verifiedAt: 0 })
      const made = replicaSet({ images: deployment.images.map((it) => ({ ...it, image: copy })) })
      const well = pod({ owner: made, digest: digestOf("a") })
      const unwell = {
        ...well,
        containers: well.containers.map((it) => ({
          ...it,
          image: copy,
          started: false,
          running: false,
          waiting: "ImagePullBackOff"
        }))
      }
      store.putWorkload(made)
      store.putPod(unwell)
      assert.isFalse(glance(made.key))
      store.putPod(well)
      assert.isTrue(glance(made.key))
    }).pipe(Effect.provide(layer)))

  it.effect("waits for the namespace, which may opt its objects out", () =>
    Effect.gen(function*() {
      const { glance, inventory, store } = yield* world
      inventory.want(deployment.key, [source])
      const made = replicaSet()
      store.putWorkload(made)
      store.remove("namespace", "shop")
      assert.isFalse(glance(made.key))
      store.putNamespace({ name: "shop", uid: "shop", marks: { ignore: true, rewrite: undefined } })
      assert.isTrue(glance(made.key))
      assert.deepStrictEqual([...inventory.get(source)?.users ?? []], [deployment.key])
    }).pipe(Effect.provide(layer)))

  const Image = Schema.Literals(["nginx:1.27", "redis:7", copy, "ghcr.io/a/b@sha256:" + "a".repeat(64), "::", "latest"])
  const World = Schema.Struct({
    images: Schema.Array(Image),
    deleting: Schema.Boolean,
    replicas: Schema.UndefinedOr(Schema.Literals([0, 1])),
    marks: Schema.UndefinedOr(Schema.Boolean)
  })
  it.effect.prop(
    "wants what the actor would have wanted",
    [World],
    ([{ deleting, images, marks, replicas }]) =>
      Effect.gen(function*() {
        const { decisions, glance, inventory, store } = yield* world
        const named = Object.fromEntries(images.map((image, at) => [`c${at}`, image]))
        const made: Workload = {
          ...replicaSet({ deleting, replicas, marks: { ignore: marks, rewrite: undefined } }),
          images: workload({ images: named }).images
        }
        store.putWorkload(made)
        const act = yield* ReconcileWorkload.make({ ownNamespace: Option.none() })
        yield* act(made.key)
        const wanted = () => inventory.all.filter((it) => it.users.has(made.key)).map((it) => it.source).toSorted()
        const byActor = wanted()
        const others = inventory.all.map((it) => it.source)
        inventory.want("Deployment/shop/other", others, new Set(others))
        inventory.want(made.key, [])
        decisions.forget(made.key)
        if (glance(made.key)) assert.deepStrictEqual(wanted(), byActor)
        else assert.include(images, copy, "only the entry of a copy that nobody recorded needs the actor")
      }).pipe(Effect.scoped, Effect.provide(Layer.fresh(layer)))
  )
})
