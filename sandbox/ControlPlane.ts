// ControlPlane: a cluster to play with, embedded or real, with whatever controllers it lacks. One shape for both.
import { Effect, FileSystem, Layer, Path, Redacted } from "effect"
import { KubeClient } from "../src/kube/KubeClient.ts"
import * as EmbeddedCluster from "./cluster/EmbeddedCluster.ts"
import * as Controllers from "./controllers/Controllers.ts"
import * as Upkeep from "./controllers/Upkeep.ts"
import * as RealControlPlane from "./RealControlPlane.ts"

export interface ControlPlane {
  /** What it is, for people. */
  readonly description: string
  /** Whether something binds pods to nodes. */
  readonly hasScheduler: boolean
  /** An administrator's kubeconfig, and the file it stands in. */
  readonly kubeconfig: string
  readonly kubeconfigFile: string
  readonly client: Layer.Layer<KubeClient>
}

/** Writes the kubeconfig into a folder that goes with the scope. */
const writeKubeconfig = Effect.fnUntraced(function*(text: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = path.join(yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-cluster-" }), "kubeconfig")
  yield* fs.writeFileString(file, text, { mode: 0o600 })
  return file
})

const clientOf = (server: string, token: Redacted.Redacted, ca?: string) =>
  KubeClient.layerFrom({
    server,
    headers: { authorization: `Bearer ${Redacted.value(token)}` },
    ...(ca === undefined ? {} : { ca })
  })

const runControllers = (client: Layer.Layer<KubeClient>) =>
  Layer.build(Layer.effectDiscard(Controllers.make()).pipe(Layer.provide(client)))

/** etcd and kube-apiserver out of `assets`; what that folder lacks of controllers is ours. */
export const real = Effect.fnUntraced(function*(options: RealControlPlane.RealControlPlaneOptions) {
  const cluster = yield* RealControlPlane.make(options)
  const client = clientOf(cluster.url, cluster.adminToken, cluster.ca)
  if (!cluster.hasControllerManager) {
    yield* runControllers(client)
    // ServiceAccounts, garbage and namespaces: the embedded server sees to them itself.
    yield* Layer.build(Layer.effectDiscard(Upkeep.make()).pipe(Layer.provide(client)))
  }
  const kubeconfig = cluster.kubeconfig()
  const parts = [
    "etcd and kube-apiserver",
    ...(cluster.hasControllerManager ? ["kube-controller-manager"] : ["small controllers of our own"]),
    ...(cluster.hasScheduler ? ["kube-scheduler"] : [])
  ]
  const controlPlane: ControlPlane = {
    description: `a real Kubernetes control plane at ${cluster.url}: ${parts.join(", ")}`,
    hasScheduler: cluster.hasScheduler,
    kubeconfig,
    kubeconfigFile: yield* writeKubeconfig(kubeconfig),
    client
  }
  return { ...controlPlane, cluster }
})

/** The embedded API server with our small controllers; nothing but this process. */
export const embedded = Effect.fnUntraced(function*(options: EmbeddedCluster.EmbeddedClusterOptions = {}) {
  const cluster = yield* EmbeddedCluster.make(options)
  const kubeconfig = cluster.kubeconfig()
  const client = clientOf(cluster.url, cluster.adminToken)
  yield* runControllers(client)
  const controlPlane: ControlPlane = {
    description: `an embedded Kubernetes API at ${cluster.url}`,
    hasScheduler: false,
    kubeconfig,
    kubeconfigFile: yield* writeKubeconfig(kubeconfig),
    client
  }
  return { ...controlPlane, cluster }
})
