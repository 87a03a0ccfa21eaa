import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import * as Mutate from "../../src/admission/Mutate.ts"
import type { AdmissionAnswer } from "../../src/admission/Review.ts"
import { SettingsRef } from "../../src/settings/SettingsRef.ts"
import { Inventory } from "../../src/store/Inventory.ts"
import { WorkloadStore } from "../../src/store/WorkloadStore.ts"
import { originalsAnnotation } from "../../src/workload/Originals.ts"
import {
  type Around,
  around,
  backedUp,
  copy,
  filled,
  newPod,
  nginx,
  replicaSet,
  request,
  shop,
  stage,
  web
} from "./Reviewed.ts"
import { digestOf, pod, workload } from "../support/Objects.ts"

const make = (surroundings: Around) => Mutate.make({ ownNamespace: Option.some("image-cloner"), surroundings })

const imagesOf = ({ patch }: AdmissionAnswer) =>
  (patch ?? []).flatMap((it) => it.path.endsWith("/image") || it.path.endsWith("/reference") ? [it] : [])

const owned = newPod({ owner: replicaSet })

describe("a pod at admission", () => {
  it.effect("is pointed to the copies, and its originals are recorded on it", () =>
    Effect.gen(function*() {
      yield* filled
      const surroundings = around()
      const mutate = yield* make(surroundings)
      const answer = yield* mutate(request(owned))
      assert.deepStrictEqual(answer.patch, [
        { op: "replace", path: "/spec/containers/0/image", value: copy },
        { op: "add", path: "/metadata/annotations", value: {} },
        {
          op: "add",
          path: `/metadata/annotations/${originalsAnnotation.replace("/", "~1")}`,
          value: "{\"app\":\"nginx:1.27\"}"
        }
      ])
      assert.deepStrictEqual(answer.warnings, [])
      assert.deepStrictEqual(surroundings.asked, [])
      assert.deepStrictEqual(surroundings.pullers.map((it) => [it.owners.map(({ key }) => key), it.set?.key]), [
        [[replicaSet.key, web.key], ""]
      ])
    }).pipe(Effect.provide(stage())))

  it.effect("is answered the same in a dry run, which asks for nothing", () =>
    Effect.gen(function*() {
      yield* filled
      const surroundings = around()
      const mutate = yield* make(surroundings)
      const object = newPod({ images: { app: "nginx:1.27", other: "busybox" } })
      const dry = yield* mutate(request(object, { dryRun: true }))
      assert.deepStrictEqual(surroundings.asked, [])
      assert.isTrue(surroundings.pullers[0]?.dryRun)
      assert.deepStrictEqual(dry, yield* mutate(request(object)))
      assert.deepStrictEqual(surroundings.asked, [["shop", ["docker.io/library/busybox:latest"]]])
    }).pipe(Effect.provide(stage())))

  it.effect("starts from the original where no copy is known, which is asked for", () =>
    Effect.gen(function*() {
      yield* filled
      const surroundings = around()
      const mutate = yield* make(surroundings)
      const answer = yield* mutate(request(newPod({ images: { app: "busybox:1" } })))
      assert.deepStrictEqual(answer, { warnings: [] })
      assert.deepStrictEqual(surroundings.asked, [["shop", ["docker.io/library/busybox:1"]]])
    }).pipe(Effect.provide(stage())))

  it.effect("never becomes what shows that pods can pull where it is left as it is", () =>
    Effect.gen(function*() {
      yield* filled
      const surroundings = around({ fails: "it does not answer" })
      const mutate = yield* make(surroundings)
      assert.deepStrictEqual(imagesOf(yield* mutate(request(owned))), [])
      assert.deepStrictEqual(surroundings.pullers, [])
    }).pipe(Effect.provide(stage())))

  it.effect("is left as it is until pulling is shown, unless nodes are said to be able to", () =>
    Effect.gen(function*() {
      yield* filled
      const settings = yield* SettingsRef
      const mutate = yield* make(around({ unshown: "another shows it" }))
      assert.deepStrictEqual(imagesOf(yield* mutate(request(owned))), [])
      yield* SubscriptionRef.update(settings, (it) => ({ ...it, BACKUP_PULL_BY: "nodes" as const }))
      assert.lengthOf(imagesOf(yield* mutate(request(owned))), 1)
    }).pipe(Effect.provide(stage())))

  it.effect("is pointed to the copies of a backup that is down where BACKUP_DOWN says so", () =>
    Effect.gen(function*() {
      yield* filled
      const mutate = yield* make(around({ fails: "it does not answer" }))
      assert.lengthOf(imagesOf(yield* mutate(request(owned))), 1)
    }).pipe(Effect.provide(stage({ BACKUP_DOWN: "rewrite" }))))

  it.effect("starts from its originals in the namespace whose Service the backup is, and in no other", () =>
    Effect.gen(function*() {
      yield* filled
      const settings = yield* SettingsRef
      const mutate = yield* make(around())
      const imagesWith = (BACKUP_REGISTRY: string) =>
        SubscriptionRef.update(settings, (it) => ({ ...it, BACKUP_REGISTRY })).pipe(
          Effect.andThen(mutate(request(owned))),
          Effect.map((answer) => imagesOf(answer).length)
        )
      assert.strictEqual(yield* imagesWith("registry.shop.svc.cluster.local:5000/copies"), 0)
      assert.strictEqual(yield* imagesWith("registry.stage.svc.cluster.local:5000/copies"), 1)
    }).pipe(Effect.provide(stage())))

  it.effect("belongs to the namespace of the request, whatever it says itself", () =>
    Effect.gen(function*() {
      const store = yield* filled
      store.putNamespace({ ...shop, name: "closed", marks: { ignore: true, rewrite: undefined } })
      const mutate = yield* make(around())
      const object = newPod({ metadata: { namespace: "shop" } })
      assert.deepStrictEqual(imagesOf(yield* mutate(request(object, { namespace: "closed" }))), [])
    }).pipe(Effect.provide(stage())))

  it.effect("obeys its Deployment where its ReplicaSet has not been seen yet", () =>
    Effect.gen(function*() {
      const store = yield* filled
      store.remove("workload", replicaSet.key)
      store.putWorkload(workload({ name: "web", metadata: { annotations: { "image-cloner.io/ignore": "true" } } }))
      const mutate = yield* make(around())
      const object = newPod({ owner: replicaSet, metadata: { labels: { "pod-template-hash": "5d4f" } } })
      assert.deepStrictEqual(imagesOf(yield* mutate(request(object))), [])
    }).pipe(Effect.provide(stage())))

  it.effect("waits a fifth of a second for its owner, and is left as it is with a warning then", () =>
    Effect.gen(function*() {
      const store = yield* filled
      store.remove("workload", replicaSet.key)
      const mutate = yield* make(around())
      const late = yield* Effect.forkChild(mutate(request(owned)))
      yield* TestClock.adjust("190 millis")
      assert.isUndefined(late.pollUnsafe())
      yield* TestClock.adjust("20 millis")
      const answer = yield* Fiber.join(late)
      assert.deepStrictEqual(answer, {
        warnings: [
          "image-cloner: images are left as they are: ReplicaSet shop/web-5d4f, which controls it, cannot be seen yet"
        ]
      })
      const inTime = yield* Effect.forkChild(mutate(request(owned)))
      yield* TestClock.adjust("100 millis")
      store.putWorkload(replicaSet)
      yield* TestClock.adjust("10 millis")
      assert.lengthOf(imagesOf(yield* Fiber.join(inTime)), 1)
    }).pipe(Effect.provide(stage())))

  it.effect("is left as it is, at once, before the cluster has been seen whole", () =>
    Effect.gen(function*() {
      const inventory = yield* Inventory
      inventory.want("x", [nginx])
      inventory.set(nginx, backedUp())
      const mutate = yield* make(around())
      const answer = yield* mutate(request(owned))
      assert.isUndefined(answer.patch)
      assert.match(String(answer.warnings), /left as they are: .*namespaces have not been seen whole yet/)
      assert.isFalse((yield* WorkloadStore).isSynced("pods"))
    }).pipe(Effect.provide(stage())))

  it.effect("is nothing to us where it is no pod", () =>
    Effect.gen(function*() {
      yield* filled
      const mutate = yield* make(around())
      for (const object of [undefined, null, [], "pod", { metadata: 1 }, { metadata: {}, spec: { containers: "x" } }]) {
        assert.deepStrictEqual(yield* mutate(request(object)), {})
      }
    }).pipe(Effect.provide(stage())))
})

