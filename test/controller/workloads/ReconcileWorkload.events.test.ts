import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { SourceTags } from "../../../src/clone/SourceTags.ts"
import { Events } from "../../../src/controller/events/Events.ts"
import { ImageQueue, WorkloadQueue } from "../../../src/controller/Queues.ts"
import * as ReconcileWorkload from "../../../src/controller/workloads/ReconcileWorkload.ts"
import type { ImageState } from "../../../src/image/ImageState.ts"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import { KubeError } from "../../../src/kube/KubeError.ts"
import { type Outcome, Rewriter } from "../../../src/rewrite/Rewriter.ts"
import { Inventory } from "../../../src/store/Inventory.ts"
import { WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import { controllerState } from "../../support/ControllerState.ts"
import { digestOf, ownedImage, pod, resources, workload } from "../../support/Objects.ts"

const source = "docker.io/library/nginx:1.27"

const denied = new KubeError({
  operation: "PATCH /x",
  reason: "Denied",
  status: 403,
  detail: "words of a policy",
  causes: [],
  retryAfter: undefined,
  retryable: false,
  outcomeUnknown: false
})

const backedUp: ImageState = {
  _tag: "BackedUp",
  digest: digestOf("a"),
  contents: new Set([digestOf("a")]),
  verifiedAt: 0
}

/** The Deployment as our patch has left it, so many of its two pods updated. */
const patched = (updated: number) =>
  workload({
    images: { app: "backup.example/copies/docker.io/library/nginx:1.27" },
    templateAnnotations: { "image-cloner.io/original-images": "{\"app\":\"nginx:1.27\"}" },
    metadata: {
      generation: 2,
      managedFields: [{ manager: "image-cloner", time: "1970-01-01T00:00:00Z", fieldsV1: ownedImage }]
    },
    spec: { replicas: 2 },
    status: {
      observedGeneration: 2,
      replicas: 2,
      updatedReplicas: updated,
      readyReplicas: 2,
      availableReplicas: 2,
      conditions: [{
        type: "Progressing",
        status: "True",
        reason: updated === 2 ? "NewReplicaSetAvailable" : "ReplicaSetUpdated"
      }]
    }
  })

/** The workload loop with a rewriter that answers so, and a Deployment; tells what it has said of it. */
const loop = Effect.fnUntraced(function*(answer: Effect.Effect<Outcome, KubeError>) {
  const told: Array<string> = []
  const notes: Array<string> = []
  const context = yield* Layer.build(Layer.mergeAll(
    Layer.succeed(Events, {
      tell: ({ note, reason, regarding: { kind, name } }) =>
        Effect.sync(() => {
          told.push(`${reason} ${kind}/${name}`)
          notes.push(note)
        }),
      take: Effect.never,
      forget: () => Effect.void
    }),
    Layer.mock(Rewriter, { apply: () => answer, disown: () => Effect.succeed("done") }),
    Layer.mock(KubeClient, { server: "", request: () => Effect.succeed({ items: [] }) }),
    Layer.mock(SourceTags, { named: () => Effect.succeedSome(digestOf("a")) }),
    controllerState({ BACKUP_PULL_BY: "nodes" })
  ))
  return yield* Effect.gen(function*() {
    const store = yield* WorkloadStore
    const queue = yield* WorkloadQueue
    const inventory = yield* Inventory
    for (const resource of resources) store.markSynced(resource)
    store.putNamespace({ name: "shop", uid: "shop", marks: { ignore: undefined, rewrite: undefined } })
    yield* Effect.forkScoped(queue.run("unbounded", yield* ReconcileWorkload.make({ ownNamespace: Option.none() })))
    const offered: Array<string> = []
    yield* Effect.forkScoped((yield* ImageQueue).run(1, (it) => Effect.sync(() => void offered.push(it))))
    const look = (of = workload()) =>
      Effect.suspend(() => {
        store.putWorkload(of)
        store.putPod(pod({ owner: of, digest: digestOf("a") }))
        return Effect.andThen(queue.offer(of.key), TestClock.adjust("1 second"))
      })
    const become = (state: ImageState) =>
      Effect.andThen(
        Effect.forEach(inventory.set(source, state), (it) => queue.offer(it), { discard: true }),
        TestClock.adjust("1 second")
      )
    return { told, notes, offered, look, become }
  }).pipe(Effect.provide(context))
})

// the tag's turn had come and gone during the rollout, and came again after five minutes
describe("a workload whose rollout has ended", () => {
  it.effect("has its images looked at, once: a tag is not moved while a rollout of ours uses it", () =>
    Effect.gen(function*() {
      const { become, look, offered } = yield* loop(Effect.succeed({ _tag: "Applied", after: patched(0) }))
      yield* look()
      yield* become(backedUp)
      for (const updated of [0, 1]) yield* look(patched(updated))
      const before = offered.length
      for (const updated of [2, 2]) yield* look(patched(updated))
      assert.deepStrictEqual(offered.slice(before), [source])
    }).pipe(Effect.scoped))
})

describe("a workload has an Event", () => {
  it.effect("when it was rewritten, and when its rollout has ended, and none while it waits", () =>
    Effect.gen(function*() {
      const { become, look, told } = yield* loop(Effect.succeed({ _tag: "Applied", after: patched(0) }))
      yield* look()
      assert.deepStrictEqual(told, [])
      yield* become(backedUp)
      assert.deepStrictEqual(told, ["Rewritten Deployment/web"])
      for (const updated of [0, 1, 2, 2]) yield* look(patched(updated))
      assert.deepStrictEqual(told, ["Rewritten Deployment/web", "RolledOut Deployment/web"])
    }).pipe(Effect.scoped))

  it.effect("when an image of it cannot be copied, and when the API server refuses, once for each and in our words", () =>
    Effect.gen(function*() {
      const { become, look, notes, told } = yield* loop(Effect.fail(denied))
      yield* look()
      const failed = { _tag: "Failed", reason: "failed", message: "words of a registry", retryAt: 0 } as const
      for (let round = 0; round < 3; round++) yield* become(failed)
      assert.deepStrictEqual(told, ["CopyFailed Deployment/web"])
      assert.include(notes[0] ?? "", source)
      for (let round = 0; round < 3; round++) yield* become(backedUp)
      assert.deepStrictEqual(told, ["CopyFailed Deployment/web", "Held Deployment/web"])
      assert.notInclude(notes.join(" "), "words of")
    }).pipe(Effect.scoped))
})
