// What the sandbox's controllers share: a cache of every kind they deal with, writes that go through the caches, and
// the rules of pods (owned, active, ready, available). They are clients of any API server that has no controller manager.
import { Clock, Effect } from "effect"
import type { Scope } from "effect"
import type { KubeClient } from "../../src/kube/KubeClient.ts"
import type { KubeError } from "../../src/kube/KubeError.ts"
import * as Caches from "../client/Cache.ts"
import * as Objects from "../client/Objects.ts"
import * as Resources from "../cluster/Resources.ts"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"

export const manager = "kube-controller-manager"

export const kinds = [
  "Pod",
  "Node",
  "ReplicaSet",
  "ReplicationController",
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "ControllerRevision",
  "Job"
] as const
export type Kind = typeof kinds[number]

export interface World {
  readonly caches: Readonly<Record<Kind, Caches.Cache>>
}

type Call<A> = Effect.Effect<A, KubeError, KubeClient>

export const nameOf = (object: JsonObject): string => J.text(object, "metadata", "name") ?? ""
export const namespaceOf = (object: JsonObject): string => J.text(object, "metadata", "namespace") ?? ""
export const isTerminating = (object: JsonObject): boolean =>
  J.text(object, "metadata", "deletionTimestamp") !== undefined

const placeOf = (kind: Kind, object: JsonObject): Objects.Place => ({
  resource: Objects.resource(kind),
  namespace: namespaceOf(object),
  name: nameOf(object)
})

export const make = Effect.fnUntraced(function*(
  listener: (kind: Kind, object: JsonObject) => void
): Effect.fn.Return<World, never, KubeClient | Scope.Scope> {
  const cache = (kind: Kind) =>
    Caches.make(`controllers-${kind}`, Objects.resource(kind), (after, before) => {
      if (before !== undefined) listener(kind, before)
      if (after !== undefined) listener(kind, after)
    })
  return {
    caches: {
      Pod: yield* cache("Pod"),
      Node: yield* cache("Node"),
      ReplicaSet: yield* cache("ReplicaSet"),
      ReplicationController: yield* cache("ReplicationController"),
      Deployment: yield* cache("Deployment"),
      StatefulSet: yield* cache("StatefulSet"),
      DaemonSet: yield* cache("DaemonSet"),
      ControllerRevision: yield* cache("ControllerRevision"),
      Job: yield* cache("Job")
    }
  }
})

/** The reference by which `owner` controls what it creates. */
export const controlledBy = (kind: Kind, owner: JsonObject): JsonObject => ({
  apiVersion: Resources.apiVersionOf(Objects.resource(kind)),
  kind,
  name: nameOf(owner),
  uid: Caches.uidOf(owner),
  controller: true,
  blockOwnerDeletion: true
})

export const create = (world: World, kind: Kind, namespace: string, body: JsonObject): Call<JsonObject> =>
  Effect.tap(
    Objects.create(manager, Objects.resource(kind), namespace, body),
    (created) => Effect.sync(() => world.caches[kind].store(created))
  )

/** Merge patch; a resourceVersion in it makes it conditional. */
export const patch = (
  world: World,
  kind: Kind,
  object: JsonObject,
  body: JsonObject,
  subresource = ""
): Call<JsonObject> =>
  Effect.tap(
    Objects.patch(manager, placeOf(kind, object), body, subresource),
    (patched) => Effect.sync(() => world.caches[kind].store(patched))
  )

/** Writes a status that is not what the object has already. */
export const writeStatus = (
  world: World,
  kind: Kind,
  object: JsonObject,
  status: JsonObject
): Call<void> => {
  const before = J.object(object, "status")
  const changed = Object.entries(status).filter(([key, value]) =>
    // A count of nothing is left out by the server.
    !J.equal(before[key] ?? (value === 0 ? 0 : null), value)
  )
  if (changed.length === 0) return Effect.void
  return Effect.asVoid(
    patch(
      world,
      kind,
      object,
      { metadata: { uid: Caches.uidOf(object) }, status: Object.fromEntries(changed) },
      "status"
    )
  )
}

export const remove = (world: World, kind: Kind, object: JsonObject): Call<void> =>
  Objects.ignoreGone(
    Effect.tap(Objects.remove(placeOf(kind, object), Caches.uidOf(object)), (answer) =>
      // A pod that takes its time comes back marked; a Status says that it is gone, which the watch will say too.
      Effect.sync(() => J.text(answer, "kind") === kind && world.caches[kind].store(answer)))
  )

export const podsOf = (world: World, owner: JsonObject): ReadonlyArray<JsonObject> =>
  world.caches.Pod.ownedBy(Caches.uidOf(owner))

/** Neither finished nor going. */
export const isActive = (pod: JsonObject): boolean => {
  const phase = J.text(pod, "status", "phase")
  return phase !== "Succeeded" && phase !== "Failed" && !isTerminating(pod)
}

const readyCondition = (pod: JsonObject): J.Json | undefined =>
  J.list(pod, "status", "conditions").find((it) => J.text(it, "type") === "Ready")

export const isReady = (pod: JsonObject): boolean => J.text(readyCondition(pod), "status") === "True"

/** Ready for at least so many seconds. */
export const isAvailable = (pod: JsonObject, minReadySeconds: number, now: number): boolean =>
  isReady(pod) && (minReadySeconds === 0 ||
    Date.parse(J.text(readyCondition(pod), "lastTransitionTime") ?? "") + minReadySeconds * 1000 <= now)

export const now = Clock.currentTimeMillis

/** A pod made of a template. */
export const podFrom = (
  template: JsonObject,
  owner: JsonObject,
  options: { readonly name?: string; readonly generateName?: string; readonly labels?: Record<string, string> }
): JsonObject => {
  const meta = J.object(template, "metadata")
  return {
    metadata: {
      ...(options.name === undefined ? {} : { name: options.name }),
      ...(options.generateName === undefined ? {} : { generateName: options.generateName }),
      labels: { ...J.texts(meta, "labels"), ...options.labels },
      annotations: J.texts(meta, "annotations"),
      ownerReferences: [owner]
    },
    spec: J.clone(J.object(template, "spec"))
  }
}

/** An int-or-percent field of a budget, of `total`; percentages are rounded as asked. */
export const resolve = (value: J.Json | undefined, total: number, round: (value: number) => number): number => {
  if (typeof value === "number") return value
  const percent = typeof value === "string" ? Number(value.replace("%", "")) : Number.NaN
  return Number.isFinite(percent) ? round(percent * total / 100) : 0
}
