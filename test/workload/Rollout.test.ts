import { assert, describe, it } from "@effect/vitest"
import { hasReached, newestPods } from "../../src/workload/Rollout.ts"
import type { Pod } from "../../src/workload/Workload.ts"
import { digestOf, type Given, pod, workload } from "../support/Objects.ts"

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
  it("has reached its revision once every pod has started, even if one fails later", () => {
    const status = { updatedNumberScheduled: 1, numberAvailable: 0 }
    const set = workload({ kind: "DaemonSet", status })
    const crashed = pod({
      ready: false,
      state: { waiting: { reason: "CrashLoopBackOff" }, terminated: null }
    })
    const restarted = { ...crashed, containers: crashed.containers.map((it) => ({ ...it, started: true })) }
    assert.isFalse(hasReached(set, [crashed]))
    assert.isTrue(hasReached(set, [restarted]))
  })

  it("of a StatefulSet has reached its revision when the revisions meet, or above its partition", () => {
    const status = { updatedReplicas: 1, currentRevision: "a", updateRevision: "b" }
    const updateStrategy = { type: "RollingUpdate", rollingUpdate: { partition: 1 } }
    assert.isFalse(
      hasReached(workload({ kind: "StatefulSet", status }), [
        pod({ ready: false, state: { waiting: { reason: "ImagePullBackOff" } } })
      ])
    )
    assert.isTrue(hasReached(workload({ kind: "StatefulSet", status: { ...status, currentRevision: "b" } }), []))
    const above = workload({ kind: "StatefulSet", status: { ...status, updatedReplicas: 0 }, spec: { updateStrategy } })
    assert.isTrue(hasReached(above, [pod({ digest: digestOf("a") })]))
  })
})
