// Snapshot: the cluster as a store that is filled once: for commands that look and go.
import { Effect, Result } from "effect"
import { KubeClient } from "../kube/KubeClient.ts"
import { isReason } from "../kube/KubeError.ts"
import { listPages } from "../kube/watch/ListPages.ts"
import { Workloads } from "../store/WorkloadStore.ts"
import { kindOf, objectPath, type WorkloadKind } from "../workload/Kinds.ts"
import { newestPods } from "../workload/Rollout.ts"
import type { Workload } from "../workload/Workload.ts"
import { resources } from "./Watches.ts"

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
