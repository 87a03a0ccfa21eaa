import { assert, describe, it } from "@effect/vitest"
import { pullFailureOf, rolloutState as stateOf } from "../../src/workload/OurRollout.ts"
import type { Backup } from "../../src/image/BackupName.ts"
import type { Pod, Workload } from "../../src/workload/Workload.ts"
import { digestOf, type Given, ownedImage, pod, workload } from "../support/Objects.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const patched = Date.UTC(2026, 0, 1)
const minute = 60_000

/** A Deployment of ours, rewritten at `patched`, whose new pods have not come yet. */
const rolling = (given: Given = {}) =>
  workload({
    images: { app: copy },
    templateAnnotations: { "image-cloner.io/original-images": "{\"app\":\"nginx:1.27\"}" },
    ...given,
    metadata: {
      managedFields: [{ manager: "image-cloner", time: "2026-01-01T00:00:00Z", fieldsV1: ownedImage }],
      ...given.metadata
    },
    status: { updatedReplicas: 0, conditions: [], ...given.status }
  })

const rolloutState = (of: Workload, pods: ReadonlyArray<Pod>, at: Backup, now: number, progressAt = patched) =>
  stateOf(of, pods, at, { now, progressAt, reached: false })

const oldPod = pod({ digest: digestOf("a") })
const waiting = (image: string, reason = "ImagePullBackOff") =>
  pod({ name: "web-2", images: { app: image }, ready: false, state: { waiting: { reason, message: "401" } } })

