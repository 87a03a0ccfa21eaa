import { assert, describe, it } from "@effect/vitest"
import { judgeRollout, type Seen } from "../../src/workload/PutBack.ts"
import type { Pod, Workload } from "../../src/workload/Workload.ts"
import { digestOf, type Given, ownedImage, pod, workload } from "../support/Objects.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const minute = 60_000
const day = 24 * 60 * minute
/** When we patched, and a moment later. */
const patched = Date.UTC(2026, 0, 1)
const soon = patched + 5000

const ours = { manager: "image-cloner", operation: "Update", time: "2026-01-01T00:00:00Z", fieldsV1: ownedImage }
const theirs = (time: string) => ({
  manager: "kubectl-edit",
  operation: "Update",
  time,
  fieldsV1: { "f:spec": { "f:template": { "f:spec": { "f:nodeSelector": {} } } } }
})

/** Rewritten by us, of two replicas; its controller has seen it, and its revision is not reached. */
const rewritten = (given: Given = {}): Workload =>
  workload({
    images: { app: copy },
    templateAnnotations: { "image-cloner.io/original-images": "{\"app\":\"nginx:1.27\"}" },
    ...given,
    metadata: { managedFields: [ours], ...given.metadata },
    spec: { replicas: 2, ...given.spec },
    status: {
      replicas: 2,
      updatedReplicas: 1,
      availableReplicas: 1,
      desiredNumberScheduled: 2,
      updatedNumberScheduled: 1,
      currentRevision: "web-1",
      updateRevision: "web-2",
      conditions: [{ type: "Progressing", status: "True", reason: "ReplicaSetUpdated" }],
      ...given.status
    }
  })
const reached = {
  updatedReplicas: 2,
  conditions: [{ type: "Progressing", status: "True", reason: "NewReplicaSetAvailable" }]
}

const old = pod({ name: "web-old", digest: digestOf("a") })
const runs = pod({ name: "web-runs", images: { app: copy }, digest: digestOf("a") })
const fails = (reason = "ImagePullBackOff") =>
  pod({ name: "web-new", images: { app: copy }, ready: false, state: { waiting: { reason, message: "no" } } })

const judge = (
  of: Workload,
  pods: ReadonlyArray<Pod>,
  now = soon,
  seen: Partial<Seen> = {}
) =>
  judgeRollout({
    workload: of,
    pods,
    newestPods: new Set(pods.filter((it) => it !== old)),
    backup,
    now,
    seen: {
      madeAt: patched,
      progressAt: patched,
      unpulledAt: -Infinity,
      reached: false,
      harmless: false,
      pullFailsSince: () => now,
      ...seen
    }
  })
const tag = (...of: Parameters<typeof judge>) => judge(...of)._tag

describe("a rollout of ours whose pods cannot pull", () => {
  it("is undone at once when none of its pods ever pulled and pulling fails lastingly, however long ago it began", () => {
    assert.strictEqual(tag(rewritten(), [old, fails()]), "CannotPull")
    assert.strictEqual(tag(rewritten(), [old, fails()], patched + 30 * day), "CannotPull")
  })

  it("is judged again half a minute after the first failure, and then it is lasting", () => {
    assert.deepStrictEqual(judge(rewritten(), [fails("ErrImagePull")]), { _tag: "Later", at: soon + 30_000 })
    const later = soon + 30_000
    assert.strictEqual(tag(rewritten(), [fails("ErrImagePull")], later, { pullFailsSince: () => soon }), "CannotPull")
  })

  it("is left alone when another of its pods has pulled: an outage changes nothing", () => {
    assert.strictEqual(tag(rewritten(), [runs, fails()]), "Outage")
  })

  // after a restart while the backup was down, six templates were pointed to a source that was gone
  for (
    const [kind, status] of [
      ["Deployment", reached],
      ["StatefulSet", { currentRevision: "web-2" }]
    ] as const
  ) {
    it(`is left alone once the status of the ${kind} says that its revision was reached`, () => {
      assert.strictEqual(tag(rewritten({ kind, status }), [fails()], patched + 30 * day), "Outage")
    })
  }

  for (const kind of ["DaemonSet", "ReplicaSet", "ReplicationController"] as const) {
    it(`is undone soon after the patch of a ${kind}, and left alone a day later: its status never tells`, () => {
      assert.strictEqual(tag(rewritten({ kind }), [fails()]), "CannotPull")
      assert.strictEqual(tag(rewritten({ kind }), [fails()], patched + day), "Outage")
    })
  }

  it("is left alone for a CronJob of which a Job has succeeded since", () => {
    const cronJob = (lastSuccessfulTime: string) => rewritten({ kind: "CronJob", status: { lastSuccessfulTime } })
    assert.strictEqual(tag(cronJob("2025-12-31T00:00:00Z"), [fails()], patched + day), "CannotPull")
    assert.strictEqual(tag(cronJob("2026-01-01T03:00:00Z"), [fails()], patched + day), "Outage")
  })

  it("is left alone once somebody has changed the template: that rollout is not ours", () => {
    const changed = rewritten({ metadata: { managedFields: [ours, theirs("2026-01-02T00:00:00Z")] } })
    assert.strictEqual(tag(changed, [fails()], patched + 2 * day), "Outage")
    const before = rewritten({ metadata: { managedFields: [ours, theirs("2025-12-31T00:00:00Z")] } })
    assert.strictEqual(tag(before, [fails()]), "CannotPull")
  })

  // the model: a node was replaced twenty minutes after a DaemonSet was rolled, and all of it was put back for its one new pod
  it("is behind us once all its pods were seen to serve, though its status says so only while they do", () => {
    const creating = pod({ images: { app: copy }, ready: false, state: { waiting: { reason: "ContainerCreating" } } })
    const of = rewritten({ kind: "DaemonSet" })
    const late = patched + 20 * minute
    assert.strictEqual(tag(of, [runs, creating], late), "NotReady")
    assert.strictEqual(tag(of, [runs, creating], late, { reached: true }), "Keep")
    assert.strictEqual(tag(of, [fails()], late, { reached: true }), "Outage")
  })

  // the model: a backup was down for twenty minutes, and what had waited for it was put back when it came up again
  it("is waited for when the outage ends: while the kubelet tries again it says nothing of pulling", () => {
    const tries = pod({ images: { app: copy }, ready: false, state: { waiting: { reason: "ContainerCreating" } } })
    const givenUp = [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }]
    for (const kind of ["Deployment", "StatefulSet", "DaemonSet"] as const) {
      const late = patched + 20 * minute
      const of = rewritten({ kind, ...(kind === "Deployment" ? { status: { conditions: givenUp } } : {}) })
      const seen = { progressAt: patched + minute }
      assert.strictEqual(tag(of, [runs, tries], late, seen), "NotReady")
      assert.deepStrictEqual(judge(of, [runs, tries], late, { ...seen, unpulledAt: late - 1000 }), {
        _tag: "Later",
        at: late - 1000 + 10 * minute
      })
    }
  })

  it("is none where it is not a copy of ours that cannot be pulled", () => {
    const sidecar = pod({
      images: { other: "quay.io/a/b" },
      ready: false,
      state: { waiting: { reason: "ErrImagePull" } }
    })
    assert.strictEqual(tag(rewritten(), [old, sidecar]), "Later")
    assert.strictEqual(tag(rewritten({ status: reached }), [old, sidecar]), "Keep")
  })
})

