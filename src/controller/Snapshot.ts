// Snapshot: the cluster, or a file of manifests, as a store that is filled once: for commands that look and go.
import { Data, Effect, Result } from "effect"
import { KubeClient } from "../kube/KubeClient.ts"
import { isReason } from "../kube/KubeError.ts"
import { listPages } from "../kube/watch/ListPages.ts"
import { Workloads } from "../store/WorkloadStore.ts"
import { isWorkloadKind, kindOf, objectPath, type WorkloadKind } from "../workload/Kinds.ts"
import { projectManifest } from "../workload/ProjectManifest.ts"
import { projectPod } from "../workload/ProjectPod.ts"
import { projectNamespace } from "../workload/ProjectSurroundings.ts"
import { newestPods } from "../workload/Rollout.ts"
import type { Workload } from "../workload/Workload.ts"
import { resources } from "./Watches.ts"

/** A text of manifests that cannot be read; the user must mend it. */
export class BadManifests
  extends Data.TaggedError("BadManifests")<{ readonly file: string; readonly problem: string }>
{
  override get message() {
    return `${this.file} cannot be read as Kubernetes manifests: ${this.problem}`
  }
}

const inNamespace = (path: string, namespace: string): string =>
  path.replace(/\/([^/]+)$/, `/namespaces/${encodeURIComponent(namespace)}/$1`)

/** Of which paths a resource is listed: nodes always all, and a namespace by its own name. */
const pathsOf = (name: string, path: string, namespaces: ReadonlyArray<string> | undefined): ReadonlyArray<string> => {
  if (namespaces === undefined || name === "nodes") return [path]
  return namespaces.map((it) => name === "namespaces" ? `${path}/${encodeURIComponent(it)}` : inNamespace(path, it))
}

/** Puts what is at a path into a store: a list, or a single object. */
const take = (store: Workloads, watched: (typeof resources)[number], path: string, single = false) =>
  single
    ? Effect.flatMap(KubeClient, (client) =>
      Effect.map(client.request({ method: "GET", path }), (object) => watched.take(store, object)))
    // a second look, when the server's list expired on the way, overwrites the first
    : listPages({
      path,
      query: watched.resource.query ?? {},
      from: "",
      each: (object) =>
        watched.take(store, object),
      restart: () => {}
    })

/**
 * Lists everything that is watched, of the whole cluster or of some namespaces; what is forbidden or absent is answered by name
 * and left out.
 */
export const fromCluster = Effect.fnUntraced(function*(namespaces?: ReadonlyArray<string>) {
  const store = new Workloads()
  const refused: Array<string> = []
  for (const watched of resources) {
    const { name, path } = watched.resource
    const single = namespaces !== undefined && name === "namespaces"
    yield* Effect.forEach(pathsOf(name, path, namespaces), (it) => take(store, watched, it, single)).pipe(
      Effect.tap(() => Effect.sync(() => store.markSynced(name))),
      Effect.catchIf(
        isReason("Forbidden", "NotFound"),
        () => Effect.sync(() => void (watched.optional || refused.push(name)))
      )
    )
  }
  return { store, refused }
})

/** What stands between a workload and its pods. */
const between: Partial<Record<WorkloadKind, string>> = { Deployment: "replicasets", CronJob: "jobs" }

/** One workload and its pods as they are at this moment; undefined where it is gone, or another one of that name is there. */
export const sightOf = Effect.fnUntraced(function*({ key, kind, name, namespace, uid }: Workload) {
  const store = new Workloads()
  const of = kindOf(kind)
  for (const watched of resources) {
    const { name: resource, path } = watched.resource
    if (resource === of.resource) {
      const here = yield* Effect.result(take(store, watched, objectPath(of, namespace, name), true))
      if (Result.isFailure(here)) return here.failure.reason === "NotFound" ? undefined : yield* here.failure
    } else if (resource === "pods" || resource === between[kind]) {
      yield* take(store, watched, inNamespace(path, namespace))
    }
  }
  const workload = store.get(key)
  if (workload?.uid !== uid) return undefined
  const pods = store.podsOf(workload)
  return { workload, pods, newestPods: newestPods(workload, store.controlledBy(workload), pods) }
})

const itemsOf = (object: unknown): ReadonlyArray<unknown> => {
  if (typeof object !== "object" || object === null) return []
  return "items" in object && Array.isArray(object.items) ? object.items.flatMap(itemsOf) : [object]
}

const kindNameOf = (object: unknown): string =>
  typeof object === "object" && object !== null && "kind" in object && typeof object.kind === "string"
    ? object.kind
    : ""

/** Puts the workloads of a YAML or JSON text, Lists included, into a store. Other kinds pass by. */
export const fromManifests = Effect.fnUntraced(
  function*(file: string, text: string): Effect.fn.Return<Workloads, BadManifests> {
    const store = new Workloads()
    // loaded when it is needed: the daemon never reads a manifest
    const { parseAllDocuments } = yield* Effect.promise(() => import("yaml"))
    const documents = parseAllDocuments(text)
    if (!Array.isArray(documents)) return store
    for (const document of documents) {
      const [error] = document.errors
      if (error !== undefined) return yield* new BadManifests({ file, problem: error.message })
      for (const object of itemsOf(document.toJS())) {
        const kind = kindNameOf(object)
        const namespace = kind === "Namespace" ? projectNamespace(object) : undefined
        if (namespace !== undefined) store.putNamespace(namespace)
        const pod = kind === "Pod" ? projectPod(object) : undefined
        if (pod !== undefined) store.putPod(pod)
        const workload = isWorkloadKind(kind) && kind !== "Pod" ? projectManifest(kind, object) : undefined
        if (workload !== undefined) store.putWorkload(workload)
      }
    }
    return store
  }
)
