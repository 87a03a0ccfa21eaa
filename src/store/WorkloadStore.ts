// WorkloadStore: what the cluster wants and runs, as the watcher's projections. Fed by the watches, read by everybody.
// Rebuilt from the cluster at every start; the keys that a change concerns are what its writers get back.
import { Context, Effect, Layer } from "effect"
import { isDeepStrictEqual } from "node:util"
import {
  type Account,
  type Budget,
  nameKey,
  type Namespace,
  type Node,
  type Pod,
  type Workload
} from "../workload/Workload.ts"
import { withPullWords } from "../workload/PullWords.ts"
import { ByNamespace } from "./ByNamespace.ts"
import { Owned } from "./Owned.ts"

/** A kind of watched object and what is kept of it. */
export interface Kept {
  readonly workload: Workload
  readonly pod: Pod
  readonly namespace: Namespace
  readonly node: Node
  readonly account: Account
  readonly budget: Budget
}

const maxOwners = 5
/** Shared, because most objects control nothing. */
const none: ReadonlyArray<string> = []

/** The store itself: plain maps with indexes; no effects, because nothing here can fail or wait. */
export class Workloads {
  readonly #workloads = new Map<string, Workload>()
  readonly #pods = new Map<string, Pod>()
  readonly #namespaces = new Map<string, Namespace>()
  readonly #nodes = new Map<string, Node>()
  readonly #accounts = new Map<string, Account>()
  readonly #budgets = new Map<string, Budget>()
  // owners are in the namespace of what they own (metav1.OwnerReference): whoever names a uid of another one means nothing by it,
  // nor does an object without a uid, as manifests have none
  readonly #byUid = new ByNamespace<string>()
  readonly #owned = new Owned()
  readonly #synced = new Set<string>()

  get(key: string): Workload | undefined {
    return this.#workloads.get(key) ?? this.#pods.get(key)?.workload
  }

  /** A pod by its key as a workload. */
  pod(key: string): Pod | undefined {
    return this.#pods.get(key)
  }

  namespace(name: string): Namespace | undefined {
    return this.#namespaces.get(name)
  }

  /** A ServiceAccount by its namespace and name. */
  account(namespace: string, name: string): Account | undefined {
    return this.#accounts.get(nameKey(namespace, name))
  }