describe("a rollout of ours of which no pod is made", () => {
  const quota = {
    conditions: [
      { type: "Progressing", status: "True", reason: "ReplicaSetUpdated" },
      { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: "exceeded quota: pods" }
    ]
  }

  it("is undone after two minutes, in the words of the quota or policy", () => {
    const failing = rewritten({ status: quota })
    assert.deepStrictEqual(judge(failing, [old]), { _tag: "Later", at: patched + 2 * minute })
    assert.deepStrictEqual(judge(failing, [old], patched + 2 * minute), {
      _tag: "NoPods",
      detail: "exceeded quota: pods"
    })
  })

  it("counts from the last pod that was made", () => {
    const failing = rewritten({ status: quota })
    assert.strictEqual(tag(failing, [runs], patched + 3 * minute, { madeAt: patched + 2 * minute }), "Later")
  })

  it("of a StatefulSet or DaemonSet may be told by pods that are missing, not by ones on their way out: events must say", () => {
    const leaving = pod({
      name: "web-1",
      digest: digestOf("a"),
      metadata: { deletionTimestamp: "2026-01-01T00:00:01Z" }
    })
    for (const kind of ["StatefulSet", "DaemonSet"] as const) {
      assert.deepStrictEqual(judge(rewritten({ kind }), [old], patched + 2 * minute), {
        _tag: "PodsMissing",
        otherwise: { _tag: "Later", at: patched + 10 * minute }
      }, kind)
      assert.strictEqual(tag(rewritten({ kind }), [old, leaving], patched + 2 * minute), "Later", kind)
    }
  })
})

describe("a rollout of ours whose pods do not become ready", () => {
  const crashing = pod({
    name: "web-new",
    images: { app: copy },
    ready: false,
    state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 5m" } }
  })
  const exceeded = { conditions: [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }] }

  it("is undone when its Deployment's controller gives it up, in the pod's own words", () => {
    assert.deepStrictEqual(judge(rewritten({ status: exceeded }), [old, crashing]), {
      _tag: "NotReady",
      detail: "pod web-new: CrashLoopBackOff, back-off 5m",
      pod: crashing
    })
  })

  it("is undone ten minutes after it last got further, where its controller gives nothing up", () => {
    for (const kind of ["StatefulSet", "DaemonSet"] as const) {
      const of = rewritten({ kind })
      const seen = { progressAt: patched + 5 * minute }
      assert.deepStrictEqual(judge(of, [old, crashing], soon, seen), { _tag: "Later", at: patched + 15 * minute }, kind)
      assert.strictEqual(tag(of, [old, crashing], patched + 15 * minute, seen), "NotReady", kind)
    }
  })

  it("says what the scheduler says of a pod that no node takes", () => {
    const pending = { ...crashing, containers: [], unschedulable: "0/3 nodes didn't have free ports" }
    const judged = judge(rewritten({ status: exceeded }), [old, pending])
    assert.strictEqual("detail" in judged && judged.detail, "pod web-new: 0/3 nodes didn't have free ports")
  })

  it("is not ours to undo where it interrupted nobody, replaces no pod by itself, or is paused", () => {
    assert.strictEqual(tag(rewritten({ status: exceeded }), [crashing], soon, { harmless: true }), "Keep")
    assert.strictEqual(tag(rewritten({ status: exceeded, spec: { paused: true } }), [crashing]), "Keep")
    const onDelete = rewritten({ kind: "DaemonSet", spec: { updateStrategy: { type: "OnDelete" } } })
    assert.strictEqual(tag(onDelete, [old, crashing], patched + day), "Keep")
  })

  it("is over once its revision was reached, whatever fails later", () => {
    assert.strictEqual(tag(rewritten({ status: reached }), [crashing], patched + day), "Keep")
  })
})
