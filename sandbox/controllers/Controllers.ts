// A controller manager for servers that have none: makes ReplicaSets of Deployments, and pods of everything that has a
// template. A client of any API server. CronJobs are left alone: nothing here has a clock for schedules.
import { Cause, Effect } from "effect"
import type { Duration, Scope } from "effect"
import type { KubeClient } from "../../src/kube/KubeClient.ts"
import type { KubeError } from "../../src/kube/KubeError.ts"
import { controllerOf, keyOf } from "../client/Cache.ts"
import * as Workers from "../client/Workers.ts"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import * as DaemonSet from "./DaemonSet.ts"
import * as Deployment from "./Deployment.ts"
import * as Job from "./Job.ts"
import * as ReplicaSet from "./ReplicaSet.ts"
import * as StatefulSet from "./StatefulSet.ts"
import type { Kind, World } from "./World.ts"
import * as Worlds from "./World.ts"

type Reconcile = (
  world: World,
  object: JsonObject
) => Effect.Effect<number | undefined, KubeError, KubeClient>

const reconcilers: Partial<Record<Kind, Reconcile>> = {
  Deployment: Deployment.reconcile,
  ReplicaSet: (world, object) => ReplicaSet.reconcile(world, "ReplicaSet", object),
  ReplicationController: (world, object) => ReplicaSet.reconcile(world, "ReplicationController", object),
  StatefulSet: StatefulSet.reconcile,
  DaemonSet: DaemonSet.reconcile,
  Job: Job.reconcile
}
const isKind = (text: string): text is Kind => Worlds.kinds.some((it) => it === text)

// What is decided before all is known may be wrong: a ReplicaSet whose pods have not been listed has none.
const ready = (world: World): boolean => Worlds.kinds.every((kind) => world.caches[kind].synced())

// Someone was faster, or what it was about is gone: the caches will say so.
const isOrdinary = (error: KubeError): boolean => ["Conflict", "NotFound", "Forbidden"].includes(error.reason)

export interface ControllersOptions {
  /** Objects reconciled at once. Default 8. */
  readonly concurrency?: number
}

/** Runs until the scope closes. */
export const make = Effect.fnUntraced(function*(
  options: ControllersOptions = {}
): Effect.fn.Return<void, never, KubeClient | Scope.Scope> {
  const nothing: Duration.Input | undefined = undefined

  const work = Effect.fnUntraced(
    function*(key: string): Effect.fn.Return<Duration.Input | undefined, KubeError, KubeClient> {
      const [kind = "", namespace = "", name = ""] = key.split("/")
      if (!isKind(kind)) return undefined
      if (!ready(world)) return "50 millis"
      const object = world.caches[kind].get(namespace, name)
      const reconcile = reconcilers[kind]
      return object === undefined || reconcile === undefined ? undefined : yield* reconcile(world, object)
    },
    (effect, key) =>
      effect.pipe(
        Effect.catch((error): Effect.Effect<Duration.Input | undefined> =>
          isOrdinary(error)
            ? Effect.succeed<Duration.Input>("100 millis")
            : Effect.as(Effect.logWarning(`controllers: ${key}: ${error.message}`), "1 second")
        ),
        Effect.catchCauseIf(
          (cause) => !Cause.hasInterruptsOnly(cause),
          (cause) => Effect.as(Effect.logError(`controllers died on ${key}`, cause), nothing)
        )
      )
  )
  const workers = yield* Workers.make(options.concurrency ?? 8, work)

  const listener = (kind: Kind, object: JsonObject) => {
    if (reconcilers[kind] !== undefined) workers.add(`${kind}/${keyOf(object)}`)
    const owner = controllerOf(object)
    if (owner !== undefined) {
      workers.add(`${J.text(owner, "kind") ?? ""}/${Worlds.namespaceOf(object)}/${J.text(owner, "name") ?? ""}`)
    }
  }
  const world: World = yield* Worlds.make((kind, object) => {
    listener(kind, object)
    // A node that comes or goes concerns every DaemonSet.
    if (kind === "Node") { for (const set of world.caches.DaemonSet.all()) listener("DaemonSet", set) }
  })
})
