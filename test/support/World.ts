// The world that end-to-end tests play in: a control plane (the sandbox, or a real one) with a node that pulls for real, and
// what people do to it: make workloads, look at them, change them. The same tests run on both control planes.
// Edge: the registries beside it are Stage.ts', the daemon in it is Daemon.ts'.
import { NodeServices } from "@effect/platform-node"
import { Data, Effect, Layer, Scope } from "effect"
import * as Objects from "../../sandbox/client/Objects.ts"
import * as Resources from "../../sandbox/cluster/Resources.ts"
import * as ControlPlane from "../../sandbox/ControlPlane.ts"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import * as Kubelet from "../../sandbox/kubelet/Kubelet.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { eventually } from "./Eventually.ts"

const assets = process.env["KUBEBUILDER_ASSETS"] ?? ""

/** The control planes that the tests run on; `skipped` where this machine has no real one. */
export const controlPlanes: ReadonlyArray<{
  readonly name: string
  readonly skipped: boolean
  readonly start: Effect.Effect<
    ControlPlane.ControlPlane,
    Effect.Error<ReturnType<typeof ControlPlane.embedded> | ReturnType<typeof ControlPlane.real>>,
    Effect.Services<ReturnType<typeof ControlPlane.embedded> | ReturnType<typeof ControlPlane.real>>
  >
}> = [
  { name: "the sandbox", skipped: false, start: ControlPlane.embedded() },
  { name: "a real control plane", skipped: assets === "", start: ControlPlane.real({ assets }) }
]

/** The control plane for tests that take a minute: the real one where there is one, else the sandbox; the others run on both. */
export const nearest = controlPlanes.filter((it) => !it.skipped).slice(-1)

export class World extends Data.Class<{
  readonly controlPlane: ControlPlane.ControlPlane
  readonly kubelet: Kubelet.Kubelet
}> {}

/** A node of a control plane, for as long as the scope; what is given stands above the rest. */
export const node = (controlPlane: ControlPlane.ControlPlane, given: Kubelet.KubeletOptions = {}) =>
  Kubelet.make({ bind: !controlPlane.hasScheduler, events: false, ...given })

/** A control plane with one node, in a scope of its own where it is given one; everything a test needs to speak to it. */
export const start = <E, R>(controlPlane: Effect.Effect<ControlPlane.ControlPlane, E, R>, ofNode?: Scope.Scope) =>
  Effect.gen(function*() {
    const it = yield* controlPlane
    const context = yield* Layer.build(Layer.merge(it.client, NodeServices.layer))
    const kubelet = yield* node(it).pipe(
      ofNode === undefined ? (running) => running : Scope.provide(ofNode),
      Effect.provide(context)
    )
    return { world: new World({ controlPlane: it, kubelet }), context }
  }).pipe(Effect.provide(NodeServices.layer))

const manager = "kubectl-create"

export const create = (kind: string, namespace: string, body: JsonObject) =>
  Objects.create(manager, Objects.resource(kind), namespace, body)

const place = (kind: string, namespace: string, name: string): Objects.Place => ({
  resource: Objects.resource(kind),
  namespace,
  name
})

export const get = (kind: string, namespace: string, name: string) => Objects.get(place(kind, namespace, name))

const patch = (kind: string, namespace: string, name: string, body: JsonObject) =>
  Objects.patch(manager, place(kind, namespace, name), body)

/** Sets annotations of an object. */
export const annotate = (kind: string, namespace: string, name: string, annotations: JsonObject) =>
  patch(kind, namespace, name, { metadata: { annotations } })

const changeOf =
  (contentType: string) => (fieldManager: string, kind: string, namespace: string, name: string, body: unknown) => {
    const resource = Objects.resource(kind)
    return Effect.flatMap(KubeClient, (client) =>
      client.request({
        method: "PATCH",
        path: Resources.pathOf(resource, namespace, name),
        query: { fieldManager },
        contentType,
        body
      }))
  }

export const jsonPatch = changeOf("application/json-patch+json")

/** Applies a manifest server-side, as Helm 4 does by itself: without force. */
export const apply = (fieldManager: string, kind: string, namespace: string, name: string, body: JsonObject) =>
  changeOf("application/apply-patch+yaml")(fieldManager, kind, namespace, name, {
    apiVersion: Resources.apiVersionOf(Objects.resource(kind)),
    kind,
    ...body,
    metadata: { name, ...J.object(body, "metadata") }
  })

