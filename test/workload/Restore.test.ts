import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { gateOf, type Given, returnOf, toRestore } from "../../src/workload/Restore.ts"
import type { Pod, Workload } from "../../src/workload/Workload.ts"
import { type Given as Object, pod, unstarted, workload } from "../support/Objects.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const recorded = { "image-cloner.io/original-images": "{\"app\":\"nginx:1.27\"}" }

const rewritten = (given: Object = {}) => workload({ images: { app: copy }, templateAnnotations: recorded, ...given })

const wish = (of: Workload, given: Partial<Given> = {}) =>
  toRestore({ workload: of, backup, namespace: undefined, owners: [], pods: [], named: false, ...given })

const reasonOf = (of: Workload, given: Partial<Given> = {}) => {
  const it = wish(of, given)
  return it._tag === "Left" ? it.reason : it._tag
}

const sight = (of: Workload, pods: ReadonlyArray<Pod>) => ({
  workload: of,
  pods,
  newestPods: new Set(pods),
  nodeReady: () => true
})

const helm = { labels: { "app.kubernetes.io/managed-by": "Helm" } }
const controlled = { ownerReferences: [{ kind: "Deployment", name: "web", uid: "u", controller: true }] }

describe("whose originals are put back", () => {
  it("those of templates that a rewrite of ours has changed, of every kind that can be", () => {
    for (const kind of ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "CronJob"] as const) {
      assert.strictEqual(reasonOf(rewritten({ kind })), "Restore", kind)
    }
    assert.strictEqual(reasonOf(workload()), "Nothing")
    assert.strictEqual(reasonOf(rewritten({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } })), "Nothing")
  })

  it("not those of a template that names a copy by itself, nor what somebody forged", () => {
    assert.strictEqual(reasonOf(workload({ images: { app: copy } })), "not-recorded")
    const forged = { "image-cloner.io/original-images": "{\"app\":\"evil:1\"}" }
    assert.strictEqual(reasonOf(rewritten({ templateAnnotations: forged })), "not-recorded")
  })

  it("not what an owner would undo, unless a person has named it or let us patch it", () => {
    const of = rewritten({ metadata: helm })
    assert.strictEqual(reasonOf(of), "managed-by")
    assert.strictEqual(reasonOf(of, { named: true }), "Restore")
    const patch = { annotations: { "image-cloner.io/rewrite": "patch" } }
    assert.strictEqual(reasonOf(rewritten({ metadata: { ...helm, ...patch } })), "Restore")
    const namespace = { name: "shop", uid: "n", marks: { ignore: undefined, rewrite: "patch" } } as const
    assert.strictEqual(reasonOf(of, { namespace }), "Restore")
  })

  it("never what another object controls: that one is handled, or somebody has to", () => {
    const of = rewritten({ kind: "ReplicaSet", metadata: controlled, spec: { replicas: 1 } })
    assert.strictEqual(reasonOf(of, { owners: [rewritten()] }), "Nothing")
    assert.strictEqual(reasonOf(of), "owned")
    assert.strictEqual(reasonOf(of, { owners: [rewritten()], named: true }), "owned")
    const old = rewritten({ kind: "ReplicaSet", metadata: controlled, spec: { replicas: 0 } })
    assert.strictEqual(reasonOf(old), "Nothing")
  })

  it("not of what is paused, nor of what cannot be changed where it was named", () => {
    assert.strictEqual(reasonOf(rewritten({ spec: { paused: true } })), "paused")
    assert.strictEqual(reasonOf(rewritten({ kind: "Job" })), "Nothing")
    assert.strictEqual(reasonOf(rewritten({ kind: "Job" }), { named: true }), "immutable")
  })

  it("what is restored and still replaces its pods is waited for", () => {
    const of = workload({ metadata: { generation: 2 } })
    assert.strictEqual(reasonOf(of, { pods: [pod({ owner: of, images: { app: copy } })] }), "UnderWay")
    assert.strictEqual(reasonOf(of, { pods: [pod({ owner: of })] }), "Nothing")
    assert.strictEqual(reasonOf(workload(), { pods: [pod({ owner: of, images: { app: copy } })] }), "Nothing")
  })

  it.prop(
    "a template is patched only with an original, and never where another controls it",
    {
      kind: Schema.Literals(["Deployment", "CronJob", "Job"]),
      own: Schema.Boolean,
      of: Schema.Boolean,
      named: Schema.Boolean
    },
    ({ kind, named, of, own }) => {
      const it = rewritten({
        kind,
        ...(own ? { metadata: controlled } : {}),
        ...(of ? {} : { templateAnnotations: {} })
      })
      assert.strictEqual(wish(it, { named })._tag === "Restore", of && !own && kind !== "Job")
    }
  )
})

