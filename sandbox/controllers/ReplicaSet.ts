// Keeps the number of a ReplicaSet's, or ReplicationController's, pods: creates what is missing, deletes what is too much.
// Source: kubernetes pkg/controller/replicaset.
import { Effect } from "effect"
import type { KubeClient } from "../../src/kube/KubeClient.ts"
import type { KubeError } from "../../src/kube/KubeError.ts"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

/** The first to go: not assigned, pending, not ready, youngest. */
const expendable = (pod: JsonObject): number =>
  ((J.text(pod, "spec", "nodeName") ?? "") === "" ? 4 : 0) +
  (J.text(pod, "status", "phase") === "Running" ? 0 : 2) + (Worlds.isReady(pod) ? 0 : 1)

const created = (object: JsonObject): string => J.text(object, "metadata", "creationTimestamp") ?? ""

export const reconcile = Effect.fnUntraced(function*(
  world: World,
  kind: "ReplicaSet" | "ReplicationController",
  set: JsonObject
): Effect.fn.Return<number | undefined, KubeError, KubeClient> {
  const wanted = Worlds.isTerminating(set) ? 0 : J.number(set, "spec", "replicas") ?? 1
  const active = Worlds.podsOf(world, set).filter(Worlds.isActive)
  const template = J.object(set, "spec", "template")
  if (!Worlds.isTerminating(set)) {
    const owner = Worlds.controlledBy(kind, set)
    for (let missing = wanted - active.length; missing > 0; missing--) {
      const pod = Worlds.podFrom(template, owner, { generateName: `${Worlds.nameOf(set)}-` })
      yield* Worlds.create(world, "Pod", Worlds.namespaceOf(set), pod)
    }
    const surplus = active
      .toSorted((one, other) => expendable(other) - expendable(one) || (created(one) < created(other) ? 1 : -1))
      .slice(0, Math.max(0, active.length - wanted))
    for (const pod of surplus) yield* Worlds.remove(world, "Pod", pod)
  }
  const now = yield* Worlds.now
  const minReady = J.number(set, "spec", "minReadySeconds") ?? 0
  const pods = Worlds.podsOf(world, set).filter(Worlds.isActive)
  const ready = pods.filter(Worlds.isReady).length
  const available = pods.filter((it) => Worlds.isAvailable(it, minReady, now)).length
  const latest = world.caches[kind].get(Worlds.namespaceOf(set), Worlds.nameOf(set)) ?? set
  yield* Worlds.writeStatus(world, kind, latest, {
    replicas: pods.length,
    fullyLabeledReplicas: pods.length,
    readyReplicas: ready,
    availableReplicas: available,
    observedGeneration: J.number(set, "metadata", "generation") ?? 0
  })
  return ready > available ? 500 : undefined
})
