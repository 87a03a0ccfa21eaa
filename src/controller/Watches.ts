// Watches: the resources that are watched, what is kept of each, and whose plan a change of them concerns.
import { Effect, Stream } from "effect"
import type { ListedResource } from "../kube/watch/ListPages.ts"
import { keepOf } from "../kube/watch/Resource.ts"
import { type Change, type Resource, watch } from "../kube/watch/Watcher.ts"
import { WatchStates } from "../kube/watch/WatchStates.ts"
import { Priority } from "../queue/WorkQueue.ts"
import { type Kept, type Workloads, WorkloadStore } from "../store/WorkloadStore.ts"
import { collectionPath, type Kind, kindName, kinds, watchName } from "../workload/Kinds.ts"
import type { PodObject } from "../workload/ApiObjects.ts"
import { projectTemplated, readTemplated, type WireTemplated } from "../workload/Project.ts"
import { projectExtra } from "../workload/ProjectExtra.ts"
import { projectPod, readPod } from "../workload/ProjectPod.ts"
import { projectAccount, projectBudget, projectNamespace, projectNode } from "../workload/ProjectSurroundings.ts"
import { wireAccount, wireBudget, wireNamespace, wireNode, wireObjects } from "../workload/WireObjects.ts"
import { nameKey, type Pod, type Workload, workloadKey } from "../workload/Workload.ts"
import { offerAll, WorkloadQueue } from "./Queues.ts"

interface Watched<A> {
  readonly resource: Resource<A>
  readonly kept: keyof Kept
  /** Beginning of the keys that this resource owns in its part of the store. */
  readonly prefix: string
  readonly put: (store: Workloads, item: A) => ReadonlyArray<string>
  /** Something else tells where it cannot be seen, so that nobody need be told. */
  readonly optional?: true
}

const watchedKind = (kind: Kind, of: Pick<Resource<Workload>, "project" | "wire">): Watched<Workload> => ({
  resource: {
    name: watchName(kind),
    path: collectionPath(kind),
    ...of,
    key: ({ name, namespace }) => workloadKey(kindName(kind), namespace, name),
    keyOf: (it) => it.key
  },
  kept: "workload",
  prefix: `${kindName(kind)}/`,
  put: (store, item) => store.putWorkload(item)
})

const templated: ReadonlyArray<Watched<Workload>> = kinds.filter((it) => it.kind !== "Pod").map((kind) =>
  watchedKind(kind, {
    project: projectTemplated(kind),
    // the table has the Schema's fields and no others (WireObjects.test.ts)
    wire: { message: wireObjects[kind.kind], project: (object) => readTemplated(kind)(object as WireTemplated) }
  })
)

/** Of a kind of EXTRA_KINDS, which no API server has in Protocol Buffers. */
const watchedExtra = (kind: Kind): Watched<Workload> => watchedKind(kind, { project: projectExtra(kind) })

const pods: Watched<Pod> = {
  resource: {
    name: "pods",
    path: "/api/v1/pods",
    // finished pods run nothing; their images are known from what made them
    query: { fieldSelector: "status.phase!=Succeeded,status.phase!=Failed" },
    project: projectPod,
    // as above
    wire: { message: wireObjects.Pod, project: (object) => readPod(object as typeof PodObject.Type) },
    key: ({ name, namespace }) => workloadKey("Pod", namespace, name),
    keyOf: (it) => it.workload.key
  },
  kept: "pod",
  prefix: "",
  put: (store, item) => store.putPod(item)
}

const namespaces: Watched<{ readonly name: string } & Kept["namespace"]> = {
  resource: {
    name: "namespaces",
    path: "/api/v1/namespaces",
    project: projectNamespace,
    wire: { message: wireNamespace, project: projectNamespace },
    key: (it) => it.name
  },
  kept: "namespace",
  prefix: "",
  put: (store, item) => store.putNamespace(item)
}