describe("when a workload may be touched", () => {
  const now = 1_000_000
  it("when it is healthy, and it keeps its place until its pods are back", () => {
    const of = rewritten()
    const ready = pod({ owner: of, images: { app: copy } })
    assert.deepStrictEqual(gateOf(sight(of, [ready]), backup, now), { _tag: "Go", waits: true })
    const unready = pod({ owner: of, images: { app: copy }, ready: false })
    assert.include(gateOf(sight(of, [unready]), backup, now), { _tag: "Hold", reason: "unhealthy" })
    const rolling = rewritten({ metadata: { generation: 2 } })
    assert.include(gateOf(sight(rolling, [ready]), backup, now), { _tag: "Hold", reason: "rolling-out" })
  })

  it("at once where that interrupts nobody", () => {
    for (const kind of ["CronJob", "ReplicaSet"] as const) {
      assert.deepStrictEqual(gateOf(sight(rewritten({ kind }), []), backup, now), { _tag: "Go", waits: false })
    }
    const onDelete = rewritten({ kind: "DaemonSet", spec: { updateStrategy: { type: "OnDelete" } } })
    assert.deepStrictEqual(gateOf(sight(onDelete, []), backup, now), { _tag: "Go", waits: false })
    assert.deepStrictEqual(gateOf(sight(rewritten(unstarted), []), backup, now), { _tag: "Go", waits: false })
  })

  it("though it is short of pods, where these cannot pull their copy: the original is the cure", () => {
    const of = rewritten({ status: { availableReplicas: 1, replicas: 2 }, spec: { replicas: 2 } })
    const runs = pod({ owner: of, name: "web-1", images: { app: copy } })
    const waiting = (reason: string) =>
      pod({ owner: of, name: "web-2", images: { app: copy }, ready: false, state: { waiting: { reason } } })
    assert.deepStrictEqual(gateOf(sight(of, [runs, waiting("ImagePullBackOff")]), backup, now), {
      _tag: "Go",
      waits: true
    })
    assert.strictEqual(gateOf(sight(of, [runs, waiting("CrashLoopBackOff")]), backup, now)._tag, "Hold")
  })
})

describe("whether its pods are back", () => {
  const times = { now: 0, began: 0, progressAt: 0, pullFailsSince: () => 0 }
  const of = workload({ metadata: { generation: 2 }, status: { observedGeneration: 2 } })

  it("they are when all are of the newest revision and ready, or none is wanted", () => {
    assert.strictEqual(returnOf(sight(of, [pod({ owner: of })]), times)._tag, "Back")
    const none = workload({ spec: { replicas: 0 }, status: { replicas: 0, updatedReplicas: 0, availableReplicas: 0 } })
    assert.strictEqual(returnOf(sight(none, []), times)._tag, "Back")
  })

  it("they are not while the status is that of before, nor while none has started", () => {
    const unseen = workload({ metadata: { generation: 2 } })
    assert.strictEqual(returnOf(sight(unseen, [pod({ owner: unseen })]), times)._tag, "Coming")
    const recreated = workload({ status: { replicas: 1, updatedReplicas: 1, availableReplicas: 0 } })
    assert.strictEqual(returnOf(sight(recreated, []), times)._tag, "Coming")
  })

  it("they are stuck when they lastingly cannot pull, in the kubelet's words, and past their deadline", () => {
    const waiting = (reason: string) =>
      pod({ owner: of, ready: false, state: { waiting: { reason, message: "manifest unknown" } } })
    const rolling = workload({ status: { updatedReplicas: 0 } })
    const back = returnOf(sight(rolling, [waiting("ImagePullBackOff")]), times)
    assert.strictEqual(back._tag, "Stuck")
    assert.include(back._tag === "Stuck" ? back.detail : "", "manifest unknown")
    assert.strictEqual(returnOf(sight(rolling, [waiting("ErrImagePull")]), times)._tag, "Coming")
    const late = { ...times, now: 6 * 3600 * 1000 }
    assert.strictEqual(returnOf(sight(rolling, [waiting("ContainerCreating")]), late)._tag, "Stuck")
    const conditions = [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }]
    const givenUp = workload({ status: { updatedReplicas: 0, conditions } })
    assert.strictEqual(returnOf(sight(givenUp, [waiting("CrashLoopBackOff")]), times)._tag, "Stuck")
  })
})
