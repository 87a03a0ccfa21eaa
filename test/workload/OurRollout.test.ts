import { assert, describe, it } from "@effect/vitest"
import { provesPulling, pullFailureOf, rolloutState } from "../../src/workload/OurRollout.ts"
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

  it("is stuck past its deadline, by default after ten minutes", () => {
    const state = (given: Given, after: number) => rolloutState(rolling(given), [oldPod], backup, patched + after)._tag
    assert.strictEqual(state({}, 10 * minute), "UnderWay")
    assert.strictEqual(state({}, 10 * minute + 1), "Stuck")
    assert.strictEqual(state({ spec: { progressDeadlineSeconds: 60 } }, minute + 1), "Stuck")
    const exceeded = { status: { conditions: [{ type: "Progressing", reason: "ProgressDeadlineExceeded" }] } }
    assert.strictEqual(state(exceeded, minute), "Stuck")
  })

  it("of a Deployment that makes progress is not late, but nobody holds a place for more than an hour", () => {
    const progressing = { conditions: [{ type: "Progressing", reason: "ReplicaSetUpdated" }] }
    const state = (given: Given, after: number) => rolloutState(rolling(given), [oldPod], backup, patched + after)._tag
    assert.strictEqual(state({ status: progressing }, 59 * minute), "UnderWay")
    assert.strictEqual(state({ status: progressing }, 61 * minute), "Stuck")
    const patient = { progressDeadlineSeconds: 2 ** 31 - 1 }
    assert.strictEqual(state({ spec: patient }, 61 * minute), "Stuck")
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

it("only a running container of the backup proves that pods can pull from it", () => {
  assert.isTrue(provesPulling(pod({ images: { app: copy } }), backup))
  assert.isFalse(provesPulling(oldPod, backup))
  assert.isFalse(provesPulling(waiting(copy), backup))
  assert.isFalse(provesPulling(pod({ images: { app: "backup.example/copies-of-others/a:1" } }), backup))
})
