// Creating and changing objects: defaults, admission, validation, generation, managed fields, optimistic concurrency.
// Everything here runs under the write lock; deletion is in Delete.ts, patches are turned into objects in Patch.ts.
import { Effect } from "effect"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import * as Random from "../Random.ts"
import * as Admission from "./Admission.ts"
import type { Api, Target } from "./Api.ts"
import { metadata, timestamp } from "./Api.ts"
import type { ApiError } from "./ApiError.ts"
import * as ApiErrors from "./ApiError.ts"
import * as Defaults from "./Defaults.ts"
import * as Delete from "./Delete.ts"
import * as Events from "./Events.ts"
import * as ManagedFields from "./ManagedFields.ts"
import * as MutatingWebhooks from "./MutatingWebhooks.ts"
import * as Resources from "./Resources.ts"
import * as Store from "./Store.ts"
import * as TemplateGeneration from "./TemplateGeneration.ts"
import * as Validate from "./Validate.ts"

const checkType = Effect.fnUntraced(function*(target: Target, body: JsonObject) {
  const { resource } = target
  const apiVersion = J.text(body, "apiVersion") ?? Resources.apiVersionOf(resource)
  const kind = J.text(body, "kind") ?? resource.kind
  if (apiVersion !== Resources.apiVersionOf(resource) || kind !== resource.kind) {
    return yield* ApiErrors.badRequest(
      `${kind} in version "${apiVersion}" cannot be handled as a ${resource.kind}: converting (${apiVersion}, ` +
        `Kind=${kind}) to (${Resources.apiVersionOf(resource)}, Kind=${resource.kind}): unknown conversion`
    )
  }
  const namespace = J.text(body, "metadata", "namespace") ?? ""
  if (resource.namespaced && namespace !== "" && namespace !== target.namespace) {
    return yield* ApiErrors.badRequest(
      "the namespace of the provided object does not match the namespace sent on the request"
    )
  }
})

const refuse = (target: Target, name: string, causes: ReadonlyArray<ApiErrors.Cause>): Effect.Effect<void, ApiError> =>
  causes.length === 0
    ? Effect.void
    : Effect.fail(ApiErrors.invalid(target.resource.kind, target.resource.group, name, causes))

export const writerOf = (target: Target, subresource: string, time: string): ManagedFields.Writer => ({
  manager: target.manager,
  subresource,
  apiVersion: Resources.apiVersionOf(target.resource),
  time
})

/** A name that is not taken, from metadata.generateName. */
const generateName = Effect.fnUntraced(function*(api: Api, target: Target, base: string) {
  for (let attempt = 0; attempt < 8; attempt++) {
    const name = `${base.slice(0, 58)}${yield* Random.randomSuffix(5)}`
    if (api.store.get(target.resource.storage, target.namespace, name) === undefined) return name
  }
  return yield* ApiErrors.alreadyExists(target.resource, base)
})

/** What managedFields become; for who applies. Others own what they change. */
export type Fields = (next: JsonObject) => Array<J.Json>

/** The object that is to be stored: its fields completed, and what admission makes of it. */
const prepare = Effect.fnUntraced(function*(
  api: Api,
  target: Target,
  sent: JsonObject,
  fields?: Fields
): Effect.fn.Return<JsonObject, ApiError> {
  const { resource } = target
  yield* checkType(target, sent)
  const object = J.clone(Events.kept(resource, sent))
  object["apiVersion"] = Resources.apiVersionOf(
    resource.storage === "events" ? Resources.byKind("Event") ?? resource : resource
  )
  object["kind"] = resource.kind
  const meta = J.ensure(object, "metadata")
  if (J.text(meta, "resourceVersion") !== undefined && J.text(meta, "resourceVersion") !== "") {
    return yield* ApiErrors.badRequest("resourceVersion should not be set on objects to be created")
  }
  const base = J.text(meta, "generateName") ?? ""
  const given = J.text(meta, "name") ?? ""
  const name = given === "" && base !== "" ? yield* generateName(api, target, base) : given
  yield* Admission.namespace(api, target, name)
  const time = yield* timestamp
  for (const field of ["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion"]) {
    delete meta[field]
  }
  Object.assign(meta, { name, uid: yield* Random.uuid, creationTimestamp: time })
  if (resource.namespaced) meta["namespace"] = target.namespace
  else delete meta["namespace"]
  if (resource.generation) meta["generation"] = 1
  Defaults.apply(resource.kind, object)
  const status = Defaults.initialStatus(resource.kind, object)
  if (status !== undefined) object["status"] = status
  if (resource.kind === "Job") Defaults.jobSelector(object)
  TemplateGeneration.count(resource.kind, undefined, object)
  // Before admission, as the real server does: what admission sets is nobody's.
  meta["managedFields"] = fields === undefined
    ? ManagedFields.update(undefined, object, writerOf(target, "", time))
    : fields(object)
  if (resource.kind === "Pod" && api.behaviour.serviceAccounts) yield* Admission.serviceAccount(api, target, object)
  return resource.kind === "Pod" ? yield* MutatingWebhooks.mutate(api, target, object) : object
})

