// Snapshot: the cluster, or a file of manifests, as a store that is filled once: for commands that look and go.
import { Data, Effect } from "effect"
import { listPages } from "../kube/ListPages.ts"
import { Workloads } from "../store/WorkloadStore.ts"
import { isWorkloadKind } from "../workload/Kinds.ts"
import { projectManifest, projectNamespace, projectPod } from "../workload/Project.ts"
import { resources } from "./Watches.ts"

/** A text of manifests that cannot be read; the user must mend it. */
export class BadManifests
  extends Data.TaggedError("BadManifests")<{ readonly file: string; readonly problem: string }>
{
  override get message() {
    return `${this.file} cannot be read as Kubernetes manifests: ${this.problem}`
  }
}

/** Lists everything that is watched; what is forbidden or absent is answered by name and left out. */
export const fromCluster = Effect.gen(function*() {
  const store = new Workloads()
  const refused: Array<string> = []
  for (const watched of resources) {
    const { name, path, query } = watched.resource
    // a second look, when the server's list expired on the way, overwrites the first
    yield* listPages({
      path,
      query: query ?? {},
      from: "",
      each: (object) => watched.take(store, object),
      restart: () => {}
    }).pipe(
      Effect.tap(() => Effect.sync(() => store.markSynced(name))),
      Effect.catchTag("KubeError", (error) =>
        error.reason === "Forbidden" || error.reason === "NotFound"
          ? Effect.sync(() => void (watched.optional || refused.push(name)))
          : Effect.fail(error))
    )
  }
  return { store, refused }
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
export const fromManifests = (file: string, text: string): Effect.Effect<Workloads, BadManifests> =>
  Effect.gen(function*() {
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
  })
