// Deleting: finalizers, graceful deletion of pods, what hangs on an owner, and the emptying of a namespace.
// Source: apiserver pkg/registry/rest/delete.go; kubernetes pkg/controller/{garbagecollector,namespace}.
// The garbage collector acts at once here, where a real cluster's takes a moment.
import { Effect } from "effect"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import type { Api, Target } from "./Api.ts"
import { metadata, timestamp } from "./Api.ts"
import type { ApiError } from "./ApiError.ts"
import * as ApiErrors from "./ApiError.ts"
import type { Resource } from "./Resources.ts"
import * as Resources from "./Resources.ts"
import * as Store from "./Store.ts"

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined
  readonly propagationPolicy?: string | undefined
  readonly uid?: string | undefined
  readonly resourceVersion?: string | undefined
}

const foreground = "foregroundDeletion"
const resourceOf = (storage: string): Resource | undefined => Resources.resources.find((it) => it.storage === storage)

const isTerminating = (object: JsonObject): boolean => J.text(object, "metadata", "deletionTimestamp") !== undefined

/** How long a pod may take: what was asked, else what it says; nothing when no kubelet could confirm it. */
const graceOf = (pod: JsonObject, options: DeleteOptions): number => {
  const phase = J.text(pod, "status", "phase")
  if ((J.text(pod, "spec", "nodeName") ?? "") === "" || phase === "Succeeded" || phase === "Failed") return 0
  return options.gracePeriodSeconds ?? J.number(pod, "spec", "terminationGracePeriodSeconds") ?? 30
}

const withMetadata = (object: JsonObject, changes: JsonObject): JsonObject => ({
  ...object,
  metadata: { ...metadata(object), ...changes }
})

/** For these the old API promised to leave dependents alone, unless it is asked otherwise. */
const defaultPolicy = (resource: Resource): string =>
  resource.kind === "ReplicationController" || resource.kind === "Job" ? "Orphan" : "Background"

/** What a removed owner leaves: dependents without another owner go, the others lose the reference. */
const collect = Effect.fnUntraced(
  function*(api: Api, ownerUid: string, orphan: boolean): Effect.fn.Return<void, ApiError> {
    for (const { object, storage } of api.store.dependents(ownerUid)) {
      const resource = resourceOf(storage)
      if (resource === undefined) continue
      const others = J.list(object, "metadata", "ownerReferences").filter((it) => J.text(it, "uid") !== ownerUid)
      const owned = others.some((it) => api.store.byUid(J.text(it, "uid") ?? "") !== undefined)
      if (orphan || owned) api.store.put(storage, withMetadata(object, { ownerReferences: others }))
      else yield* remove(api, resource, object, { propagationPolicy: "Background" })
    }
  }
)

/** A namespace on its way out goes when nothing is left in it; an owner that waits goes with its last dependent. */
const settle = Effect.fnUntraced(function*(api: Api, removed: JsonObject) {
  const namespace = Store.namespaceOf(removed)
  const holder = api.store.get("namespaces", "", namespace)
  if (holder !== undefined && isTerminating(holder)) {
    const left = api.store.all().some((it) => Store.namespaceOf(it.object) === namespace)
    if (!left) api.store.remove("namespaces", "", namespace)
  }
  for (const reference of J.list(removed, "metadata", "ownerReferences")) {
    const uid = J.text(reference, "uid") ?? ""
    const owner = api.store.byUid(uid)
    const waits = owner !== undefined && J.list(owner.object, "metadata", "finalizers").includes(foreground)
    if (!waits || api.store.dependents(uid).length > 0) continue
    yield* unfinalize(api, owner.storage, owner.object)
  }
})

const unfinalize = Effect.fnUntraced(function*(
  api: Api,
  storage: string,
  object: JsonObject
): Effect.fn.Return<void, ApiError> {
  const left = J.list(object, "metadata", "finalizers").filter((it) => it !== foreground)
  if (left.length === 0) yield* purge(api, storage, object, false)
  else api.store.put(storage, withMetadata(object, { finalizers: left }))
})

const purge = Effect.fnUntraced(function*(
  api: Api,
  storage: string,
  object: JsonObject,
  orphan: boolean
): Effect.fn.Return<JsonObject, ApiError> {
  const last = api.store.remove(storage, Store.namespaceOf(object), Store.nameOf(object)) ?? object
  yield* collect(api, Store.uidOf(object), orphan)
  yield* settle(api, object)
  return last
})

