import { assert, describe, it } from "@effect/vitest"
import { newestPods, resolvedMaxUnavailable, wasReached } from "../../src/workload/Rollout.ts"
import type { Pod } from "../../src/workload/Workload.ts"
import { type Given, pod, workload } from "../support/Objects.ts"

const names = (pods: ReadonlySet<Pod>) => [...pods].map((it) => it.workload.name)

describe("the pods of the newest revision", () => {
  const revision = (number: string) => ({ annotations: { "deployment.kubernetes.io/revision": number } })
  const deployment = (given: Given = {}) =>
    workload({ images: { app: "app:v2" }, ...given, metadata: { ...revision("2"), ...given.metadata } })
  const set = (name: string, number: string, image: string) =>
    workload({ kind: "ReplicaSet", name, images: { app: image }, metadata: revision(number) })
  const sets = [set("web-old", "1", "app:v1"), set("web-new", "2", "app:v2")]
  const pods = sets.map((owner) => pod({ name: `${owner.name}-x`, owner, images: { app: "mirror/app" } }))

  it("of a Deployment are those of the ReplicaSet with its revision, whatever a webhook made of their images", () => {
    assert.deepStrictEqual(names(newestPods(deployment(), sets, pods)), ["web-new-x"])
  })

  it("are not known while its controller has not seen the newest template", () => {
    assert.deepStrictEqual(names(newestPods(deployment({ metadata: { generation: 2 } }), sets, pods)), [])
  })

  it("of a paused Deployment whose newest template has no ReplicaSet are none, though its revision is the old one's", () => {
    const paused = deployment({ images: { app: "app:v3" }, spec: { paused: true } })
    assert.deepStrictEqual(names(newestPods(paused, sets, pods)), [])
  })

  it("of a StatefulSet are those with the label of its update revision", () => {
    const owner = workload({ kind: "StatefulSet", status: { currentRevision: "web-1", updateRevision: "web-2" } })
    const at = (name: string, hash: string) =>
      pod({ name, owner, metadata: { labels: { "controller-revision-hash": hash } } })
    assert.deepStrictEqual(names(newestPods(owner, [], [at("web-0", "web-1"), at("web-1", "web-2")])), ["web-1"])
  })

  it("of a DaemonSet are those with the label of its template's generation", () => {
    const owner = workload({
      kind: "DaemonSet",
      metadata: { annotations: { "deprecated.daemonset.template.generation": "2" } }
    })
    const at = (name: string, generation: string) =>
      pod({
        name,
        metadata: {
          labels: { "controller-revision-hash": "x", "pod-template-generation": generation },
          ownerReferences: [{ kind: "DaemonSet", name: "web", uid: owner.uid, controller: true }]
        }
      })
    assert.deepStrictEqual(names(newestPods(owner, [], [at("web-a", "1"), at("web-b", "2")])), ["web-b"])
  })

  it("of what has no revisions are not known", () => {
    for (const kind of ["ReplicaSet", "ReplicationController", "CronJob", "Job"] as const) {
      const owner = workload({ kind })
      assert.deepStrictEqual(names(newestPods(owner, [], [pod({ owner })])), [], kind)
    }
  })
})

describe("a rollout", () => {
  const progress = (reason: string, more: Record<string, unknown> = {}) => ({
    conditions: [{ type: "Progressing", reason }],
    ...more
  })

  it("of a Deployment was reached once its controller says so, whatever becomes of its pods", () => {
    const status = progress("NewReplicaSetAvailable", { availableReplicas: 0 })
    assert.isTrue(wasReached(workload({ status })))
    assert.isFalse(wasReached(workload({ status: progress("ReplicaSetUpdated") })))
    assert.isFalse(wasReached(workload({ status, metadata: { generation: 2 } })))
  })

  it("that Recreate has not begun yet was not: the word is of the revision before", () => {
    const spec = { strategy: { type: "Recreate" } }
    const status = progress("NewReplicaSetAvailable", { replicas: 0, updatedReplicas: 0, availableReplicas: 0 })
    assert.isFalse(wasReached(workload({ spec, status })))
  })

  it("was not while pods of before are there, though the word of before stands, as when its first word was lost", () => {
    assert.isFalse(wasReached(workload({ status: progress("NewReplicaSetAvailable", { replicas: 2 }) })))
  })

  it("of a StatefulSet was reached when its revisions meet", () => {
    const set = (currentRevision: string, more: object = {}) =>
      workload({ kind: "StatefulSet", status: { currentRevision, updateRevision: "b", ...more } })
    assert.isFalse(wasReached(set("a")))
    assert.isTrue(wasReached(set("b", { availableReplicas: 0 })))
  })

  it("of a DaemonSet was reached while all its pods are of the newest revision and available", () => {
    const set = (numberAvailable: number, updatedNumberScheduled = 1) =>
      workload({ kind: "DaemonSet", status: { numberAvailable, updatedNumberScheduled } })
    assert.deepStrictEqual([set(1), set(0), set(1, 0)].map(wasReached), [true, false, false])
  })
})

describe("how many pods may be missing", () => {
  const of = (kind: "Deployment" | "DaemonSet" | "StatefulSet", replicas: number, rollingUpdate: object = {}) =>
    resolvedMaxUnavailable(workload({
      kind,
      spec: kind === "Deployment"
        ? { replicas, strategy: { type: "RollingUpdate", rollingUpdate } }
        : { replicas, updateStrategy: { type: "RollingUpdate", rollingUpdate } },
      status: { desiredNumberScheduled: replicas }
    }))

  it("of a Deployment is rounded down, by default a quarter, and one where none may come beside", () => {
    assert.deepStrictEqual([1, 3, 4, 10].map((it) => of("Deployment", it)), [0, 0, 1, 2])
    assert.strictEqual(of("Deployment", 10, { maxUnavailable: "50%" }), 5)
    assert.strictEqual(of("Deployment", 10, { maxUnavailable: 3 }), 3)
    assert.strictEqual(of("Deployment", 1, { maxUnavailable: 0, maxSurge: 0 }), 1)
    assert.strictEqual(resolvedMaxUnavailable(workload({ spec: { replicas: 3, strategy: { type: "Recreate" } } })), 3)
  })

  it("of a DaemonSet is rounded up, by default one; a StatefulSet misses one at a time", () => {
    assert.deepStrictEqual([of("DaemonSet", 10), of("DaemonSet", 10, { maxUnavailable: "15%" })], [1, 2])
    assert.strictEqual(of("StatefulSet", 10), 1)
  })
})
