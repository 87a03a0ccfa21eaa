import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { FirstLook, firstLook, queued } from "../../src/controller/FirstLook.ts"
import { WorkloadQueue } from "../../src/controller/Queues.ts"
import { WorkloadStore } from "../../src/store/WorkloadStore.ts"
import { ownedImage, pod, workload } from "../support/Objects.ts"

const web = workload()
const set = workload({
  kind: "ReplicaSet",
  name: "web-1",
  metadata: { ownerReferences: [{ kind: "Deployment", name: "web", uid: web.uid, controller: true }] }
})
/** Somebody owns it, and we own its images, which are to be given up. */
const ours = workload({
  kind: "ReplicaSet",
  name: "web-2",
  templateAnnotations: { "image-cloner.io/original-images": "{}" },
  metadata: {
    ownerReferences: [{ kind: "Deployment", name: "web", uid: web.uid, controller: true }],
    managedFields: [{ manager: "image-cloner", operation: "Update", fieldsV1: ownedImage }]
  }
})
const running = pod({ owner: set })
const keys = [web.key, set.key, ours.key, running.workload.key]

const filled = Effect.gen(function*() {
  const store = yield* WorkloadStore
  for (const it of [web, set, ours]) store.putWorkload(it)
  store.putPod(running)
})

const world = Layer.mergeAll(WorkloadStore.layer, WorkloadQueue.layer)

describe("the first look", () => {
  it.effect("leaves to the queue what may be patched, and looks at the rest itself", () =>
    Effect.gen(function*() {
      yield* filled
      const looked: Array<string> = []
      assert.deepStrictEqual(yield* queued(keys), [web.key, ours.key])
      yield* firstLook((key) => Effect.sync(() => void looked.push(key)))
      assert.deepStrictEqual(looked.toSorted(), [set.key, running.workload.key].toSorted())
      // from then on all is the queue's
      assert.deepStrictEqual(yield* queued(keys), keys)
    }).pipe(Effect.provideService(FirstLook, { begun: false }), Effect.provide(world)))

  it.effect("gives to the queue what it cannot look at, and goes on", () =>
    Effect.gen(function*() {
      yield* filled
      let looks = 0
      yield* firstLook(() => {
        looks++
        return Effect.die(new Error("a defect"))
      })
      assert.strictEqual(looks, 2)
      assert.strictEqual(yield* (yield* WorkloadQueue).depth, 2)
    }).pipe(Effect.provideService(FirstLook, { begun: false }), Effect.provide(world)))

  it.effect("has been made where nobody makes it", () =>
    Effect.gen(function*() {
      yield* filled
      assert.deepStrictEqual(yield* queued(keys), keys)
    }).pipe(Effect.provide(world)))
})
