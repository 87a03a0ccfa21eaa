// Snapshot: the cluster as a store that is filled once: for commands that look and go.
import { Effect, Result } from "effect"
import { KubeClient } from "../kube/KubeClient.ts"
import { isReason, type KubeError } from "../kube/KubeError.ts"
import { listPages } from "../kube/watch/ListPages.ts"
import { Workloads } from "../store/WorkloadStore.ts"
import { type ExtraKind, extraName } from "../settings/Settings.ts"
import { type Kind, kindOfObject, objectPath, watchName } from "../workload/Kinds.ts"
import { newestPods } from "../workload/Rollout.ts"
import type { Workload } from "../workload/Workload.ts"
import { discoverKind } from "./extra/DiscoverKind.ts"
import { type AnyResource, extraResource, resources } from "./Watches.ts"

const inNamespace = (path: string, namespace: string): string =>
  path.replace(/\/([^/]+)$/, `/namespaces/${encodeURIComponent(namespace)}/$1`)

/** Of which paths a resource is listed: nodes always all, and a namespace by its own name. */
const pathsOf = (name: string, path: string, namespaces: ReadonlyArray<string> | undefined): ReadonlyArray<string> => {
  if (namespaces === undefined || name === "nodes") return [path]
  return namespaces.map((it) => name === "namespaces" ? `${path}/${encodeURIComponent(it)}` : inNamespace(path, it))
}

/** Puts what is at a path into a store: a list, or a single object. */
const take = (store: Workloads, watched: AnyResource, path: string, single = false) =>
  single
    ? Effect.flatMap(KubeClient, (client) =>
      Effect.map(client.request({ method: "GET", path }), (object) => watched.take(store, object)))
    // a second look, when the server's list expired on the way, overwrites the first
    : listPages({
      resource: { ...watched.resource, path },
      from: "",
      each: (object) =>
        watched.take(store, object),
      restart: () => {}
    })

/** A kind of EXTRA_KINDS may be served by somebody who is down: what else there is can be seen all the same. */
const unseen = (name: string, { reason, status }: KubeError): string =>
  reason === "Forbidden" ? name : `${name} (${status ?? reason})`

/** The kinds of EXTRA_KINDS that the API server has, and what it says of the others, by name. */
const extraResources = Effect.fnUntraced(function*(extras: ReadonlyArray<ExtraKind>) {
  const found: Array<AnyResource> = []
  const refused: Array<string> = []
  const absent: Array<string> = []
  for (const of of extras) {
    yield* discoverKind(of).pipe(
      Effect.map((kind) => void found.push(extraResource(kind))),
      Effect.catchTag("KindMissing", ({ message }) => Effect.sync(() => void absent.push(message))),
      Effect.catchTag("KubeError", (error) => Effect.sync(() => void refused.push(unseen(extraName(of), error))))
    )
  }
  return { found, refused, absent }
})

/**
 * Lists everything that is watched, of the whole cluster or of some namespaces; what is forbidden or absent is answered by name
 * and left out.
 * @param extras EXTRA_KINDS; of those that are not installed is told why, in `absent`
 */
export const fromCluster = Effect.fnUntraced(
  function*(namespaces?: ReadonlyArray<string>, extras: ReadonlyArray<ExtraKind> = []) {
    const store = new Workloads()
    const { absent, found, refused } = yield* extraResources(extras)
    const list = (watched: AnyResource) => {
      const { name, path } = watched.resource
      const single = namespaces !== undefined && name === "namespaces"
      return Effect.forEach(pathsOf(name, path, namespaces), (it) => take(store, watched, it, single)).pipe(
        Effect.tap(() => Effect.sync(() => store.markSynced(name)))
      )
    }
    for (const watched of resources) {
      yield* Effect.catchIf(
        list(watched),
        isReason("Forbidden", "NotFound"),
        () => Effect.sync(() => void (watched.optional || refused.push(watched.resource.name)))
      )
    }
    for (const watched of found) {
      yield* Effect.catchTag(
        list(watched),
        "KubeError",
        (error) => Effect.sync(() => void refused.push(unseen(watched.resource.name, error)))
      )
    }
    return { store, refused, absent }
  }
)

/** What stands between a workload and its pods. */
const between: Partial<Record<Kind["kind"], string>> = {
  Deployment: "replicasets",
  CronJob: "jobs",
  Extra: "replicasets"
}

/** One workload and its pods as they are at this moment; undefined where it is gone, or another one of that name is there. */
export const sightOf = Effect.fnUntraced(function*(of: Workload) {
  const { key, name, namespace, uid } = of
  const store = new Workloads()
  const kind = kindOfObject(of)
  for (const watched of kind.extra === undefined ? resources : [...resources, extraResource(kind)]) {
    const { name: resource, path } = watched.resource
    if (resource === watchName(kind)) {
      const here = yield* Effect.result(take(store, watched, objectPath(kind, namespace, name), true))
      if (Result.isFailure(here)) return here.failure.reason === "NotFound" ? undefined : yield* here.failure
    } else if (resource === "pods" || resource === between[kind.kind]) {
      yield* take(store, watched, inNamespace(path, namespace))
    }
  }
  const workload = store.get(key)
  if (workload?.uid !== uid) return undefined
  const pods = store.podsOf(workload)
  return { workload, pods, newestPods: newestPods(workload, store.controlledBy(workload), pods) }
})
