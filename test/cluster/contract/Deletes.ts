// Contract: deletion — answers, preconditions, finalizers, grace, owners and namespaces.
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import type { JsonObject } from "../../../sandbox/Json.ts"
import * as J from "../../../sandbox/Json.ts"
import * as ControlPlane from "./ControlPlane.ts"
import { TestCluster } from "./ControlPlane.ts"
import { eventually } from "../../support/Eventually.ts"
import * as Objects from "./Objects.ts"

const uidOf = (object: JsonObject) => J.text(object, "metadata", "uid") ?? ""

/** The status code of a GET. */
const code = (path: string) =>
  Effect.flatMap(TestCluster, ({ raw }) => Effect.map(raw({ method: "GET", path }), (it) => it.status))
const gone = (path: string) => eventually(`${path} is still there`, code(path), (it) => it === 404)

const owned = (name: string, owner: JsonObject): JsonObject => ({
  ...Objects.configMap(name),
  metadata: {
    name,
    ownerReferences: [{
      apiVersion: "v1",
      kind: "ConfigMap",
      name: J.text(owner, "metadata", "name") ?? "",
      uid: uidOf(owner),
      blockOwnerDeletion: true
    }]
  }
})

export const deletes = (it: Vitest.MethodsNonLive<ControlPlane.Needs>) => {
  it.effect("what is gone is named in the answer", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const { configMaps } = Objects.paths(yield* ControlPlane.namespace)
      const made = yield* ControlPlane.call("POST", configMaps, Objects.configMap("a"))
      const answer = yield* raw({ method: "DELETE", path: `${configMaps}/a` })
      assert.deepStrictEqual(answer.body, {
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Success",
        details: { name: "a", kind: "configmaps", uid: uidOf(made) }
      })
      const again = yield* raw({ method: "DELETE", path: `${configMaps}/a` })
      assert.strictEqual(again.status, 404)
    }))

  it.effect("preconditions that do not hold are a conflict", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const { configMaps } = Objects.paths(yield* ControlPlane.namespace)
      const made = yield* ControlPlane.call("POST", configMaps, Objects.configMap("a"))
      const remove = (preconditions: JsonObject) =>
        raw({
          method: "DELETE",
          path: `${configMaps}/a`,
          body: { apiVersion: "v1", kind: "DeleteOptions", preconditions }
        })
      for (const preconditions of [{ uid: "00000000-0000-4000-8000-000000000000" }, { resourceVersion: "1" }]) {
        const answer = yield* remove(preconditions)
        assert.strictEqual(answer.status, 409)
        assert.match(
          J.text(answer.body, "message") ?? "",
          /on ConfigMap "a": the (UID|ResourceVersion) in the precondition \(.*\) does not match the/
        )
      }
      const right = yield* remove({ uid: uidOf(made) })
      assert.strictEqual(right.status, 200)
    }))

  it.effect("an object with a finalizer stays, marked, until it is taken away", () =>
    Effect.gen(function*() {
      const { configMaps } = Objects.paths(yield* ControlPlane.namespace)
      const finalizers = ["example.com/wait"]
      yield* ControlPlane.call("POST", configMaps, { metadata: { name: "a", finalizers } })
      const marked = yield* ControlPlane.call("DELETE", `${configMaps}/a`)
      assert.match(J.text(marked, "metadata", "deletionTimestamp") ?? "", /Z$/)
      assert.strictEqual(yield* code(`${configMaps}/a`), 200)
      yield* ControlPlane.call("PATCH", `${configMaps}/a`, { metadata: { finalizers: null } }, Objects.mergePatch)
      assert.strictEqual(yield* code(`${configMaps}/a`), 404)
    }))

  it.effect("a pod without a node goes at once, one with a node when its kubelet says so", () =>
    Effect.gen(function*() {
      const { kubelet, raw, registry } = yield* TestCluster
      const { pods } = Objects.paths(yield* ControlPlane.namespace)
      yield* ControlPlane.call(
        "POST",
        pods,
        Objects.pod("unbound", `${registry.host}/none:1`, { schedulerName: "nobody" })
      )
      const first = yield* ControlPlane.call("DELETE", `${pods}/unbound`)
      assert.strictEqual(first["kind"], "Pod")
      assert.strictEqual(yield* code(`${pods}/unbound`), 404)
      // A node that nobody acts for.
      yield* ControlPlane.call("POST", pods, Objects.pod("bound", `${registry.host}/none:1`, { nodeName: "nobodys" }))
      const marked = yield* ControlPlane.call("DELETE", `${pods}/bound`)
      assert.strictEqual(J.number(marked, "metadata", "deletionGracePeriodSeconds"), 1)
      assert.match(J.text(marked, "metadata", "deletionTimestamp") ?? "", /Z$/)
      assert.strictEqual(yield* code(`${pods}/bound`), 200)
      const forced = yield* raw({ method: "DELETE", path: `${pods}/bound?gracePeriodSeconds=0` })
      assert.strictEqual(forced.status, 200)
      assert.strictEqual(yield* code(`${pods}/bound`), 404)
      yield* ControlPlane.call("POST", pods, Objects.pod("ours", `${registry.host}/none:1`, { nodeName: kubelet.node }))
      yield* ControlPlane.call("DELETE", `${pods}/ours`)
      yield* gone(`${pods}/ours`)
    }))

  it.effect("a pod is bound once", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const { pods } = Objects.paths(yield* ControlPlane.namespace)
      yield* ControlPlane.call("POST", pods, Objects.pod("p", "none:1", { schedulerName: "nobody" }))
      const bind = raw({
        method: "POST",
        path: `${pods}/p/binding`,
        body: { apiVersion: "v1", kind: "Binding", metadata: { name: "p" }, target: { kind: "Node", name: "nobodys" } }
      })
      assert.strictEqual((yield* bind).status, 201)
      const pod = yield* ControlPlane.call("GET", `${pods}/p`)
      assert.strictEqual(J.text(pod, "spec", "nodeName"), "nobodys")
      const again = yield* bind
      assert.strictEqual(again.status, 409)
      assert.match(J.text(again.body, "message") ?? "", /pod p is already assigned to node "nobodys"/)
    }))

  it.effect("what an owner leaves is collected, or orphaned when that is asked", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const { replicaSets } = Objects.paths(yield* ControlPlane.namespace)
      const set = (name: string): JsonObject => {
        const { spec } = Objects.deployment(name, "app:1")
        const { replicas: _replicas, ...rest } = J.object(spec)
        return { apiVersion: "apps/v1", kind: "ReplicaSet", metadata: { name }, spec: { ...rest, replicas: 0 } }
      }
      for (const [owner, policy] of [["collected", "Background"], ["orphaned", "Orphan"]] as const) {
        const made = yield* ControlPlane.call("POST", replicaSets, set(owner))
        const child = { ...set(`${owner}-child`) }
        const reference = { apiVersion: "apps/v1", kind: "ReplicaSet", name: owner, uid: uidOf(made) }
        child["metadata"] = { name: `${owner}-child`, ownerReferences: [reference] }
        yield* ControlPlane.call("POST", replicaSets, child)
        yield* raw({
          method: "DELETE",
          path: `${replicaSets}/${owner}`,
          body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: policy }
        })
        yield* gone(`${replicaSets}/${owner}`)
      }
      yield* gone(`${replicaSets}/collected-child`)
      const left = yield* ControlPlane.call("GET", `${replicaSets}/orphaned-child`)
      assert.deepStrictEqual(J.list(left, "metadata", "ownerReferences"), [])
    }))

  it.effect("foreground deletion waits for the dependents", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const { configMaps } = Objects.paths(yield* ControlPlane.namespace)
      const made = yield* ControlPlane.call("POST", configMaps, Objects.configMap("owner"))
      const child = owned("child", made)
      J.ensure(child, "metadata")["finalizers"] = ["example.com/wait"]
      yield* ControlPlane.call("POST", configMaps, child)
      // The real collector has to have seen the dependent before.
      yield* Effect.sleep("500 millis")
      yield* raw({
        method: "DELETE",
        path: `${configMaps}/owner`,
        body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Foreground" }
      })
      const waiting = yield* ControlPlane.call("GET", `${configMaps}/owner`)
      assert.deepStrictEqual(J.list(waiting, "metadata", "finalizers"), ["foregroundDeletion"])
      yield* eventually(
        "the child is not being deleted",
        ControlPlane.call("GET", `${configMaps}/child`),
        (it) => J.text(it, "metadata", "deletionTimestamp") !== undefined
      )
      yield* ControlPlane.call("PATCH", `${configMaps}/child`, { metadata: { finalizers: null } }, Objects.mergePatch)
      yield* gone(`${configMaps}/owner`)
    }))

  it.effect("a collection is deleted by selector", () =>
    Effect.gen(function*() {
      const { configMaps } = Objects.paths(yield* ControlPlane.namespace)
      for (const name of ["a", "b", "c"]) {
        yield* ControlPlane.call("POST", configMaps, Objects.configMap(name, { keep: name === "b" ? "yes" : "no" }))
      }
      yield* ControlPlane.call("DELETE", `${configMaps}?labelSelector=keep%3Dno`)
      const left = yield* ControlPlane.call("GET", `${configMaps}?labelSelector=keep`)
      assert.deepStrictEqual(J.list(left, "items").map((it) => J.text(it, "metadata", "name")), ["b"])
    }))

  it.effect("a namespace goes with all that is in it, and takes nothing in meanwhile", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const namespace = yield* ControlPlane.namespace
      const { configMaps } = Objects.paths(namespace)
      const finalizers = ["example.com/wait"]
      yield* ControlPlane.call("POST", configMaps, { metadata: { name: "a", finalizers } })
      const deleted = yield* ControlPlane.call("DELETE", `/api/v1/namespaces/${namespace}`)
      assert.strictEqual(J.text(deleted, "status", "phase"), "Terminating")
      const refused = yield* raw({ method: "POST", path: configMaps, body: Objects.configMap("b") })
      assert.strictEqual(refused.status, 403)
      assert.strictEqual(J.text(refused.body, "details", "causes", 0, "reason"), "NamespaceTerminating")
      yield* eventually(
        "what is in the namespace is not being deleted",
        ControlPlane.call("GET", `${configMaps}/a`),
        (it) => J.text(it, "metadata", "deletionTimestamp") !== undefined
      )
      yield* ControlPlane.call("PATCH", `${configMaps}/a`, { metadata: { finalizers: null } }, Objects.mergePatch)
      yield* gone(`/api/v1/namespaces/${namespace}`)
    }))
}