const store = Effect.fnUntraced(function*(
  api: Api,
  target: Target,
  object: JsonObject
): Effect.fn.Return<JsonObject, ApiError> {
  const { resource } = target
  const name = J.text(object, "metadata", "name") ?? ""
  yield* refuse(target, name, Validate.object(resource, object))
  if (api.store.get(resource.storage, target.namespace, name) !== undefined) {
    return yield* ApiErrors.alreadyExists(resource, name)
  }
  if (target.dryRun) return Events.shown(resource, object)
  const stored = api.store.put(resource.storage, object)
  if (resource.kind === "Namespace" && api.behaviour.serviceAccounts) yield* defaultAccount(api, target, name)
  return Events.shown(resource, stored)
})

/** The account that every namespace has. */
const defaultAccount = Effect.fnUntraced(function*(api: Api, target: Target, namespace: string) {
  const resource = Resources.byKind("ServiceAccount")
  if (resource === undefined) return
  const whole = { ...target, resource, namespace, name: "", manager: "kube-controller-manager" }
  yield* store(api, whole, yield* prepare(api, whole, { metadata: { name: "default" } }))
})

/** Stores a new object; fails with 404, 403, 409 or 422 as its namespace, its name or its fields require. */
export const create = (
  api: Api,
  target: Target,
  sent: JsonObject,
  fields?: Fields
): Effect.Effect<JsonObject, ApiError> => {
  const prepared = prepare(api, target, sent, fields)
  // whoever is asked may want something of this server before it answers
  return target.resource.kind === "Pod" && MutatingWebhooks.exist(api)
    ? Effect.flatMap(prepared, (it) => api.lock.withPermit(store(api, target, it)))
    : api.lock.withPermit(Effect.flatMap(prepared, (it) => store(api, target, it)))
}

const kept = [
  "name",
  "namespace",
  "uid",
  "creationTimestamp",
  "generation",
  "deletionTimestamp",
  "deletionGracePeriodSeconds"
]

/** What a write through a subresource (or past it) leaves as it was. */
const restrict = (target: Target, subresource: string, current: JsonObject, proposed: JsonObject): JsonObject => {
  const meta = { ...metadata(proposed) }
  for (const field of kept) {
    const value = metadata(current)[field]
    if (value === undefined) delete meta[field]
    else meta[field] = value
  }
  if (subresource === "status") {
    // Annotations pass: it is how a Deployment's revision gets there without a new generation.
    const annotations = metadata(proposed)["annotations"]
    const changed = { ...metadata(current), ...(annotations === undefined ? {} : { annotations }) }
    return { ...current, metadata: changed, status: proposed["status"] ?? {} }
  }
  if (subresource === "ephemeralcontainers") {
    const ephemeralContainers = J.list(proposed, "spec", "ephemeralContainers")
    return { ...current, spec: { ...J.object(current, "spec"), ephemeralContainers } }
  }
  const next: JsonObject = {
    ...proposed,
    apiVersion: current["apiVersion"] ?? "",
    kind: target.resource.kind,
    metadata: meta
  }
  if (!target.resource.subresources.includes("status")) return next
  if (current["status"] === undefined) delete next["status"]
  else next["status"] = current["status"]
  return next
}

