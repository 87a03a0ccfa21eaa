// Deployments: one ReplicaSet a template, rolled from the old ones to the new within maxSurge and maxUnavailable.
// Source: kubernetes pkg/controller/deployment (sync.go, rolling.go, recreate.go, progress.go).
import { Effect } from "effect"
import type { KubeClient } from "../../src/kube/KubeClient.ts"
import type { KubeError } from "../../src/kube/KubeError.ts"
import { uidOf } from "../client/Cache.ts"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import * as DeploymentStatus from "./DeploymentStatus.ts"
import * as Revision from "./Revision.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

const hashLabel = "pod-template-hash"
const revisionAnnotation = "deployment.kubernetes.io/revision"
const historyAnnotation = "deployment.kubernetes.io/revision-history"
/** Not copied from the Deployment to its ReplicaSets. */
const ownAnnotations = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  revisionAnnotation,
  historyAnnotation,
  "deployment.kubernetes.io/desired-replicas",
  "deployment.kubernetes.io/max-replicas",
  "deprecated.deployment.rollback.to"
])

const specReplicas = (set: JsonObject): number => J.number(set, "spec", "replicas") ?? 0
const available = (set: JsonObject): number => J.number(set, "status", "availableReplicas") ?? 0
const total = (sets: ReadonlyArray<JsonObject>): number => sets.reduce((sum, it) => sum + specReplicas(it), 0)
const revisionOf = (object: JsonObject): number =>
  Number(J.text(object, "metadata", "annotations", revisionAnnotation) ?? 0)
const oldestFirst = (one: JsonObject, other: JsonObject): number => revisionOf(one) - revisionOf(other)

const withoutHash = (template: JsonObject): JsonObject => {
  const copy = J.clone(template)
  delete J.ensure(copy, "metadata", "labels")[hashLabel]
  return copy
}

const sameTemplate = (set: JsonObject, deployment: JsonObject): boolean =>
  J.equal(
    withoutHash(J.object(set, "spec", "template")),
    withoutHash(J.object(deployment, "spec", "template"))
  )

/** Which revisions a ReplicaSet was when it becomes another (deployment util, SetNewReplicaSetAnnotations). */
const historyOf = (set: JsonObject): string => {
  const before = J.text(set, "metadata", "annotations", historyAnnotation)
  return before === undefined ? String(revisionOf(set)) : `${before},${revisionOf(set)}`
}

interface Budget {
  readonly desired: number
  readonly maxSurge: number
  readonly maxUnavailable: number
}

const budgetOf = (deployment: JsonObject): Budget => {
  const desired = J.number(deployment, "spec", "replicas") ?? 1
  const rolling = J.object(deployment, "spec", "strategy", "rollingUpdate")
  const maxSurge = Worlds.resolve(rolling["maxSurge"], desired, Math.ceil)
  const maxUnavailable = Worlds.resolve(rolling["maxUnavailable"], desired, Math.floor)
  return { desired, maxSurge, maxUnavailable: maxSurge === 0 && maxUnavailable === 0 ? 1 : maxUnavailable }
}

const scale = Effect.fnUntraced(function*(world: World, set: JsonObject, replicas: number) {
  if (specReplicas(set) === replicas) return set
  return yield* Worlds.patch(world, "ReplicaSet", set, { spec: { replicas } })
})

const createSet = Effect.fnUntraced(
  function*(world: World, deployment: JsonObject, revision: number, replicas: number) {
    const template = J.clone(J.object(deployment, "spec", "template"))
    const digest = Revision.hash(template, J.number(deployment, "status", "collisionCount") ?? 0)
    J.ensure(template, "metadata", "labels")[hashLabel] = digest
    const annotations = Object.entries(J.texts(deployment, "metadata", "annotations"))
      .filter(([key]) => !ownAnnotations.has(key))
    const { desired, maxSurge } = budgetOf(deployment)
    const selector = J.clone(J.object(deployment, "spec", "selector"))
    J.ensure(selector, "matchLabels")[hashLabel] = digest
    return yield* Worlds.create(world, "ReplicaSet", Worlds.namespaceOf(deployment), {
      metadata: {
        name: `${Worlds.nameOf(deployment)}-${digest}`,
        labels: J.texts(template, "metadata", "labels"),
        annotations: {
          ...Object.fromEntries(annotations),
          [revisionAnnotation]: String(revision),
          "deployment.kubernetes.io/desired-replicas": String(desired),
          "deployment.kubernetes.io/max-replicas": String(desired + maxSurge)
        },
        ownerReferences: [Worlds.controlledBy("Deployment", deployment)]
      },
      spec: {
        replicas,
        selector,
        template,
        ...(J.number(deployment, "spec", "minReadySeconds") === undefined
          ? {}
          : { minReadySeconds: J.number(deployment, "spec", "minReadySeconds") ?? 0 })
      }
    })
  }
)

