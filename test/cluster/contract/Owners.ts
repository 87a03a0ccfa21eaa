// Contract: how those who own a template stand in it, as an API server writes it and we read it: field managers with and
// without a name, subresources, owner references, and which API groups are built in.
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import type { Dispatcher } from "undici"
import type { JsonObject } from "../../../sandbox/Json.ts"
import * as J from "../../../sandbox/Json.ts"
import { isBuiltIn } from "../../../src/workload/KnownOwners.ts"
import { projectManifest } from "../../support/Objects.ts"
import * as ControlPlane from "./ControlPlane.ts"
import { TestCluster } from "./ControlPlane.ts"
import * as Objects from "./Objects.ts"

const managerOf = (object: JsonObject) => projectManifest("Deployment", object)?.manager

/** A Deployment that makes no pods, with whatever else its metadata holds. */
const paused = (metadata: JsonObject = {}): JsonObject => {
  const object = Objects.deployment("web", "app:1", { paused: true })
  return { ...object, metadata: { ...J.object(object, "metadata"), ...metadata } }
}

/** Sends a request as a tool would: under a User-Agent, or a name of its own. */
const start = Effect.fnUntraced(function*() {
  const { raw } = yield* TestCluster
  const { deployments } = Objects.paths(yield* ControlPlane.namespace)
  const send = (method: Dispatcher.HttpMethod, path: string, body: JsonObject, headers: Record<string, string>) =>
    Effect.map(raw({ method, path: `${deployments}${path}`, body, headers }), (answer) => {
      assert.isBelow(answer.status, 300, JSON.stringify(answer.body))
      return answer.body
    })
  return {
    create: (agent: string, body = paused()) => send("POST", "", body, { "user-agent": agent }),
    apply: (manager: string, body = paused()) =>
      send("PATCH", `/web?fieldManager=${manager}`, body, { "content-type": "application/apply-patch+yaml" }),
    merge: (agent: string, body: JsonObject, subresource = "") =>
      send("PATCH", `/web${subresource}`, body, { "content-type": Objects.mergePatch, "user-agent": agent }),
    look: ControlPlane.call("GET", `${deployments}/web`)
  }
})

export const owners = (it: Vitest.MethodsNonLive<ControlPlane.Needs>) => {
  it.effect("a tool that applies owns the images it said, and those it only labelled not", () =>
    Effect.gen(function*() {
      const { apply } = yield* start()
      const kind = { apiVersion: "apps/v1", kind: "Deployment" }
      assert.strictEqual(managerOf(yield* apply("someone")), undefined)
      const labels = yield* apply("helm", { ...kind, metadata: { name: "web", labels: { image: "app" } } })
      assert.strictEqual(managerOf(labels), undefined)
      assert.strictEqual(managerOf(yield* apply("argocd-controller")), "Argo CD (field manager argocd-controller)")
    }))

  it.effect("a tool without a name is its User-Agent up to the slash, and owns what it makes", () =>
    Effect.gen(function*() {
      for (
        const [agent, manager] of [
          ["HashiCorp/1.0 Terraform/1.9.0", "Terraform (field manager HashiCorp)"],
          [
            "pulumi-kubernetes/4.33.0 (pulumi-kubernetes/linux) client-go/v0.35.0",
            "Pulumi (field manager pulumi-kubernetes)"
          ],
          ["kapp/v0.0.0 (linux/amd64) kubernetes/$Format", "kapp (field manager kapp)"],
          [
            "argocd-application-controller/3.1.0 (linux/amd64)",
            "Argo CD (field manager argocd-application-controller)"
          ],
          ["kubectl/v1.36.0 (linux/amd64) kubernetes/abc", undefined]
        ] as const
      ) {
        const { create } = yield* start()
        assert.strictEqual(managerOf(yield* create(agent)), manager)
      }
    }))

  it.effect("who changes the image takes it from the tool, who scales or writes the status does not", () =>
    Effect.gen(function*() {
      const { create, look, merge } = yield* start()
      yield* create("HashiCorp/1.0 Terraform/1.9.0")
      yield* merge("kubectl/v1.36.0", { spec: { replicas: 3 } }, "/scale")
      assert.strictEqual(managerOf(yield* look), "Terraform (field manager HashiCorp)")
      const containers = [{ name: "app", image: "app:2" }]
      const changed = yield* merge("kubectl/v1.36.0", { spec: { template: { spec: { containers } } } })
      assert.strictEqual(managerOf(changed), undefined)
      yield* merge("helm/v4", { status: { replicas: 0, observedGeneration: 2 } }, "/status")
      assert.strictEqual(managerOf(yield* look), undefined)
    }))

  it.effect("a target of Flagger is told by its replicas, until somebody else sets them", () =>
    Effect.gen(function*() {
      const { create, look, merge } = yield* start()
      yield* create("kubectl/v1.36.0")
      const parked = yield* merge("flagger/v0.0.0 (linux/amd64) kubernetes/$Format", { spec: { replicas: 0 } })
      assert.strictEqual(managerOf(parked), "Flagger (field manager flagger)")
      yield* merge("kubectl/v1.36.0", { spec: { replicas: 2 } }, "/scale")
      assert.strictEqual(managerOf(yield* look), undefined)
    }))

  it.effect("an owner reference keeps its API version, by which a custom kind is told from a built-in one", () =>
    Effect.gen(function*() {
      for (
        const [apiVersion, kind, manager] of [
          ["velero.io/v1", "Backup", "Backup main (owner reference to velero.io/v1)"],
          ["v1", "ConfigMap", undefined]
        ] as const
      ) {
        const { create } = yield* start()
        const uid = "4b1c7c9e-0000-4000-8000-000000000000"
        const ownerReferences = [{ apiVersion, kind, name: "main", uid, controller: false }]
        assert.strictEqual(managerOf(yield* create("kubectl/v1.36.0", paused({ ownerReferences }))), manager)
      }
    }))

  it.effect("every group of a server without custom resources is built in", () =>
    Effect.gen(function*() {
      const found = J.list(yield* ControlPlane.call("GET", "/apis"), "groups").map((it) => J.text(it, "name") ?? "")
      assert.include(found, "apps")
      assert.deepStrictEqual(found.filter((it) => !isBuiltIn(`${it}/v1`)), [])
    }))
}
