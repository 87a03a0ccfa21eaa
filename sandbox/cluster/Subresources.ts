// Subresources that are not the object itself: a pod's binding and eviction, the scale of what has replicas.
// Source: kubernetes pkg/registry/core/pod/storage, pkg/registry/apps/*/storage.
import { Effect } from "effect"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import type { Api, Target } from "./Api.ts"
import { timestamp } from "./Api.ts"
import type { ApiError } from "./ApiError.ts"
import * as ApiErrors from "./ApiError.ts"
import * as Delete from "./Delete.ts"
import * as Store from "./Store.ts"
import * as Write from "./Write.ts"

const success: JsonObject = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 }

/** Gives a pod its node; 409 when it has one. */
export const bind = Effect.fnUntraced(
  function*(api: Api, target: Target, binding: JsonObject): Effect.fn.Return<JsonObject, ApiError> {
    const node = J.text(binding, "target", "name") ?? ""
    const pod = api.store.get(target.resource.storage, target.namespace, target.name)
    if (pod === undefined) return yield* ApiErrors.notFound(target.resource, target.name)
    const has = J.text(pod, "spec", "nodeName") ?? ""
    const problem = J.text(pod, "metadata", "deletionTimestamp") !== undefined
      ? `pod ${target.name} is being deleted, cannot be assigned to a host`
      : has === ""
      ? undefined
      : `pod ${target.name} is already assigned to node "${has}"`
    if (problem !== undefined) return yield* ApiErrors.conflict(target.resource, target.name, problem, "/binding")
    if (target.dryRun) return success
    const condition = {
      type: "PodScheduled",
      status: "True",
      lastProbeTime: null,
      lastTransitionTime: yield* timestamp
    }
    const conditions = J.list(pod, "status", "conditions").filter((it) => J.text(it, "type") !== "PodScheduled")
    api.store.put(target.resource.storage, {
      ...pod,
      spec: { ...J.object(pod, "spec"), nodeName: node },
      status: { ...J.object(pod, "status"), conditions: [...conditions, condition] }
    })
    return success
  },
  (effect, api) => api.lock.withPermit(effect)
)

export const evict = (
  api: Api,
  target: Target,
  eviction: JsonObject
): Effect.Effect<JsonObject, ApiError> =>
  Effect.as(
    Delete.one(api, target, { gracePeriodSeconds: J.number(eviction, "deleteOptions", "gracePeriodSeconds") }),
    success
  )

const selectorText = (selector: J.Json | undefined): string => {
  const labels = Object.keys(J.object(selector, "matchLabels")).length > 0
    ? J.texts(selector, "matchLabels")
    : J.texts(selector)
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(",")
}

const scaleOf = (object: JsonObject): JsonObject => ({
  kind: "Scale",
  apiVersion: "autoscaling/v1",
  metadata: {
    name: Store.nameOf(object),
    namespace: Store.namespaceOf(object),
    uid: Store.uidOf(object),
    resourceVersion: Store.versionOf(object),
    creationTimestamp: J.text(object, "metadata", "creationTimestamp") ?? null
  },
  spec: { replicas: J.number(object, "spec", "replicas") ?? 0 },
  status: {
    replicas: J.number(object, "status", "replicas") ?? 0,
    selector: selectorText(J.at(object, "spec", "selector"))
  }
})

export const getScale = (api: Api, target: Target): Effect.Effect<JsonObject, ApiError> => {
  const object = api.store.get(target.resource.storage, target.namespace, target.name)
  return object === undefined
    ? Effect.fail(ApiErrors.notFound(target.resource, target.name))
    : Effect.succeed(scaleOf(object))
}

/** Changes the number of replicas as the changed Scale says. */
export const updateScale = (
  api: Api,
  target: Target,
  change: (current: JsonObject) => Effect.Effect<JsonObject, ApiError>
): Effect.Effect<JsonObject, ApiError> =>
  Effect.map(
    Write.update(api, target, { subresource: "", patched: false }, (current) =>
      Effect.map(change(scaleOf(current)), (scale) => {
        J.ensure(current, "spec")["replicas"] = J.number(scale, "spec", "replicas") ?? 0
        J.ensure(current, "metadata")["resourceVersion"] = Store.versionOf(scale)
        return current
      })),
    scaleOf
  )