/** A namespace whose ServiceAccount default is there, because pods are refused before. */
export const namespace = Effect.fnUntraced(function*(name: string, metadata: JsonObject = {}) {
  yield* create("Namespace", "", { metadata: { name, ...metadata } })
  yield* eventually(
    "no ServiceAccount",
    Effect.result(get("ServiceAccount", name, "default")),
    (it) => it._tag === "Success"
  )
})

/** A Secret with a login, named by the namespace's ServiceAccount. */
export const pullSecret = Effect.fnUntraced(function*(
  namespaceName: string,
  login: { readonly host: string; readonly username: string; readonly password: string }
) {
  const { host, password, username } = login
  yield* create("Secret", namespaceName, {
    metadata: { name: "backup" },
    type: "kubernetes.io/dockerconfigjson",
    data: {
      ".dockerconfigjson": Buffer.from(JSON.stringify({ auths: { [host]: { username, password } } })).toString("base64")
    }
  })
  yield* patch("ServiceAccount", namespaceName, "default", { imagePullSecrets: [{ name: "backup" }] })
})

export interface Given {
  readonly namespace: string
  readonly name: string
  readonly image: string
  readonly replicas?: number
  readonly metadata?: JsonObject
  readonly podSpec?: JsonObject
  readonly templateMetadata?: JsonObject
  readonly spec?: JsonObject
}

/** Makes a CronJob of one container that does not come to run. */
export const makeCronJob = (namespaceName: string, name: string, image: string) =>
  create("CronJob", namespaceName, {
    metadata: { name },
    spec: {
      schedule: "0 0 1 1 *",
      jobTemplate: { spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "app", image }] } } } }
    }
  })

/** Makes a Deployment, DaemonSet or StatefulSet of one container. */
export const make = (kind: "Deployment" | "DaemonSet" | "StatefulSet", it: Given) =>
  create(kind, it.namespace, {
    metadata: { name: it.name, ...it.metadata },
    spec: {
      ...(kind === "DaemonSet" ? {} : { replicas: it.replicas ?? 1 }),
      ...(kind === "StatefulSet" ? { serviceName: it.name } : {}),
      selector: { matchLabels: { app: it.name } },
      template: {
        ...it.templateMetadata,
        metadata: { labels: { app: it.name }, ...J.object(it.templateMetadata ?? {}, "metadata") },
        spec: { containers: [{ name: "app", image: it.image }], ...it.podSpec }
      },
      ...it.spec
    }
  })

export const imageOf = (object: JsonObject): string =>
  J.text(J.list(object, "spec", "template", "spec", "containers")[0], "image") ?? ""

/** Image of a workload as it is now. */
export const imageNow = (kind: string, namespaceName: string, name: string) =>
  Effect.map(get(kind, namespaceName, name), imageOf)

export const isReady = (pod: JsonObject): boolean =>
  J.text(pod, "metadata", "deletionTimestamp") === undefined &&
  J.list(pod, "status", "conditions").some((it) => J.text(it, "type") === "Ready" && J.text(it, "status") === "True")

export const list = Effect.fnUntraced(function*(kind: string, namespaceName: string) {
  const answer = yield* Objects.get(place(kind, namespaceName, ""))
  return J.list(answer, "items").filter(J.isObject)
})

/** What the ready pods of a workload run: image and imageID of their first container; every pod must be ready. */
export const running = Effect.fnUntraced(function*(namespaceName: string, name: string) {
  const pods = (yield* list("Pod", namespaceName)).filter((it) => J.text(it, "metadata", "labels", "app") === name)
  return pods.map((it) => ({
    ready: isReady(it),
    image: J.text(J.list(it, "spec", "containers")[0], "image") ?? "",
    digest: (J.text(J.list(it, "status", "containerStatuses")[0], "imageID") ?? "").split("@")[1] ?? ""
  }))
})

/** Waits until as many pods as wanted are ready and no other is there. */
export const settled = (namespaceName: string, name: string, replicas = 1) =>
  eventually(
    `pods of ${namespaceName}/${name} are not ready`,
    running(namespaceName, name),
    (pods) => pods.length === replicas && pods.every((it) => it.ready)
  )
