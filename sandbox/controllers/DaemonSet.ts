// DaemonSets: one pod a node, replaced within maxUnavailable when the template changes.
// Source: kubernetes pkg/controller/daemon (daemon_controller.go, update.go).
import { Effect } from "effect"
import type { KubeClient } from "../../src/kube/KubeClient.ts"
import type { KubeError } from "../../src/kube/KubeError.ts"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import * as Revision from "./Revision.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

const revisionLabel = "controller-revision-hash"
const generationLabel = "pod-template-generation"
const field = "metadata.name"

/** The node a daemon's pod is for: its own, or the one its affinity names. */
const nodeOf = (pod: JsonObject): string => {
  const bound = J.text(pod, "spec", "nodeName") ?? ""
  if (bound !== "") return bound
  const affinity = J.object(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
  return J.text(affinity, "nodeSelectorTerms", 0, "matchFields", 0, "values", 0) ?? ""
}

const createPod = Effect.fnUntraced(function*(world: World, set: JsonObject, revision: string, node: string) {
  const pod = Worlds.podFrom(J.object(set, "spec", "template"), Worlds.controlledBy("DaemonSet", set), {
    generateName: `${Worlds.nameOf(set)}-`,
    labels: {
      [revisionLabel]: revision,
      [generationLabel]: J.text(set, "metadata", "annotations", "deprecated.daemonset.template.generation") ?? "1"
    }
  })
  const nodeAffinity = {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchFields: [{ key: field, operator: "In", values: [node] }] }]
    }
  }
  const spec = { ...J.object(pod, "spec"), affinity: { nodeAffinity } }
  yield* Worlds.create(world, "Pod", Worlds.namespaceOf(set), { ...pod, spec })
})

const fits = (set: JsonObject, node: JsonObject): boolean => {
  const labels = J.texts(node, "metadata", "labels")
  return Object.entries(J.texts(set, "spec", "template", "spec", "nodeSelector"))
    .every(([key, value]) => labels[key] === value)
}

export const reconcile = Effect.fnUntraced(function*(
  world: World,
  set: JsonObject
): Effect.fn.Return<number | undefined, KubeError, KubeClient> {
  if (Worlds.isTerminating(set)) return undefined
  const revision = (yield* Revision.current(world, "DaemonSet", set)).name.slice(Worlds.nameOf(set).length + 1)
  const nodes = [...world.caches.Node.all()].filter((it) => fits(set, it)).map(Worlds.nameOf)
  const now = yield* Worlds.now
  const minReady = J.number(set, "spec", "minReadySeconds") ?? 0
  const isUp = (pod: JsonObject) => Worlds.isAvailable(pod, minReady, now)
  const active = () => Worlds.podsOf(world, set).filter(Worlds.isActive)

  for (const node of nodes) {
    const here = Worlds.podsOf(world, set).filter((it) => nodeOf(it) === node)
    // One that is going keeps its place until it is gone.
    if (here.length === 0) yield* createPod(world, set, revision, node)
  }
  for (const pod of active()) if (!nodes.includes(nodeOf(pod))) yield* Worlds.remove(world, "Pod", pod)

  if (J.text(set, "spec", "updateStrategy", "type") !== "OnDelete") {
    const rolling = J.object(set, "spec", "updateStrategy", "rollingUpdate")
    const limit = Math.max(1, Worlds.resolve(rolling["maxUnavailable"] ?? 1, nodes.length, Math.ceil))
    const old = active().filter((it) => J.text(it, "metadata", "labels", revisionLabel) !== revision)
    const down = nodes.filter((node) => !active().some((it) => nodeOf(it) === node && isUp(it))).length
    // What does not serve anyway can go at once; of what does, as many as may be missing.
    const dead = old.filter((it) => !isUp(it))
    const alive = old.filter(isUp).slice(0, Math.max(0, limit - down))
    for (const pod of [...dead, ...alive]) yield* Worlds.remove(world, "Pod", pod)
  }

  const pods = active()
  const count = (keep: (pod: JsonObject) => boolean) =>
    pods.filter((it) => nodes.includes(nodeOf(it)) && keep(it)).length
  const available = count(isUp)
  yield* Worlds.writeStatus(world, "DaemonSet", set, {
    observedGeneration: J.number(set, "metadata", "generation") ?? 0,
    desiredNumberScheduled: nodes.length,
    currentNumberScheduled: count(() => true),
    updatedNumberScheduled: count((it) => J.text(it, "metadata", "labels", revisionLabel) === revision),
    numberReady: count(Worlds.isReady),
    numberAvailable: available,
    numberUnavailable: nodes.length - available,
    numberMisscheduled: pods.length - count(() => true)
  })
  return count(Worlds.isReady) > available ? 500 : undefined
})