/** The ReplicaSet of the present template, created (or brought to the newest revision) if it must be. */
const newSet = Effect.fnUntraced(function*(
  world: World,
  deployment: JsonObject,
  sets: ReadonlyArray<JsonObject>,
  recreate: boolean
) {
  const found = sets.toSorted(oldestFirst).find((it) => sameTemplate(it, deployment))
  const olds = sets.filter((it) => it !== found)
  const revision = Math.max(0, ...olds.map(revisionOf)) + 1
  const { desired, maxSurge } = budgetOf(deployment)
  const room = Math.max(0, desired + maxSurge - total(olds))
  const first = recreate ? (total(olds) === 0 ? desired : 0) : Math.min(desired, room)
  const current = found ?? (yield* createSet(world, deployment, revision, first))
  const annotations = { [revisionAnnotation]: String(revision), [historyAnnotation]: historyOf(current) }
  const set = revisionOf(current) >= revision
    ? current
    : yield* Worlds.patch(world, "ReplicaSet", current, { metadata: { annotations } })
  if (revisionOf(deployment) !== revisionOf(set)) {
    // Through the status, as the real controller does: no new generation for it.
    yield* Worlds.patch(
      world,
      "Deployment",
      deployment,
      { metadata: { annotations: { [revisionAnnotation]: String(revisionOf(set)) } } },
      "status"
    )
  }
  return { set, olds }
})

/** Old replicas that are not available go first, whatever else there is: they serve nobody. */
const scaleDown = Effect.fnUntraced(function*(
  world: World,
  budget: Budget,
  set: JsonObject,
  olds: ReadonlyArray<JsonObject>
) {
  const minAvailable = budget.desired - budget.maxUnavailable
  const spare = total([set, ...olds]) - minAvailable - (specReplicas(set) - available(set))
  let left = Math.max(0, spare)
  const current: Array<JsonObject> = []
  for (const old of olds.toSorted(oldestFirst)) {
    const unhealthy = Math.min(left, Math.max(0, specReplicas(old) - available(old)))
    left -= unhealthy
    current.push(yield* scale(world, old, specReplicas(old) - unhealthy))
  }
  let healthy = [set, ...current].reduce((sum, it) => sum + Math.min(specReplicas(it), available(it)), 0) - minAvailable
  for (const old of current) {
    const down = Math.max(0, Math.min(healthy, left, specReplicas(old)))
    healthy -= down
    left -= down
    yield* scale(world, old, specReplicas(old) - down)
  }
})

const roll = Effect.fnUntraced(function*(
  world: World,
  deployment: JsonObject,
  set: JsonObject,
  olds: ReadonlyArray<JsonObject>
) {
  const budget = budgetOf(deployment)
  const room = budget.desired + budget.maxSurge - total([set, ...olds])
  const more = Math.max(0, Math.min(room, budget.desired - specReplicas(set)))
  const target = specReplicas(set) > budget.desired ? budget.desired : specReplicas(set) + more
  const scaled = yield* scale(world, set, target)
  yield* scaleDown(world, budget, scaled, olds)
})

const recreate = Effect.fnUntraced(function*(
  world: World,
  deployment: JsonObject,
  set: JsonObject,
  olds: ReadonlyArray<JsonObject>
) {
  for (const old of olds) yield* scale(world, old, 0)
  const running = olds.some((old) => Worlds.podsOf(world, old).length > 0)
  if (!running) yield* scale(world, set, budgetOf(deployment).desired)
})

/** Old ReplicaSets without pods beyond what history keeps. */
const forget = Effect.fnUntraced(function*(world: World, deployment: JsonObject, olds: ReadonlyArray<JsonObject>) {
  const limit = J.number(deployment, "spec", "revisionHistoryLimit") ?? 10
  const idle = olds.filter((it) => specReplicas(it) === 0 && (J.number(it, "status", "replicas") ?? 0) === 0)
  for (const old of idle.toSorted(oldestFirst).slice(0, Math.max(0, olds.length - limit))) {
    yield* Worlds.remove(world, "ReplicaSet", old)
  }
})

const setsOf = (world: World, deployment: JsonObject): ReadonlyArray<JsonObject> =>
  world.caches.ReplicaSet.ownedBy(uidOf(deployment)).filter((it) => !Worlds.isTerminating(it))

export const reconcile = Effect.fnUntraced(function*(
  world: World,
  deployment: JsonObject
): Effect.fn.Return<number | undefined, KubeError, KubeClient> {
  if (Worlds.isTerminating(deployment)) return undefined
  const isRecreate = J.text(deployment, "spec", "strategy", "type") === "Recreate"
  const latest = () =>
    world.caches.Deployment.get(Worlds.namespaceOf(deployment), Worlds.nameOf(deployment)) ?? deployment
  if (J.at(deployment, "spec", "paused") === true) {
    // Only the size is followed while it is paused.
    const sets = setsOf(world, deployment)
    const active = sets.filter((it) => specReplicas(it) > 0)
    const [only] = active
    if (only !== undefined && active.length === 1) yield* scale(world, only, budgetOf(deployment).desired)
    return yield* DeploymentStatus.write(
      world,
      latest(),
      setsOf(world, deployment),
      sets.find((it) => sameTemplate(it, deployment))
    )
  }
  const { olds, set } = yield* newSet(world, deployment, setsOf(world, deployment), isRecreate)
  yield* isRecreate ? recreate(world, deployment, set, olds) : roll(world, deployment, set, olds)
  const sets = setsOf(world, deployment)
  const fresh = sets.find((it) => uidOf(it) === uidOf(set))
  const again = yield* DeploymentStatus.write(world, latest(), sets, fresh)
  yield* forget(world, deployment, sets.filter((it) => uidOf(it) !== uidOf(set)))
  return again
})
