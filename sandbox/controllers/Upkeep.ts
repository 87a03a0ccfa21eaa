// What a controller manager does besides workloads, for real API servers that run without one: the ServiceAccount
// `default` of every namespace, garbage collection by owner references, and the end of deleted namespaces.
// The embedded API server does all of this by itself.
import { Cause, Effect } from "effect"
import type { Duration, Scope } from "effect"
import type { KubeClient } from "../../src/kube/KubeClient.ts"
import type { KubeError } from "../../src/kube/KubeError.ts"
import * as Caches from "../client/Cache.ts"
import * as Objects from "../client/Objects.ts"
import * as Workers from "../client/Workers.ts"
import * as Resources from "../cluster/Resources.ts"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import * as Worlds from "./World.ts"

/** What owns, and what is owned: enough for the workloads of the sandbox. */
const collected = [
  "Pod",
  "ReplicaSet",
  "ReplicationController",
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "Job",
  "CronJob",
  "ControllerRevision",
  "ConfigMap"
]
/** What a namespace may hold here. */
const contents = Resources.resources.filter((it) => it.namespaced && it.group !== "events.k8s.io")

const account = Effect.fnUntraced(function*(namespace: string) {
  const resource = Objects.resource("ServiceAccount")
  yield* Objects.create(Worlds.manager, resource, namespace, { metadata: { name: "default" } }).pipe(
    Effect.catchIf((error) => error.reason === "Conflict", () => Effect.void)
  )
})

/** Deletes what is left in the namespace; when nothing is, lets it go. */
const finish = Effect.fnUntraced(
  function*(name: string): Effect.fn.Return<Duration.Input | undefined, KubeError, KubeClient> {
    let left = 0
    for (const resource of contents) {
      const found = yield* Objects.list(resource, name)
      left += found.length
      for (const object of found) {
        if (Worlds.isTerminating(object)) continue
        yield* Objects.ignoreGone(
          Objects.remove({ resource, namespace: name, name: Worlds.nameOf(object) }, Caches.uidOf(object))
        )
      }
    }
    if (left > 0) return "200 millis"
    const place = { resource: Objects.resource("Namespace"), namespace: "", name }
    const namespace = yield* Objects.get(place)
    yield* Objects.put(place, "finalize", { ...namespace, spec: { ...J.object(namespace, "spec"), finalizers: [] } })
    return undefined
  }
)

interface Dependent {
  readonly kind: string
  readonly object: JsonObject
}

const ownersOf = (object: JsonObject): ReadonlyArray<J.Json> => J.list(object, "metadata", "ownerReferences")

const placeOf = ({ kind, object }: Dependent): Objects.Place => ({
  resource: Objects.resource(kind),
  namespace: Worlds.namespaceOf(object),
  name: Worlds.nameOf(object)
})

/** Runs until the scope closes. */
export const make = Effect.fnUntraced(function*(): Effect.fn.Return<void, never, KubeClient | Scope.Scope> {
  const caches = new Map<string, Caches.Cache>()
  const uids = new Set<string>()
  const nothing: Duration.Input | undefined = undefined

  /** Deletes what has owners, none of which is there any more. */
  const collect = Effect.fnUntraced(function*(
    kind: string,
    object: JsonObject
  ): Effect.fn.Return<void, KubeError, KubeClient> {
    const owners = ownersOf(object).filter((it) => collected.includes(J.text(it, "kind") ?? ""))
    if (owners.length === 0 || Worlds.isTerminating(object)) return
    if (owners.some((it) => uids.has(J.text(it, "uid") ?? ""))) return
    yield* Objects.ignoreGone(Objects.remove(placeOf({ kind, object }), Caches.uidOf(object)))
  })

  const dependents = (uid: string): ReadonlyArray<Dependent> =>
    [...caches].flatMap(([kind, cache]) =>
      [...cache.all()].filter((it) => ownersOf(it).some((owner) => J.text(owner, "uid") === uid))
        .map((object) => ({ kind, object }))
    )

  /** What the deletion of an owner waits for: dependents that are let go, or that go first. */
  const letGo = Effect.fnUntraced(function*(
    kind: string,
    object: JsonObject,
    finalizer: string
  ): Effect.fn.Return<Duration.Input | undefined, KubeError, KubeClient> {
    const uid = Caches.uidOf(object)
    const left = dependents(uid)
    for (const dependent of left) {
      if (finalizer === "orphan") {
        const ownerReferences = [...ownersOf(dependent.object)].filter((it) => J.text(it, "uid") !== uid)
        yield* Objects.patch(Worlds.manager, placeOf(dependent), { metadata: { ownerReferences } })
      } else if (!Worlds.isTerminating(dependent.object)) {
        yield* Objects.ignoreGone(Objects.remove(placeOf(dependent), Caches.uidOf(dependent.object)))
      }
    }
    if (finalizer !== "orphan" && left.length > 0) return "200 millis"
    const finalizers = J.list(object, "metadata", "finalizers").filter((it) => it !== finalizer)
    yield* Objects.ignoreGone(Objects.patch(Worlds.manager, placeOf({ kind, object }), { metadata: { finalizers } }))
    return undefined
  })

  const work = Effect.fnUntraced(
    function*(key: string): Effect.fn.Return<Duration.Input | undefined, KubeError, KubeClient> {
      const [kind = "", namespace = "", name = ""] = key.split("/")
      const object = caches.get(kind)?.get(namespace, name)
      if (object === undefined) return undefined
      if (kind === "Namespace") {
        if (Worlds.isTerminating(object)) return yield* finish(name)
        yield* account(name)
        return undefined
      }
      // An owner that has not been listed yet looks as if it were gone.
      if (![...caches.values()].every((it) => it.synced())) return "100 millis"
      for (const finalizer of Worlds.isTerminating(object) ? ["orphan", "foregroundDeletion"] : []) {
        if (J.list(object, "metadata", "finalizers").includes(finalizer)) return yield* letGo(kind, object, finalizer)
      }
      yield* collect(kind, object)
      return undefined
    },
    (effect, key) =>
      effect.pipe(
        Effect.catch((error): Effect.Effect<Duration.Input | undefined> =>
          Effect.as(Effect.logDebug(`upkeep: ${key}: ${error.message}`), "500 millis")
        ),
        Effect.catchCauseIf(
          (cause) => !Cause.hasInterruptsOnly(cause),
          (cause) => Effect.as(Effect.logError(`upkeep died on ${key}`, cause), nothing)
        )
      )
  )
  const workers = yield* Workers.make(4, work)

  for (const kind of ["Namespace", ...collected]) {
    const cache = yield* Caches.make(`upkeep-${kind}`, Objects.resource(kind), (after, before) => {
      if (after !== undefined) {
        uids.add(Caches.uidOf(after))
        return workers.add(`${kind}/${Caches.keyOf(after)}`)
      }
      if (before === undefined) return
      uids.delete(Caches.uidOf(before))
      for (const it of dependents(Caches.uidOf(before))) workers.add(`${it.kind}/${Caches.keyOf(it.object)}`)
    })
    caches.set(kind, cache)
  }
})
