// What an API server has of one resource, kept current by a watch and by the caller's own writes.
// A write's answer goes in at once, so that whoever decides by the cache never does the same thing twice.
import { Context, Effect, Metric, Stream } from "effect"
import type { Scope } from "effect"
import type { KubeClient } from "../../src/kube/KubeClient.ts"
import * as Watcher from "../../src/kube/watch/Watcher.ts"
import { States, WatchStates } from "../../src/kube/watch/WatchStates.ts"
import type { Resource } from "../cluster/Resources.ts"
import * as Resources from "../cluster/Resources.ts"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"

export interface Cache {
  readonly resource: Resource
  readonly get: (namespace: string, name: string) => JsonObject | undefined
  readonly all: () => Iterable<JsonObject>
  /** What has this controlling owner. */
  readonly ownedBy: (uid: string) => ReadonlyArray<JsonObject>
  /** A write's answer; older than what is there already it changes nothing. */
  readonly store: (object: JsonObject) => void
  /** True once all there is has been seen. */
  readonly synced: () => boolean
}

/** An object before and after; undefined before it came and after it went. */
export type Listener = (after: JsonObject | undefined, before: JsonObject | undefined) => void

export const keyOf = (object: JsonObject): string =>
  `${J.text(object, "metadata", "namespace") ?? ""}/${J.text(object, "metadata", "name") ?? ""}`
export const uidOf = (object: JsonObject): string => J.text(object, "metadata", "uid") ?? ""

/** Uid of the owner that controls the object. */
export const controllerOf = (object: JsonObject): JsonObject | undefined => {
  const found = J.list(object, "metadata", "ownerReferences").find((it) => J.at(it, "controller") === true)
  return J.isObject(found) ? found : undefined
}

const version = (object: JsonObject): bigint => {
  const text = J.text(object, "metadata", "resourceVersion") ?? ""
  return /^[0-9]+$/.test(text) ? BigInt(text) : 0n
}

/** The sandbox's own watches: not in the health and the metrics of the program that runs in the same process. */
const aside = Context.make(WatchStates, new States()).pipe(Context.add(Metric.MetricRegistry, new Map()))

/** Follows the resource until the scope closes. `name` tells watches of the same resource apart. */
export const make = Effect.fnUntraced(function*(
  name: string,
  resource: Resource,
  listener: Listener
): Effect.fn.Return<Cache, never, KubeClient | Scope.Scope> {
  const items = new Map<string, JsonObject>()
  const owned = new Map<string, Map<string, JsonObject>>()
  // Keys that a deletion took away: the late answer of a write must not bring them back.
  const gone = new Set<string>()
  let synced = false

  const index = (object: JsonObject, present: boolean) => {
    const owner = J.text(controllerOf(object), "uid")
    if (owner === undefined) return
    const set = owned.get(owner) ?? new Map<string, JsonObject>()
    if (present) set.set(keyOf(object), object)
    else set.delete(keyOf(object))
    if (set.size === 0) owned.delete(owner)
    else owned.set(owner, set)
  }
  const set = (key: string, after: JsonObject | undefined) => {
    const before = items.get(key)
    if (before !== undefined) index(before, false)
    if (after === undefined) items.delete(key)
    else {
      items.set(key, after)
      index(after, true)
    }
    if (before !== after) listener(after, before)
  }
  const store = (object: JsonObject) => {
    const key = keyOf(object)
    const known = items.get(key)
    if (known !== undefined && version(known) >= version(object)) return
    if (gone.has(uidOf(object))) return
    set(key, object)
  }

  yield* Watcher.watch<JsonObject>({
    name,
    path: Resources.pathOf(resource),
    project: (object) => J.isObject(object) ? object : undefined,
    key: (meta) => `${meta.namespace}/${meta.name}`
  }).pipe(
    Stream.runForEach((change) =>
      Effect.sync(() => {
        if (change._tag === "Applied") store(change.item)
        else if (change._tag === "Deleted") {
          const last = items.get(change.key)
          if (last !== undefined) gone.add(uidOf(last))
          if (gone.size > 10_000) gone.clear()
          set(change.key, undefined)
        } else {
          synced = true
          const lost = Array.from(items.keys()).filter((key) => !change.items.has(key))
          for (const key of lost) set(key, undefined)
          for (const object of change.items.values()) store(object)
        }
      })
    ),
    Effect.provideContext(Context.merge(yield* Effect.context<KubeClient>(), aside)),
    Effect.forkScoped
  )

  return {
    resource,
    get: (namespace, named) => items.get(`${namespace}/${named}`),
    all: () => items.values(),
    ownedBy: (uid) => [...owned.get(uid)?.values() ?? []],
    store,
    synced: () => synced
  }
})