describe("an ephemeral container", () => {
  const before = newPod({ images: { app: "nginx:1.27" } })
  const after = (image: string) =>
    newPod({ images: { app: "nginx:1.27" }, spec: { ephemeralContainers: [{ name: "debug", image }] } })
  const update = (object: unknown, oldObject: unknown = before) =>
    request(object, { operation: "UPDATE", subResource: "ephemeralcontainers", oldObject, name: "web-1" })

  it.effect("is pointed to its copy alone, and its original goes into the audit log", () =>
    Effect.gen(function*() {
      yield* filled
      const mutate = yield* make(around())
      assert.deepStrictEqual(yield* mutate(update(after("nginx:1.27"))), {
        warnings: [],
        patch: [{ op: "replace", path: "/spec/ephemeralContainers/0/image", value: copy }],
        auditAnnotations: { "original-images": "{\"debug\":\"nginx:1.27\"}" }
      })
    }).pipe(Effect.provide(stage())))

  // seen: no other pod of a Deployment has the container, so nothing told what it ran, and it was left as it was
  it.effect("is pointed to its copy in a pod of a Deployment, too", () =>
    Effect.gen(function*() {
      const store = yield* filled
      store.putPod(pod({ owner: replicaSet, name: "web-5d4f-1", digest: digestOf("a") }))
      const owned1 = newPod({ owner: replicaSet })
      const debugged = newPod({
        owner: replicaSet,
        spec: { ephemeralContainers: [{ name: "debug", image: "nginx:1.27" }] }
      })
      const mutate = yield* make(around())
      assert.lengthOf(imagesOf(yield* mutate(update(debugged, owned1))), 1)
    }).pipe(Effect.provide(stage())))

  it.effect("is never touched once it is there", () =>
    Effect.gen(function*() {
      yield* filled
      const mutate = yield* make(around())
      assert.deepStrictEqual(yield* mutate(update(after("nginx:1.27"), after("nginx:1.27"))), {})
    }).pipe(Effect.provide(stage())))
})
