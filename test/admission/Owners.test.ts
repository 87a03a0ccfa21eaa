import { assert, describe, it } from "@effect/vitest"
import { ownersOf } from "../../src/admission/Owners.ts"
import { Workloads } from "../../src/store/WorkloadStore.ts"
import { rollout, rolloutOf } from "../support/ExtraObjects.ts"
import { pod, workload } from "../support/Objects.ts"
import { replicaSet, web } from "./Reviewed.ts"

const storeOf = (...workloads: ReadonlyArray<typeof web>) => {
  const store = new Workloads()
  for (const it of workloads) store.putWorkload(it)
  return store
}

const made = (owner?: typeof web) => pod(owner === undefined ? {} : { owner }).workload

const keysOf = (store: Workloads, of: typeof web, hash?: string, extras: ReadonlyArray<typeof rollout> = []) => {
  const found = ownersOf(store, of, hash, extras)
  return found._tag === "Known" ? found.owners.map((it) => it.key) : found.detail
}

describe("the owners of a new pod", () => {
  it("are none where nothing controls it", () => assert.deepStrictEqual(keysOf(storeOf(), made()), []))

  it("are its ReplicaSet and that one's Deployment", () => {
    assert.deepStrictEqual(keysOf(storeOf(web, replicaSet), made(replicaSet)), [replicaSet.key, web.key])
  })

  it("are the Deployment alone where the ReplicaSet has not been seen yet", () => {
    assert.deepStrictEqual(keysOf(storeOf(web), made(replicaSet), "5d4f"), [web.key])
  })

  it("are not a Deployment of which the name only looks like it", () => {
    const detail = "ReplicaSet shop/web-5d4f, which controls it, cannot be seen yet"
    for (const hash of [undefined, "", "4f", "eb-5d4f"]) {
      assert.strictEqual(keysOf(storeOf(web), made(replicaSet), hash), detail, hash)
    }
    const elsewhere = workload({ name: "web", namespace: "other" })
    assert.strictEqual(keysOf(storeOf(elsewhere), made(replicaSet), "5d4f"), detail)
  })

  it("are unknown while one that must be there has not been seen", () => {
    assert.match(String(keysOf(storeOf(replicaSet), made(replicaSet))), /^Deployment shop\/web, which controls it/)
    assert.match(String(keysOf(storeOf(), made(workload({ kind: "Job", name: "j" })))), /^Job shop\/j/)
  })

  it("are unknown while an object of EXTRA_KINDS has not been seen, whose marks are read", () => {
    const owner = { apiVersion: "argoproj.io/v1alpha1", kind: "Rollout", name: "web", uid: "uid-Rollout-web" }
    const of = { ...made(), owner }
    assert.deepStrictEqual(keysOf(storeOf(), of), [])
    assert.match(String(keysOf(storeOf(), of, undefined, [rollout])), /^Rollout shop\/web, which controls it/)
    assert.deepStrictEqual(keysOf(storeOf(rolloutOf()), of, undefined, [rollout]), [rolloutOf().key])
    const controlled = workload({
      kind: "ReplicaSet",
      name: "web-1",
      metadata: { ownerReferences: [{ ...owner, controller: true }] }
    })
    assert.match(String(keysOf(storeOf(controlled), made(controlled), undefined, [rollout])), /^Rollout shop\/web/)
  })

  it("end where a kind begins that is not known here", () => {
    const controlled = workload({
      kind: "ReplicaSet",
      name: "canary-1",
      metadata: { ownerReferences: [{ kind: "Rollout", name: "canary", uid: "r", controller: true }] }
    })
    assert.deepStrictEqual(keysOf(storeOf(controlled), made(controlled)), [controlled.key])
    // Volcano's Job is none of ours
    const foreign = { apiVersion: "batch.volcano.sh/v1alpha1", kind: "Job", name: "v", uid: "v" }
    assert.deepStrictEqual(keysOf(storeOf(), { ...made(), owner: foreign }), [])
    const ours = { apiVersion: "batch/v1", kind: "Job", name: "v", uid: "v" }
    assert.match(String(keysOf(storeOf(), { ...made(), owner: ours })), /^Job shop\/v, which controls it/)
    const direct = { ...made(), owner: { kind: "Workflow", name: "w", uid: "w" } }
    assert.deepStrictEqual(keysOf(storeOf(), direct), [])
  })
})
