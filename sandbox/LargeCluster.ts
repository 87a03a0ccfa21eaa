// LargeCluster: the objects of a large cluster without what runs it: Deployments with their ReplicaSets and pods, as the controllers
// of an API server make them, with the managedFields that real ones have. Edge: no controller may run, or it makes them once more.
import { Effect } from "effect"
import { KubeClient } from "../src/kube/KubeClient.ts"

export interface LargeCluster {
  readonly workloads: number
  /** Scaled-down ReplicaSets of a Deployment. */
  readonly old: number
  /** Of the newest ReplicaSet of each. */
  readonly pods: number
  readonly images: number
  /** What the names of its images begin with; Docker Hub's where this is not given. */
  readonly from?: string
}

/** Namespaces, called team-0 and so on. */
const namespaces = 50

const template = (name: string, image: string) => ({
  metadata: { labels: { app: name } },
  spec: {
    containers: [{
      name: "app",
      image,
      env: Array.from({ length: 10 }, (_, at) => ({ name: `SETTING_${at}`, value: `value ${at} of ${name}` })),
      resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "64Mi" } },
      readinessProbe: { httpGet: { path: "/", port: 80 } }
    }]
  }
})

const ownedBy = (kind: string, name: string, uid: string) => [{
  apiVersion: "apps/v1",
  kind,
  name,
  uid,
  controller: true
}]

const uidOf = (object: unknown): string => {
  // what an API server answers to a POST has one
  const { metadata } = object as { readonly metadata: { readonly uid: string } }
  return metadata.uid
}

/** Puts them into the cluster. */
export const fill = Effect.fnUntraced(
  function*({ from = "docker.io/library", images, old, pods, workloads }: LargeCluster) {
    const client = yield* KubeClient
    const post = (path: string, body: unknown, manager: string) =>
      client.request({ method: "POST", path, body, query: { fieldManager: manager } })
    for (let at = 0; at < namespaces; at++) {
      yield* post("/api/v1/namespaces", { metadata: { name: `team-${at}` } }, "kubectl")
      // nobody else makes it here
      yield* post(`/api/v1/namespaces/team-${at}/serviceaccounts`, { metadata: { name: "default" } }, "kubectl")
    }
    yield* Effect.forEach(Array.from({ length: workloads }, (_, at) => at), (at) =>
      Effect.gen(function*() {
        const namespace = `team-${at % namespaces}`
        const name = `web-${at}`
        const pod = template(name, `${from}/app-${at % images}:1`)
        const selector = { matchLabels: { app: name } }
        const apps = `/apis/apps/v1/namespaces/${namespace}`
        const spec = { replicas: 1, selector, template: pod }
        const deployment = uidOf(yield* post(`${apps}/deployments`, { metadata: { name }, spec }, "helm"))
        for (let generation = 0; generation <= old; generation++) {
          const set = `${name}-${generation}`
          const body = {
            metadata: { name: set, ownerReferences: ownedBy("Deployment", name, deployment) },
            spec: { ...spec, replicas: generation === old ? 1 : 0 }
          }
          const uid = uidOf(yield* post(`${apps}/replicasets`, body, "kube-controller-manager"))
          if (generation < old) continue
          const metadata = { labels: { app: name }, ownerReferences: ownedBy("ReplicaSet", set, uid) }
          const running = { ...pod.spec, nodeName: `node-${at % 100}`, automountServiceAccountToken: false }
          const path = `/api/v1/namespaces/${namespace}/pods`
          for (let index = 0; index < pods; index++) {
            const named = { ...metadata, name: `${set}-${index}` }
            yield* post(path, { metadata: named, spec: running }, "kube-controller-manager")
          }
        }
      }), { concurrency: 24, discard: true })
  }
)