describe("a rollout of ours", () => {
  it("takes a place until all pods have reached its revision", () => {
    assert.strictEqual(rolloutState(rolling(), [oldPod], backup, patched + minute)._tag, "UnderWay")
    const reached = rolling({
      status: { updatedReplicas: 1, conditions: [{ type: "Progressing", reason: "NewReplicaSetAvailable" }] }
    })
    assert.strictEqual(rolloutState(reached, [oldPod], backup, patched + minute)._tag, "None")
  })

  it("takes none again when pods of a DaemonSet are missing later that were all seen to serve", () => {
    const missing = rolling({ kind: "DaemonSet", status: { updatedNumberScheduled: 0, numberAvailable: 0 } })
    const at = { now: patched + minute, progressAt: patched }
    assert.strictEqual(stateOf(missing, [oldPod], backup, { ...at, reached: false })._tag, "UnderWay")
    assert.strictEqual(stateOf(missing, [oldPod], backup, { ...at, reached: true })._tag, "None")
  })

  it("is none where the originals are missing or forged, nor where nothing rolls", () => {
    const others = [
      workload({ images: { app: copy }, status: { updatedReplicas: 0, conditions: [] } }),
      rolling({ templateAnnotations: { "image-cloner.io/original-images": "{\"app\":\"evil\"}" } }),
      rolling({ metadata: { managedFields: [{ manager: "kubectl", fieldsV1: ownedImage }] } }),
      rolling({ kind: "CronJob" }),
      rolling({ spec: { paused: true } }),
      rolling({ spec: { replicas: 0 } }),
      rolling({ kind: "DaemonSet", spec: { updateStrategy: { type: "OnDelete" } } })
    ]
    for (const other of others) assert.strictEqual(rolloutState(other, [oldPod], backup, patched)._tag, "None")
  })

  const stateAfter = (given: Given, after: number, progress = 0) =>
    rolloutState(rolling(given), [oldPod], backup, patched + after, patched + progress)._tag

  it("of a kind whose controller judges nothing is stuck ten minutes after it last got further", () => {
    const kind = { kind: "StatefulSet", status: { currentRevision: "a", updateRevision: "b" } } as const
    assert.strictEqual(stateAfter(kind, 10 * minute), "UnderWay")
    assert.strictEqual(stateAfter(kind, 10 * minute + 1), "Stuck")
    assert.strictEqual(stateAfter(kind, 50 * minute, 45 * minute), "UnderWay")
    assert.strictEqual(stateAfter(kind, 56 * minute, 45 * minute), "Stuck")
  })

  it("of a Deployment is stuck when its own controller gives it up, by its own deadline", () => {
    const exceeded = { status: { conditions: [{ type: "Progressing", reason: "ProgressDeadlineExceeded" }] } }
    const progressing = { conditions: [{ type: "Progressing", reason: "ReplicaSetUpdated" }] }
    assert.strictEqual(stateAfter(exceeded, minute), "Stuck")
    assert.strictEqual(stateAfter({ status: progressing }, 59 * minute), "UnderWay")
    // without a deadline its controller judges nothing
    assert.strictEqual(stateAfter({ spec: { progressDeadlineSeconds: 60 } }, minute + 1), "Stuck")
  })

  it("takes an hour for each 50 pods at the most, whatever its progress and its own deadline, and six in all", () => {
    const progressing = { conditions: [{ type: "Progressing", reason: "ReplicaSetUpdated" }] }
    const of = (replicas: number) => ({ status: progressing, spec: { replicas, progressDeadlineSeconds: 2 ** 31 - 1 } })
    assert.strictEqual(stateAfter(of(1), 61 * minute, 61 * minute), "Stuck")
    assert.strictEqual(stateAfter(of(51), 119 * minute, 119 * minute), "UnderWay")
    assert.strictEqual(stateAfter(of(51), 121 * minute, 121 * minute), "Stuck")
    assert.strictEqual(stateAfter(of(5000), 361 * minute, 361 * minute), "Stuck")
  })

  it("keeps its place until as many pods are available as are wanted: six Deployments were down together", () => {
    const status = { updatedReplicas: 1, availableReplicas: 0 }
    const recreated = rolling({ spec: { strategy: { type: "Recreate" } }, status })
    assert.strictEqual(rolloutState(recreated, [], backup, patched + minute)._tag, "UnderWay")
    const complete = { updatedReplicas: 1, conditions: [{ type: "Progressing", reason: "NewReplicaSetAvailable" }] }
    const reached = rolling({ spec: { strategy: { type: "Recreate" } }, status: complete })
    assert.strictEqual(rolloutState(reached, [], backup, patched + minute)._tag, "None")
  })

  it("is not what is late once no pod is from before our patch: somebody changed something else since", () => {
    const exceeded = { status: { conditions: [{ type: "Progressing", reason: "ProgressDeadlineExceeded" }] } }
    const ours = pod({ images: { app: copy }, digest: digestOf("a") })
    const theirs = pod({ name: "web-2", images: { app: copy }, ready: false, state: { waiting: { reason: "Error" } } })
    assert.strictEqual(rolloutState(rolling(exceeded), [ours, theirs], backup, patched + 60 * minute)._tag, "None")
  })

  it("past its deadline is stuck by pods that cannot pull, but not by pods that wait for a node", () => {
    const late = patched + 11 * minute
    assert.strictEqual(rolloutState(rolling(), [waiting(copy)], backup, late)._tag, "Stuck")
    const pending = pod({ images: { app: copy }, phase: "Pending", state: {}, ready: false })
    assert.strictEqual(rolloutState(rolling(), [pending], backup, late)._tag, "None")
  })
})

describe("pods that cannot pull", () => {
  it("count only where the image is one that we wrote", () => {
    assert.strictEqual(pullFailureOf(rolling(), [oldPod, waiting(copy)], backup)?.pod.workload.name, "web-2")
    assert.strictEqual(pullFailureOf(rolling(), [waiting(copy, "ErrImagePull")], backup)?.container.message, "401")
    assert.isUndefined(pullFailureOf(rolling(), [waiting("nginx:1.27")], backup))
    assert.isUndefined(pullFailureOf(rolling(), [waiting(copy, "ContainerCreating")], backup))
    assert.isUndefined(pullFailureOf(workload(), [waiting(copy)], backup))
  })
})
