// A whole sandbox for one test: API server, controllers, kubelet and a registry, with a client as the administrator.
import { Effect, Layer, Redacted } from "effect"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import type { KubeRequest } from "../../../src/kube/KubeClient.ts"
import type { EmbeddedCluster, EmbeddedClusterOptions } from "../../../sandbox/cluster/EmbeddedCluster.ts"
import * as EmbeddedClusters from "../../../sandbox/cluster/EmbeddedCluster.ts"
import * as Controllers from "../../../sandbox/controllers/Controllers.ts"
import type { JsonObject } from "../../../sandbox/Json.ts"
import * as J from "../../../sandbox/Json.ts"
import type { KubeletOptions } from "../../../sandbox/kubelet/Kubelet.ts"
import * as Kubelets from "../../../sandbox/kubelet/Kubelet.ts"
import * as EmbeddedRegistry from "../../../sandbox/registry/EmbeddedRegistry.ts"

export const clientOf = (cluster: EmbeddedCluster, token = cluster.adminToken): Layer.Layer<KubeClient> =>
  KubeClient.layerFrom({ server: cluster.url, headers: { authorization: `Bearer ${Redacted.value(token)}` } })

/** One request as whoever the context's client is; the answer as an object. */
export const call = (request: KubeRequest) =>
  Effect.flatMap(
    KubeClient,
    (client) => Effect.map(client.request(request), (answer): JsonObject => J.isObject(answer) ? answer : {})
  )

export const get = (path: string, query?: Record<string, string>) =>
  call({ method: "GET", path, ...(query === undefined ? {} : { query }) })
export const post = (path: string, body: unknown, query?: Record<string, string>) =>
  call({ method: "POST", path, body, ...(query === undefined ? {} : { query }) })

export const cluster = Effect.fnUntraced(function*(options: EmbeddedClusterOptions = {}) {
  const made = yield* EmbeddedClusters.make(options)
  const client = yield* Layer.build(clientOf(made))
  return { cluster: made, client }
})

/** With controllers, one node and one registry. */
export const whole = Effect.fnUntraced(function*(options: KubeletOptions = {}) {
  const { client, cluster: made } = yield* cluster()
  const registry = yield* EmbeddedRegistry.make()
  yield* Effect.provideContext(Controllers.make(), client)
  const kubelet = yield* Effect.provideContext(Kubelets.make(options), client)
  return { cluster: made, client, registry, kubelet }
})