/** Marks or removes; gives back the object as it is afterwards, and whether it is gone. */
const remove = Effect.fnUntraced(function*(
  api: Api,
  resource: Resource,
  object: JsonObject,
  options: DeleteOptions
): Effect.fn.Return<{ readonly object: JsonObject; readonly gone: boolean }, ApiError> {
  const policy = options.propagationPolicy ?? defaultPolicy(resource)
  const finalizers = J.list(object, "metadata", "finalizers")
  const dependents = api.store.dependents(Store.uidOf(object))
  const waiting = policy === "Foreground" && dependents.length > 0 && !finalizers.includes(foreground)
    ? [...finalizers, foreground]
    : finalizers
  const isNamespace = resource.kind === "Namespace"
  const grace = resource.kind === "Pod" ? graceOf(object, options) : 0
  const now = yield* timestamp
  if (grace === 0 && waiting.length === 0 && !isNamespace) {
    const last = yield* purge(api, resource.storage, object, policy === "Orphan")
    if (resource.kind !== "Pod") return { object: last, gone: true }
    return { object: withMetadata(last, { deletionTimestamp: now, deletionGracePeriodSeconds: 0 }), gone: true }
  }
  const before = J.number(object, "metadata", "deletionGracePeriodSeconds")
  if (isTerminating(object) && before !== undefined && grace >= before) return { object, gone: false }
  const marked = withMetadata(object, {
    deletionTimestamp: J.text(object, "metadata", "deletionTimestamp") ?? now,
    deletionGracePeriodSeconds: grace,
    ...(waiting.length > 0 ? { finalizers: waiting } : {}),
    ...(resource.generation ? { generation: (J.number(object, "metadata", "generation") ?? 0) + 1 } : {})
  })
  const stored = api.store.put(
    resource.storage,
    isNamespace ? { ...marked, status: { ...J.object(marked, "status"), phase: "Terminating" } } : marked
  )
  if (waiting.length > finalizers.length) {
    for (const dependent of dependents) {
      const kind = resourceOf(dependent.storage)
      if (kind !== undefined) yield* remove(api, kind, dependent.object, { propagationPolicy: "Background" })
    }
  }
  if (isNamespace) yield* empty(api, stored)
  return { object: stored, gone: false }
})

const empty = Effect.fnUntraced(function*(api: Api, namespace: JsonObject): Effect.fn.Return<void, ApiError> {
  const name = Store.nameOf(namespace)
  for (const { object, storage } of api.store.all()) {
    const resource = resourceOf(storage)
    if (resource === undefined || Store.namespaceOf(object) !== name) continue
    // Gone already with its owner.
    if (api.store.get(storage, name, Store.nameOf(object)) === undefined) continue
    yield* remove(api, resource, object, { propagationPolicy: "Background" })
  }
  yield* settle(api, withMetadata({}, { namespace: name }))
})

/** An object whose last finalizer was taken away, and that was to go, goes. */
export const afterUpdate = Effect.fnUntraced(function*(api: Api, target: Target, stored: JsonObject) {
  const ready = isTerminating(stored) && J.list(stored, "metadata", "finalizers").length === 0 &&
    (J.number(stored, "metadata", "deletionGracePeriodSeconds") ?? 0) === 0 && target.resource.kind !== "Namespace"
  if (ready) yield* purge(api, target.resource.storage, stored, false)
})

/** The answer: the object for pods and what stays for now, else a Status that names what is gone. */
const answer = (resource: Resource, outcome: { readonly object: JsonObject; readonly gone: boolean }): JsonObject => {
  if (resource.kind === "Pod" || !outcome.gone) return outcome.object
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: {
      name: Store.nameOf(outcome.object),
      ...(resource.group === "" ? {} : { group: resource.group }),
      kind: resource.plural,
      uid: Store.uidOf(outcome.object)
    }
  }
}

/** Deletes one object as the options say. Fails with 404, or 409 when its uid or resourceVersion is another. */
export const one = Effect.fnUntraced(
  function*(api: Api, target: Target, options: DeleteOptions): Effect.fn.Return<JsonObject, ApiError> {
    const { name, resource } = target
    const current = api.store.get(resource.storage, target.namespace, name)
    if (current === undefined) return yield* ApiErrors.notFound(resource, name)
    const preconditions = [
      [options.uid, Store.uidOf(current), "UID", "deleted and then recreated"],
      [options.resourceVersion, Store.versionOf(current), "ResourceVersion", "modified"]
    ] as const
    for (const [wanted, actual, field, happened] of preconditions) {
      if (wanted === undefined || wanted === actual) continue
      // Named by its kind here, unlike everywhere else.
      return yield* ApiErrors.conflict(
        { ...resource, plural: resource.kind },
        name,
        `the ${field} in the precondition (${wanted}) does not match the ${field} in record (${actual}). ` +
          `The object might have been ${happened}`
      )
    }
    if (target.dryRun) return answer(resource, { object: current, gone: true })
    return answer(resource, yield* remove(api, resource, current, options))
  },
  (effect, api) => api.lock.withPermit(effect)
)

/** Deletes all that are given, and gives back a list of them. */
export const collection = Effect.fnUntraced(
  function*(
    api: Api,
    target: Target,
    objects: ReadonlyArray<JsonObject>,
    options: DeleteOptions
  ): Effect.fn.Return<ReadonlyArray<JsonObject>, ApiError> {
    for (const object of objects) {
      const current = api.store.get(target.resource.storage, Store.namespaceOf(object), Store.nameOf(object))
      if (current !== undefined && !target.dryRun) yield* remove(api, target.resource, current, options)
    }
    return objects
  },
  (effect, api) => api.lock.withPermit(effect)
)
