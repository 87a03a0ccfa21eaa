// The clusters that the contract is tested on: the embedded one always, a real one where KUBEBUILDER_ASSETS names a folder with etcd
// and kube-apiserver. Both with one node that pulls for real, a registry to pull from, and a client as administrator.
import { NodeServices } from "@effect/platform-node"
import { Config, Context, Effect, Layer, Option, Redacted, Schedule } from "effect"
import { Agent, request } from "undici"
import type { Dispatcher } from "undici"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import type { EmbeddedCluster } from "../../../sandbox/cluster/EmbeddedCluster.ts"
import * as ControlPlanes from "../../../sandbox/ControlPlane.ts"
import type { Json, JsonObject } from "../../../sandbox/Json.ts"
import * as J from "../../../sandbox/Json.ts"
import type { Kubelet, KubeletOptions } from "../../../sandbox/kubelet/Kubelet.ts"
import * as Kubelets from "../../../sandbox/kubelet/Kubelet.ts"
import { randomSuffix } from "../../../sandbox/Random.ts"
import type { EmbeddedRegistry } from "../../../sandbox/registry/EmbeddedRegistry.ts"
import * as Registries from "../../../sandbox/registry/EmbeddedRegistry.ts"

export interface Answer {
  readonly status: number
  readonly body: JsonObject
  readonly contentType: string
}

export interface RawRequest {
  readonly method: Dispatcher.HttpMethod
  /** With the query. */
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Undefined for the administrator's; "" for none. */
  readonly token?: string
}

export class TestCluster extends Context.Service<TestCluster, {
  readonly name: "embedded" | "real"
  readonly url: string
  readonly kubeconfig: string
  readonly kubeconfigFile: string
  readonly registry: EmbeddedRegistry
  readonly kubelet: Kubelet
  /** Only of the embedded one: for faults. */
  readonly embedded: EmbeddedCluster | undefined
  /** A request as it is, and the answer as it is: for the shapes of errors. */
  readonly raw: (request: RawRequest) => Effect.Effect<Answer>
}>()("image-cloner/test/TestCluster") {}

const rawOf = Effect.fnUntraced(function*(url: string, token: Redacted.Redacted, ca: string | undefined) {
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Agent({ allowH2: false, connect: ca === undefined ? {} : { ca } })),
    (it) => Effect.promise(() => it.destroy())
  )
  return (it: RawRequest): Effect.Effect<Answer> =>
    Effect.promise(async (signal) => {
      const authorization = it.token ?? Redacted.value(token)
      const response = await request(`${url}${it.path}`, {
        dispatcher: agent,
        method: it.method,
        signal,
        headers: {
          accept: "application/json",
          "user-agent": "contract/1.0",
          ...(authorization === "" ? {} : { authorization: `Bearer ${authorization}` }),
          ...(it.body === undefined ? {} : { "content-type": "application/json" }),
          ...it.headers
        },
        body: it.body === undefined ? null : typeof it.body === "string" ? it.body : JSON.stringify(it.body)
      })
      const body: Json = JSON.parse(await response.body.text())
      return {
        status: response.statusCode,
        body: J.isObject(body) ? body : {},
        contentType: String(response.headers["content-type"])
      }
    })
})

const assemble = Effect.fnUntraced(function*(
  name: "embedded" | "real",
  plane: ControlPlanes.ControlPlane & {
    readonly cluster: { readonly url: string; readonly adminToken: Redacted.Redacted }
  },
  ca: string | undefined,
  embedded: EmbeddedCluster | undefined,
  options: KubeletOptions
) {
  const registry = yield* Registries.make()
  const client = yield* Layer.build(plane.client)
  const kubelet = yield* Kubelets.make({ bind: !plane.hasScheduler, ...options }).pipe(
    // The first moments of a real server: namespaces are still being made.
    Effect.retry({ schedule: Schedule.spaced("200 millis"), times: 50 }),
    Effect.provideContext(client)
  )
  const cluster = TestCluster.of({
    name,
    url: plane.cluster.url,
    kubeconfig: plane.kubeconfig,
    kubeconfigFile: plane.kubeconfigFile,
    registry,
    kubelet,
    embedded,
    raw: yield* rawOf(plane.cluster.url, plane.cluster.adminToken, ca)
  })
  return Context.add(client, TestCluster, cluster)
})

/** Embedded API server, our controllers, our kubelet. */
export const embedded = (options: KubeletOptions = {}): Layer.Layer<TestCluster | KubeClient> =>
  Layer.effectContext(Effect.gen(function*() {
    const plane = yield* ControlPlanes.embedded()
    return yield* assemble("embedded", plane, undefined, plane.cluster, options)
  })).pipe(Layer.orDie, Layer.provide(NodeServices.layer))

/** etcd and kube-apiserver of the folder, its controllers (or ours where it has none), our kubelet. */
export const real = (assets: string, options: KubeletOptions = {}): Layer.Layer<TestCluster | KubeClient> =>
  Layer.effectContext(Effect.gen(function*() {
    const plane = yield* ControlPlanes.real({ assets })
    return yield* assemble("real", plane, plane.cluster.ca, undefined, options)
  })).pipe(Layer.orDie, Layer.provide(NodeServices.layer))

/** Folder of the real control plane's binaries; undefined when none is named. */
export const assets: Effect.Effect<string | undefined> = Config.option(Config.NonEmptyString("KUBEBUILDER_ASSETS"))
  .pipe(
    Effect.map(Option.getOrUndefined),
    Effect.orDie
  )

/** A namespace of its own for one test. It is not deleted: the cluster goes as a whole. */
export const namespace: Effect.Effect<string, never, KubeClient> = Effect.gen(function*() {
  const name = `t-${yield* randomSuffix(8)}`
  const client = yield* KubeClient
  const post = (path: string, body: unknown) => client.request({ method: "POST", path, body })
  yield* post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } })
  // A real server's controllers need a moment for the account that pods want.
  yield* client.request({ method: "GET", path: `/api/v1/namespaces/${name}/serviceaccounts/default` }).pipe(
    Effect.retry({ schedule: Schedule.spaced("50 millis"), times: 200 })
  )
  return name
}).pipe(Effect.orDie)

/** One request as administrator, the answer as an object. */
export const call = (
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
  contentType?: string
) =>
  Effect.flatMap(KubeClient, (client) =>
    Effect.map(
      client.request({ method, path, ...(body === undefined ? {} : { body }), contentType }),
      (answer): JsonObject => J.isObject(answer) ? answer : {}
    ))

export type Needs = TestCluster | KubeClient