const nodes: Watched<Kept["node"]> = {
  resource: {
    name: "nodes",
    path: "/api/v1/nodes",
    project: projectNode,
    wire: { message: wireNode, project: projectNode },
    key: (it) => it.name
  },
  kept: "node",
  prefix: "",
  put: (store, item) => store.putNode(item)
}

const accounts: Watched<Kept["account"]> = {
  resource: {
    name: "serviceaccounts",
    path: "/api/v1/serviceaccounts",
    project: projectAccount,
    wire: { message: wireAccount, project: projectAccount },
    key: ({ name, namespace }) => nameKey(namespace, name)
  },
  kept: "account",
  prefix: "",
  put: (store, item) => store.putAccount(item),
  // pods that were made for an account tell its secrets
  optional: true
}

const budgets: Watched<Kept["budget"]> = {
  resource: {
    name: "poddisruptionbudgets",
    path: "/apis/policy/v1/poddisruptionbudgets",
    project: projectBudget,
    wire: { message: wireBudget, project: projectBudget },
    key: ({ name, namespace }) => nameKey(namespace, name)
  },
  kept: "budget",
  prefix: "",
  put: (store, item) => store.putBudget(item),
  // whoever takes the right away has rollouts that no budget holds
  optional: true
}

const apply = <A>(watched: Watched<A>, store: Workloads, change: Change<A>): ReadonlyArray<string> => {
  switch (change._tag) {
    case "Applied":
      return watched.put(store, change.item)
    case "Deleted":
      return store.remove(watched.kept, change.key)
    case "Synced": {
      const gone = store.held(watched.kept, watched.prefix).filter((key) => !change.items.has(key))
      const keys = [
        ...gone.flatMap((key) => store.remove(watched.kept, key)),
        ...[...change.items.values()].flatMap((item) => watched.put(store, item))
      ]
      store.markSynced(watched.resource.name)
      return keys
    }
  }
}

/** A resource whose items' type is its own business. */
export interface AnyResource {
  readonly resource: ListedResource & { readonly name: string }
  readonly take: (store: Workloads, object: unknown) => void
  readonly optional: boolean
}

const anyResource = <A>(watched: Watched<A>): AnyResource => ({
  resource: watched.resource,
  optional: watched.optional ?? false,
  take: (store, object) => {
    const item = keepOf(watched.resource)(object)
    if (item !== undefined) watched.put(store, item)
  }
})

/** Every watched resource, for a look without a watch. */
export const resources: ReadonlyArray<AnyResource> = [
  anyResource(namespaces),
  anyResource(nodes),
  anyResource(accounts),
  anyResource(budgets),
  ...templated.map((it) => anyResource(it)),
  anyResource(pods)
]

/** The same of a kind of EXTRA_KINDS. */
export const extraResource = (kind: Kind): AnyResource => anyResource(watchedExtra(kind))

const follow = Effect.fnUntraced(function*<A>(watched: Watched<A>) {
  const store = yield* WorkloadStore
  const queue = yield* WorkloadQueue
  yield* watch(watched.resource).pipe(
    Stream.runForEach((change) =>
      Effect.suspend(() =>
        offerAll(queue, apply(watched, store, change), change._tag === "Synced" ? Priority.initial : Priority.live)
      )
    )
  )
  return yield* Effect.never
})

/** The watch of a kind of EXTRA_KINDS; it never ends. */
export const followKind = (kind: Kind) => follow(watchedExtra(kind))

/** Every watch by the name of its resource; none of them ends. */
export const watches = [
  [namespaces.resource.name, follow(namespaces)] as const,
  [nodes.resource.name, follow(nodes)] as const,
  [accounts.resource.name, follow(accounts)] as const,
  [budgets.resource.name, follow(budgets)] as const,
  ...templated.map((it) => [it.resource.name, follow(it)] as const),
  [pods.resource.name, follow(pods)] as const
]

/** Waits until every resource has been taken into the store, or is forbidden or absent; answers the latter. */
export const synced = Effect.gen(function*() {
  const states = yield* WatchStates
  // a watch says so when its list has been taken, which is in the store then
  return yield* states.settled(watches.map(([name]) => name))
})