  /** PodDisruptionBudgets of a namespace. */
  budgetsIn(namespace: string): ReadonlyArray<Budget> {
    return [...this.#budgets.values()].filter((it) => it.namespace === namespace)
  }

  nodeReady(name: string): boolean {
    // a node that cannot be read counts as ready, so that its pods count
    return this.#nodes.get(name)?.ready ?? true
  }

  /** Whether all nodes have been seen, and this is none of them. */
  nodeGone(name: string): boolean {
    return this.#synced.has("nodes") && !this.#nodes.has(name)
  }

  /** Whether a container of a pod that is no static one runs on the node. */
  nodeHasPulled(name: string): boolean {
    for (const { containers, node, workload } of this.#pods.values()) {
      if (node === name && !workload.mirror && containers.some((it) => it.running)) return true
    }
    return false
  }

  get all(): ReadonlyArray<Workload> {
    return [...this.#workloads.values(), ...[...this.#pods.values()].map((it) => it.workload)]
  }

  get pods(): IterableIterator<Pod> {
    return this.#pods.values()
  }

  /** Controlling owners, nearest first. */
  ownersOf(workload: Workload): ReadonlyArray<Workload> {
    const owners: Array<Workload> = []
    let owner = workload.owner
    while (owner !== undefined && owners.length < maxOwners) {
      const found = this.get(this.#byUid.get(workload.namespace, owner.uid) ?? "")
      if (found === undefined || owners.includes(found)) break
      owners.push(found)
      owner = found.owner
    }
    return owners
  }

  /** Pods that the workload controls, directly or through objects it controls. */
  podsOf(workload: Workload): ReadonlyArray<Pod> {
    const pods: Array<Pod> = []
    for (const key of this.#below(workload)) {
      const pod = this.#pods.get(key)
      if (pod !== undefined) pods.push(pod)
    }
    return pods
  }

  /** Objects other than pods that the workload controls itself. */
  controlledBy(workload: Workload): ReadonlyArray<Workload> {
    return this.#ownedBy(workload).flatMap((key) => this.#workloads.get(key) ?? [])
  }

  /** The object itself and what controls it: everything whose plan a change of it can alter. */
  concerned(workload: Workload): ReadonlyArray<string> {
    return [workload.key, ...this.ownersOf(workload).map((it) => it.key)]
  }

  /** Keys of a namespace, or of all of them. */
  keys(namespace?: string): ReadonlyArray<string> {
    return this.all.filter((it) => namespace === undefined || it.namespace === namespace).map((it) => it.key)
  }

  markSynced(resource: string): void {
    this.#synced.add(resource)
  }

  /** Whether it is filled from a cluster, and not from manifests. */
  get isOfCluster(): boolean {
    return this.#synced.size > 0
  }

  isSynced(resource: string): boolean {
    return this.#synced.has(resource)
  }

  /** Puts one item in; answers the keys it concerns, none when nothing that is kept has changed. */
  putWorkload(workload: Workload): ReadonlyArray<string> {
    const before = this.#workloads.get(workload.key)
    const keys = this.#put(this.#workloads, workload.key, workload, (it) => it)
    // what it controls inherits its opt-out
    return before?.marks.ignore === workload.marks.ignore ? keys : [...keys, ...this.#below(workload)]
  }

  putPod(pod: Pod): ReadonlyArray<string> {
    const { key } = pod.workload
    return this.#put(this.#pods, key, withPullWords(pod, this.#pods.get(key)), (it) => it.workload)
  }

  putNamespace(namespace: Namespace): ReadonlyArray<string> {
    if (isDeepStrictEqual(this.#namespaces.get(namespace.name), namespace)) return []
    this.#namespaces.set(namespace.name, namespace)
    return this.keys(namespace.name)
  }

  putAccount(account: Account): ReadonlyArray<string> {
    if (isDeepStrictEqual(this.#accounts.get(account.key), account)) return []
    this.#accounts.set(account.key, account)
    return this.keys(account.namespace)
  }

  putBudget(budget: Budget): ReadonlyArray<string> {
    if (isDeepStrictEqual(this.#budgets.get(budget.key), budget)) return []
    this.#budgets.set(budget.key, budget)
    return this.keys(budget.namespace)
  }

  putNode(node: Node): ReadonlyArray<string> {
    if (isDeepStrictEqual(this.#nodes.get(node.name), node)) return []
    this.#nodes.set(node.name, node)
    return this.#onNode(node.name)
  }

  /** Takes one item out; answers the keys that it concerned. */
  remove(kind: keyof Kept, key: string): ReadonlyArray<string> {
    if (kind === "namespace") return this.#namespaces.delete(key) ? this.keys(key) : []
    if (kind === "node") return this.#nodes.delete(key) ? this.#onNode(key) : []
    if (kind === "account") return this.#accounts.delete(key) ? this.keys(key.slice(0, key.indexOf("/"))) : []
    if (kind === "budget") return this.#budgets.delete(key) ? this.keys(key.slice(0, key.indexOf("/"))) : []
    const gone = this.get(key)
    if (gone === undefined) return []
    const keys = this.concerned(gone)
    this.#unindex(gone)
    this.#workloads.delete(key)
    this.#pods.delete(key)
    return keys
  }

  /** Keys of what is held of one kind of object, to find what a fresh list no longer has. */
  held(kind: keyof Kept, prefix: string): ReadonlyArray<string> {
    const map = {
      workload: this.#workloads,
      pod: this.#pods,
      namespace: this.#namespaces,
      node: this.#nodes,
      account: this.#accounts,
      budget: this.#budgets
    }[kind]
    return [...map.keys()].filter((it) => it.startsWith(prefix))
  }

  /** Keys of all that names the workload as its controller. */
  #ownedBy(workload: Workload): ReadonlyArray<string> {
    return [...this.#owned.of(workload.namespace, workload.uid)]
  }

  #onNode(name: string): ReadonlyArray<string> {
    return [...this.#pods.values()].filter((it) => it.node === name).flatMap((it) => this.concerned(it.workload))
  }

  /** Keys of all that the workload controls, each once: in manifests owners can go round in circles, and uids be there twice. */
  #below({ namespace, uid }: Workload): Iterable<string> {
    // most objects are pods and scaled-down ReplicaSets
    if (!this.#owned.hasAny(namespace, uid)) return none
    const below = new Set(this.#owned.of(namespace, uid))
    let depth = 1
    let last = below.size
    let count = 0
    // what is added on the way is come to as well, level by level
    for (const key of below) {
      if (count++ === last) {
        depth++
        last = below.size
      }
      if (depth > maxOwners) break
      const found = this.#workloads.get(key)
      if (found !== undefined) { for (const it of this.#owned.of(found.namespace, found.uid)) below.add(it) }
    }
    return below
  }

  #put<A>(map: Map<string, A>, key: string, item: A, workload: (item: A) => Workload): ReadonlyArray<string> {
    const before = map.get(key)
    if (isDeepStrictEqual(before, item)) return []
    if (before !== undefined) this.#unindex(workload(before))
    map.set(key, item)
    const after = workload(item)
    const { namespace, owner, uid } = after
    if (uid !== "") this.#byUid.set(namespace, uid, key)
    if (owner !== undefined && owner.uid !== "") this.#owned.add(namespace, owner.uid, key)
    return this.concerned(after)
  }

  #unindex({ key, namespace, owner, uid }: Workload): void {
    if (this.#byUid.get(namespace, uid) === key) this.#byUid.delete(namespace, uid)
    if (owner !== undefined) this.#owned.remove(namespace, owner.uid, key)
  }
}

export class WorkloadStore extends Context.Service<WorkloadStore, Workloads>()("image-cloner/store/WorkloadStore") {
  static readonly layer = Layer.effect(WorkloadStore, Effect.sync(() => new Workloads()))
}
