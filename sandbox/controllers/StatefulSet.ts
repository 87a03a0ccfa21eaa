// StatefulSets: pods with ordinals, created and rolled one after the other, by their revisions.
// Like the real one it does not get past a pod that is not ready (OrderedReady), not even by a new template: such a pod
// must be deleted by hand. Source: kubernetes pkg/controller/statefulset/stateful_set_control.go.
import { Effect } from "effect"
import type { KubeClient } from "../../src/kube/KubeClient.ts"
import type { KubeError } from "../../src/kube/KubeError.ts"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import * as Revision from "./Revision.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

const revisionLabel = "controller-revision-hash"
const revisionOf = (pod: JsonObject): string => J.text(pod, "metadata", "labels", revisionLabel) ?? ""
const ordinalOf = (set: JsonObject, pod: JsonObject): number =>
  Number(Worlds.nameOf(pod).slice(Worlds.nameOf(set).length + 1))

interface Plan {
  readonly set: JsonObject
  readonly replicas: number
  readonly first: number
  readonly partition: number
  readonly parallel: boolean
  readonly update: Revision.Revision
  readonly currentName: string
  readonly currentTemplate: JsonObject
}

const createPod = Effect.fnUntraced(function*(world: World, plan: Plan, ordinal: number) {
  // A pod below the partition comes back as it was.
  const updated = ordinal >= plan.first + plan.partition
  const revision = updated ? plan.update.name : plan.currentName
  const template = updated ? plan.update.template : plan.currentTemplate
  const name = `${Worlds.nameOf(plan.set)}-${ordinal}`
  const pod = Worlds.podFrom(template, Worlds.controlledBy("StatefulSet", plan.set), {
    name,
    labels: {
      "apps.kubernetes.io/pod-index": String(ordinal),
      [revisionLabel]: revision,
      "statefulset.kubernetes.io/pod-name": name
    }
  })
  const spec = { ...J.object(pod, "spec"), hostname: name, subdomain: J.text(plan.set, "spec", "serviceName") ?? "" }
  yield* Worlds.create(world, "Pod", Worlds.namespaceOf(plan.set), { ...pod, spec })
})

/** Brings the number of pods about; true when nothing is missing, too much or not ready. */
const fill = Effect.fnUntraced(function*(world: World, plan: Plan) {
  const pods = new Map(Worlds.podsOf(world, plan.set).map((it) => [ordinalOf(plan.set, it), it]))
  let settled = true
  for (let ordinal = plan.first; ordinal < plan.first + plan.replicas; ordinal++) {
    const pod = pods.get(ordinal)
    if (pod === undefined) {
      yield* createPod(world, plan, ordinal)
      settled = false
    } else if (!Worlds.isReady(pod) || Worlds.isTerminating(pod)) settled = false
    const finished = ["Succeeded", "Failed"].includes(J.text(pod, "status", "phase") ?? "")
    if (pod !== undefined && finished && !Worlds.isTerminating(pod)) yield* Worlds.remove(world, "Pod", pod)
    if (!settled && !plan.parallel) return false
  }
  const surplus = [...pods].filter(([ordinal]) => ordinal < plan.first || ordinal >= plan.first + plan.replicas)
  for (const [, pod] of surplus.toSorted(([one], [other]) => other - one)) {
    if (!Worlds.isTerminating(pod)) yield* Worlds.remove(world, "Pod", pod)
    if (!plan.parallel) return false
    settled = false
  }
  return settled || plan.parallel
})

/** Deletes the highest pod of another revision, when those above it are well. */
const roll = Effect.fnUntraced(function*(world: World, plan: Plan) {
  const pods = Worlds.podsOf(world, plan.set)
    .filter((it) => ordinalOf(plan.set, it) >= plan.first + plan.partition)
    .toSorted((one, other) => ordinalOf(plan.set, other) - ordinalOf(plan.set, one))
  for (const pod of pods) {
    if (revisionOf(pod) !== plan.update.name && !Worlds.isTerminating(pod)) {
      return yield* Worlds.remove(world, "Pod", pod)
    }
    if (Worlds.isTerminating(pod) || !Worlds.isReady(pod)) return
  }
})

export const reconcile = Effect.fnUntraced(function*(
  world: World,
  set: JsonObject
): Effect.fn.Return<number | undefined, KubeError, KubeClient> {
  if (Worlds.isTerminating(set)) return undefined
  const update = yield* Revision.current(world, "StatefulSet", set)
  const currentName = J.text(set, "status", "currentRevision") ?? update.name
  const strategy = J.text(set, "spec", "updateStrategy", "type")
  const rolling = strategy !== "OnDelete"
  const plan: Plan = {
    set,
    replicas: J.number(set, "spec", "replicas") ?? 1,
    first: J.number(set, "spec", "ordinals", "start") ?? 0,
    partition: rolling ? J.number(set, "spec", "updateStrategy", "rollingUpdate", "partition") ?? 0 : 0,
    parallel: J.text(set, "spec", "podManagementPolicy") === "Parallel",
    update,
    currentName,
    currentTemplate: Revision.templateOf(world, set, currentName) ?? update.template
  }
  const settled = yield* fill(world, plan)
  if (settled && rolling) yield* roll(world, plan)

  const pods = Worlds.podsOf(world, set).filter((it) => !Worlds.isTerminating(it))
  const now = yield* Worlds.now
  const minReady = J.number(set, "spec", "minReadySeconds") ?? 0
  const ready = pods.filter(Worlds.isReady)
  const available = pods.filter((it) => Worlds.isAvailable(it, minReady, now))
  const updated = pods.filter((it) => revisionOf(it) === update.name)
  // All of them are new and well: the update is what is current.
  const complete = plan.partition === 0 && updated.length === plan.replicas && ready.length === plan.replicas
  const current = complete ? update.name : currentName
  yield* Worlds.writeStatus(world, "StatefulSet", set, {
    observedGeneration: J.number(set, "metadata", "generation") ?? 0,
    replicas: pods.length,
    readyReplicas: ready.length,
    availableReplicas: available.length,
    updatedReplicas: updated.length,
    currentReplicas: pods.filter((it) => revisionOf(it) === current).length,
    currentRevision: current,
    updateRevision: update.name,
    collisionCount: 0
  })
  return ready.length > available.length ? 500 : undefined
})
