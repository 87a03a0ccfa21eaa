// The cluster's objects in memory: one revision counter for all, a ring of past changes, and who wants to hear of new
// ones. Objects are never changed after they are stored. Synchronous: whoever writes holds the server's write lock.
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"

export interface Change {
  readonly revision: number
  readonly storage: string
  readonly type: "ADDED" | "MODIFIED" | "DELETED"
  /** After the change; of a deletion the last state, with the deletion's revision. */
  readonly object: JsonObject
  /** Before the change; undefined for a creation. */
  readonly previous: JsonObject | undefined
}

export interface Stored {
  readonly storage: string
  readonly object: JsonObject
}

export interface Store {
  readonly revision: () => number
  readonly get: (storage: string, namespace: string, name: string) => JsonObject | undefined
  /** Sorted by namespace and name, as etcd's keys are. */
  readonly list: (storage: string, namespace?: string) => ReadonlyArray<JsonObject>
  /** The same as it was at a revision; undefined when history no longer reaches back so far. */
  readonly listAt: (storage: string, revision: number, namespace?: string) => ReadonlyArray<JsonObject> | undefined
  readonly all: () => ReadonlyArray<Stored>
  /** Stores with a new resourceVersion, which the object that is given back has. */
  readonly put: (storage: string, object: JsonObject) => JsonObject
  readonly remove: (storage: string, namespace: string, name: string) => JsonObject | undefined
  /** Changes after the revision; undefined when some of them are forgotten. */
  readonly since: (revision: number) => ReadonlyArray<Change> | undefined
  readonly subscribe: (listener: (change: Change) => void) => () => void
  /** Forgets all history up to now. */
  readonly compact: () => void
  readonly dependents: (ownerUid: string) => ReadonlyArray<Stored>
  readonly byUid: (uid: string) => Stored | undefined
}

export const nameOf = (object: JsonObject): string => J.text(object, "metadata", "name") ?? ""
export const namespaceOf = (object: JsonObject): string => J.text(object, "metadata", "namespace") ?? ""
export const uidOf = (object: JsonObject): string => J.text(object, "metadata", "uid") ?? ""
export const versionOf = (object: JsonObject): string => J.text(object, "metadata", "resourceVersion") ?? ""

/** What key an object has; "/" sorts before every letter of a name, so a namespace's objects stay together. */
const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`

const byKey = (one: JsonObject, other: JsonObject): number => {
  const [a, b] = [keyOf(namespaceOf(one), nameOf(one)), keyOf(namespaceOf(other), nameOf(other))]
  return a < b ? -1 : a > b ? 1 : 0
}

const withRevision = (object: JsonObject, revision: number): JsonObject => ({
  ...object,
  metadata: { ...J.object(object, "metadata"), resourceVersion: String(revision) }
})

const inNamespace = (objects: Iterable<JsonObject>, namespace: string | undefined) =>
  [...objects].filter((it) => namespace === undefined || namespaceOf(it) === namespace).toSorted(byKey)

export const make = (options: { readonly historySize: number }): Store => {
  const tables = new Map<string, Map<string, JsonObject>>()
  const byOwner = new Map<string, Set<string>>()
  const uids = new Map<string, Stored>()
  const listeners = new Set<(change: Change) => void>()
  let history: Array<Change> = []
  let revision = 1
  // Changes up to this revision are forgotten.
  let forgotten = 1

  const table = (storage: string): Map<string, JsonObject> => {
    const found = tables.get(storage) ?? new Map<string, JsonObject>()
    tables.set(storage, found)
    return found
  }

  const index = (storage: string, object: JsonObject, present: boolean) => {
    const uid = uidOf(object)
    if (present) uids.set(uid, { storage, object })
    else uids.delete(uid)
    for (const owner of J.list(object, "metadata", "ownerReferences")) {
      const ownerUid = J.text(owner, "uid") ?? ""
      const dependents = byOwner.get(ownerUid) ?? new Set<string>()
      if (present) dependents.add(uid)
      else dependents.delete(uid)
      if (dependents.size === 0) byOwner.delete(ownerUid)
      else byOwner.set(ownerUid, dependents)
    }
  }

  const record = (change: Change) => {
    history.push(change)
    // Twice the size before it is cut, so that a write costs no copy of the ring.
    if (history.length > options.historySize * 2) {
      history = history.slice(-options.historySize)
      forgotten = (history[0]?.revision ?? revision) - 1
    }
    for (const listener of listeners) listener(change)
  }

  return {
    revision: () => revision,
    get: (storage, namespace, name) => table(storage).get(keyOf(namespace, name)),
    list: (storage, namespace) => inNamespace(table(storage).values(), namespace),
    listAt: (storage, at, namespace) => {
      if (at < forgotten) return undefined
      const copy = new Map(table(storage))
      for (const change of history.toReversed()) {
        if (change.revision <= at) break
        if (change.storage !== storage) continue
        const key = keyOf(namespaceOf(change.object), nameOf(change.object))
        if (change.previous === undefined) copy.delete(key)
        else copy.set(key, change.previous)
      }
      return inNamespace(copy.values(), namespace)
    },
    all: () =>
      [...tables].flatMap(([storage, objects]) => [...objects.values()].map((object) => ({ storage, object }))),
    put: (storage, object) => {
      const key = keyOf(namespaceOf(object), nameOf(object))
      const previous = table(storage).get(key)
      revision++
      const stored = withRevision(object, revision)
      if (previous !== undefined) index(storage, previous, false)
      table(storage).set(key, stored)
      index(storage, stored, true)
      record({ revision, storage, type: previous === undefined ? "ADDED" : "MODIFIED", object: stored, previous })
      return stored
    },
    remove: (storage, namespace, name) => {
      const previous = table(storage).get(keyOf(namespace, name))
      if (previous === undefined) return undefined
      revision++
      const last = withRevision(previous, revision)
      table(storage).delete(keyOf(namespace, name))
      index(storage, previous, false)
      record({ revision, storage, type: "DELETED", object: last, previous })
      return last
    },
    since: (from) => from < forgotten ? undefined : history.filter((it) => it.revision > from),
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    compact: () => {
      history = []
      forgotten = revision
    },
    dependents: (ownerUid) => [...byOwner.get(ownerUid) ?? []].flatMap((uid) => uids.get(uid) ?? []),
    byUid: (uid) => uids.get(uid)
  }
}