const preconditions = Effect.fnUntraced(function*(
  target: Target,
  current: JsonObject,
  proposed: JsonObject,
  patched: boolean
) {
  const name = Store.nameOf(current)
  const [version, uid] = [Store.versionOf(proposed), Store.uidOf(proposed)]
  if (version !== "" && version !== Store.versionOf(current)) {
    return yield* ApiErrors.conflict(target.resource, name, ApiErrors.modified)
  }
  if (uid !== "" && uid !== Store.uidOf(current) && patched) {
    return yield* ApiErrors.invalid(target.resource.kind, target.resource.group, name, [
      ApiErrors.fault("FieldValueInvalid", "metadata.uid", "field is immutable", uid)
    ])
  }
  if (uid !== "" && uid !== Store.uidOf(current)) {
    return yield* ApiErrors.conflict(
      target.resource,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${Store.uidOf(current)}`
    )
  }
  const renamed = Store.nameOf(proposed)
  if (renamed !== name) {
    return yield* ApiErrors.badRequest(
      `the name of the object (${renamed}) does not match the name on the URL (${name})`
    )
  }
})

const comparable = (object: JsonObject): JsonObject => {
  const { managedFields: _fields, resourceVersion: _version, ...rest } = metadata(object)
  return { ...object, metadata: rest }
}

/** Entries without the time they were written, in any order. */
const timeless = (entries: ReadonlyArray<J.Json>): J.Json =>
  Object.fromEntries(entries.map((it) => {
    const { time: _time, ...rest } = J.object(it)
    return [`${J.text(it, "manager")} ${J.text(it, "operation")} ${J.text(it, "subresource")}`, rest]
  }))

const ephemeralFaults = (current: JsonObject, next: JsonObject): ReadonlyArray<ApiErrors.Cause> => {
  const after = J.list(next, "spec", "ephemeralContainers")
  const same = J.list(current, "spec", "ephemeralContainers").every((it) => after.some((has) => J.equal(has, it)))
  return same ? [] : [
    ApiErrors.fault(
      "FieldValueForbidden",
      "spec.ephemeralContainers",
      "existing ephemeral containers may not be changed or removed"
    )
  ]
}

const faultsOf = (target: Target, subresource: string, current: JsonObject, next: JsonObject) => {
  if (subresource === "status") return []
  if (subresource === "ephemeralcontainers") return ephemeralFaults(current, next)
  return [...Validate.object(target.resource, next), ...Validate.change(target.resource, next, current)]
}

/** A Deployment's generation counts its annotations too: they are copied to its ReplicaSets. */
const isNewGeneration = (target: Target, current: JsonObject, next: JsonObject): boolean =>
  target.resource.generation && (!J.equal(current["spec"], next["spec"]) ||
    (target.resource.kind === "Deployment" &&
      !J.equal(J.object(current, "metadata", "annotations"), J.object(next, "metadata", "annotations"))))

/**
 * Replaces an object by what `change` makes of it (it gets a copy). Fails with 404 when it is not there, 409 when what
 * comes back carries another resourceVersion or uid, 422 when it is invalid. A change of nothing is not written.
 */
export const update = Effect.fnUntraced(
  function*(
    api: Api,
    target: Target,
    options: {
      readonly subresource: string
      /** By a patch: another uid is a fault of it, not a conflict. */
      readonly patched: boolean
      readonly fields?: Fields
    },
    change: (current: JsonObject) => Effect.Effect<JsonObject, ApiError>
  ): Effect.fn.Return<JsonObject, ApiError> {
    const { resource } = target
    const { subresource } = options
    const current = api.store.get(resource.storage, target.namespace, target.name)
    if (current === undefined) return yield* ApiErrors.notFound(resource, target.name)
    const proposed = Events.kept(resource, yield* change(J.clone(Events.shown(resource, current))))
    yield* checkType(target, Events.shown(resource, proposed))
    yield* preconditions(target, current, proposed, options.patched)
    const next = J.clone(restrict(target, subresource, current, proposed))
    Defaults.apply(resource.kind, next)
    Defaults.pruneStatus(resource.kind, next)
    TemplateGeneration.count(resource.kind, current, next)
    yield* refuse(target, target.name, faultsOf(target, subresource, current, next))
    const writer = writerOf(target, subresource, yield* timestamp)
    const fields = options.fields?.(next) ?? ManagedFields.update(current, next, writer)
    const sameFields = J.equal(timeless(fields), timeless(J.list(current, "metadata", "managedFields")))
    if (sameFields && J.equal(comparable(current), comparable(next))) return Events.shown(resource, current)
    const meta = J.ensure(next, "metadata")
    if (subresource !== "status" && isNewGeneration(target, current, next)) {
      meta["generation"] = (J.number(meta, "generation") ?? 0) + 1
    }
    meta["resourceVersion"] = Store.versionOf(current)
    meta["managedFields"] = fields
    if (target.dryRun) return Events.shown(resource, next)
    const stored = api.store.put(resource.storage, next)
    yield* Delete.afterUpdate(api, target, stored)
    return Events.shown(resource, stored)
  },
  (effect, api) => api.lock.withPermit(effect)
)
