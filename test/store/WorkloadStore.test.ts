import { assert, describe, it } from "@effect/vitest"
import { Workloads } from "../../src/store/WorkloadStore.ts"
import { pod, workload } from "../support/Objects.ts"

const owned = (kind: string, name: string, uid: string) => ({
  metadata: { ownerReferences: [{ kind, name, uid, controller: true }] }
})

/** A Deployment, its ReplicaSet, and a pod of that. */
const chain = () => {
  const store = new Workloads()
  const deployment = workload()
  const set = workload({ kind: "ReplicaSet", name: "web-1", ...owned("Deployment", "web", deployment.uid) })
  const one = pod({ name: "web-1-a", owner: { ...set, uid: "uid-rs" } })
  const withUid = { ...set, uid: "uid-rs" }
  return { store, deployment, set: withUid, pod: one }
}

describe("the workload store", () => {
  it("knows pods through what is between them and their workload, in whatever order they come", () => {
    const { deployment, pod: one, set, store } = chain()
    store.putPod(one)
    store.putWorkload(set)
    store.putWorkload(deployment)
    assert.deepStrictEqual(store.podsOf(deployment), [one])
    assert.deepStrictEqual(store.ownersOf(one.workload).map((it) => it.kind), ["ReplicaSet", "Deployment"])
  })

  it("tells whose plan a change concerns, and nothing when nothing that is kept has changed", () => {
    const { deployment, pod: one, set, store } = chain()
    store.putWorkload(deployment)
    store.putWorkload(set)
    assert.deepStrictEqual(store.putPod(one), ["Pod/shop/web-1-a", "ReplicaSet/shop/web-1", "Deployment/shop/web"])
    assert.deepStrictEqual(store.putPod(structuredClone(one)), [])
    assert.deepStrictEqual(store.remove("pod", "Pod/shop/web-1-a").slice(1), [
      "ReplicaSet/shop/web-1",
      "Deployment/shop/web"
    ])
    assert.deepStrictEqual(store.podsOf(deployment), [])
    assert.deepStrictEqual(store.remove("pod", "Pod/shop/web-1-a"), [])
  })

  it("believes no owner in another namespace, nor one without a uid: both would change a stranger's verdict", () => {
    const { deployment, store } = chain()
    const nameless = workload({ name: "nameless", metadata: { uid: null } })
    store.putWorkload(deployment)
    store.putWorkload(nameless)
    const claims = [
      pod({ name: "elsewhere", namespace: "evil", owner: deployment }),
      pod({ name: "nobody", owner: nameless }),
      pod({ name: "anybody", owner: { ...deployment, uid: "" } })
    ]
    for (const claim of claims) assert.deepStrictEqual(store.putPod(claim), [claim.workload.key])
    assert.deepStrictEqual([store.podsOf(deployment), store.podsOf(nameless)], [[], []])
    assert.deepStrictEqual(claims.flatMap((it) => store.ownersOf(it.workload)), [])
  })

  it("keeps pods apart that have the name of one that was deleted", () => {
    const { deployment, pod: one, set, store } = chain()
    store.putWorkload(deployment)
    store.putWorkload(set)
    store.putPod(one)
    const other = pod({ name: "web-1-a", owner: workload({ kind: "ReplicaSet", name: "other" }) })
    store.putPod(other)
    assert.deepStrictEqual(store.podsOf(deployment), [])
  })

  it("keeps why a pod cannot pull, and sees no news in the kubelet not repeating it", () => {
    const { pod: one, store } = chain()
    const fails = (reason: string, message: string) =>
      pod({ name: "web-1-a", state: { waiting: { reason, message } }, ready: false })
    store.putPod(one)
    store.putPod(fails("ErrImagePull", "401 Unauthorized"))
    const waiting = fails("ImagePullBackOff", "Back-off pulling image \"nginx:1.27\"")
    assert.deepStrictEqual(store.putPod(waiting), ["Pod/shop/web-1-a"])
    assert.deepStrictEqual(store.putPod(structuredClone(waiting)), [])
    const [container] = store.pod("Pod/shop/web-1-a")?.containers ?? []
    assert.deepStrictEqual([container?.waiting, container?.message], ["ImagePullBackOff", "401 Unauthorized"])
  })

  it("survives owners that own each other", () => {
    const store = new Workloads()
    const a = { ...workload({ name: "a", ...owned("Deployment", "b", "uid-b") }), uid: "uid-a" }
    const b = { ...workload({ name: "b", ...owned("Deployment", "a", "uid-a") }), uid: "uid-b" }
    store.putWorkload(a)
    store.putWorkload(b)
    assert.deepStrictEqual(store.ownersOf(a).map((it) => it.name), ["b", "a"])
    assert.deepStrictEqual(store.podsOf(a), [])
  })

  it("goes down as far as owners are followed up, and one further: no chain is endless", () => {
    const store = new Workloads()
    const at = (level: number, metadata: Record<string, unknown> = {}) =>
      workload({
        name: `level-${level}`,
        metadata: {
          uid: `uid-${level}`,
          ...(level === 0 ? {} : owned("Deployment", `level-${level - 1}`, `uid-${level - 1}`).metadata),
          ...metadata
        }
      })
    for (let level = 0; level < 10; level++) store.putWorkload(at(level))
    const changed = store.putWorkload(at(0, { annotations: { "image-cloner.io/ignore": "true" } }))
    assert.deepStrictEqual(changed, [0, 1, 2, 3, 4, 5, 6].map((it) => `Deployment/shop/level-${it}`))
  })

  it("concerns a whole namespace by its marks, and the pods of a node by its readiness", () => {
    const { deployment, pod: one, store } = chain()
    store.putWorkload(deployment)
    store.putPod(one)
    const marks = { ignore: true, rewrite: undefined }
    assert.includeMembers([...store.putNamespace({ name: "shop", uid: "shop", marks })], ["Deployment/shop/web"])
    assert.deepStrictEqual(store.putNamespace({ name: "shop", uid: "shop", marks }), [])
    assert.deepStrictEqual(store.putNamespace({ name: "other", uid: "other", marks }), [])
    assert.isTrue(store.nodeReady("node-1"))
    assert.deepStrictEqual(store.putNode({ name: "node-1", ready: false }), [one.workload.key])
    assert.isFalse(store.nodeReady("node-1"))
  })

  it("tells what a workload controls of its opt-out, and of a node that is gone only its pods", () => {
    const store = new Workloads()
    const deployment = workload()
    const set = workload({ kind: "ReplicaSet", ...owned("Deployment", "web", deployment.uid) })
    store.putWorkload(deployment)
    store.putWorkload(set)
    store.putPod(pod({ owner: set, node: "one" }))
    store.putPod(pod({ name: "alone", node: "two" }))
    const out = workload({ metadata: { labels: { "image-cloner.io/ignore": "true" } } })
    assert.sameMembers([...store.putWorkload(out)], [deployment.key, set.key, "Pod/shop/web-1"])
    store.putNode({ name: "two", ready: false })
    assert.deepStrictEqual(store.remove("node", "two"), ["Pod/shop/alone"])
  })
})
