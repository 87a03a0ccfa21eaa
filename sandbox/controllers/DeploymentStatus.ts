// A Deployment's status: counts, and the Available and Progressing conditions with the progress deadline.
// Source: kubernetes pkg/controller/deployment/{sync,progress}.go and util/deployment_util.go.
import { DateTime, Effect } from "effect"
import type { KubeClient } from "../../src/kube/KubeClient.ts"
import type { KubeError } from "../../src/kube/KubeError.ts"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

const sum = (sets: ReadonlyArray<JsonObject>, field: string): number =>
  sets.reduce((total, it) => total + (J.number(it, "status", field) ?? 0), 0)

const conditionOf = (object: JsonObject, type: string): JsonObject => {
  const found = J.list(object, "status", "conditions").find((it) => J.text(it, "type") === type)
  return J.isObject(found) ? found : {}
}

interface Condition {
  readonly type: string
  readonly status: "True" | "False"
  readonly reason: string
  readonly message: string
}

/** Times move when what the condition says moves: `update` when anything does, `transition` with the status. */
const written = (before: JsonObject, it: Condition, time: string, progressed: boolean): JsonObject => {
  const sameStatus = J.text(before, "status") === it.status
  const same = sameStatus && J.text(before, "reason") === it.reason && !progressed
  return {
    type: it.type,
    status: it.status,
    lastUpdateTime: same ? J.text(before, "lastUpdateTime") ?? time : time,
    lastTransitionTime: sameStatus ? J.text(before, "lastTransitionTime") ?? time : time,
    reason: it.reason,
    message: it.message
  }
}

const said = (status: "True" | "False", reason: string, message: string): Condition => ({
  type: "Progressing",
  status,
  reason,
  message
})

const progressing = (
  deployment: JsonObject,
  counts: Record<string, number>,
  fresh: JsonObject | undefined,
  now: number
): { readonly condition: Condition | undefined; readonly progressed: boolean; readonly again: number | undefined } => {
  const name = Worlds.nameOf(deployment)
  const what = fresh === undefined ? `Deployment "${name}"` : `ReplicaSet "${Worlds.nameOf(fresh)}"`
  const desired = J.number(deployment, "spec", "replicas") ?? 1
  const before = conditionOf(deployment, "Progressing")
  const updated = counts["updatedReplicas"] ?? 0
  const ready = counts["availableReplicas"] ?? 0
  const done = fresh !== undefined && updated === desired && counts["replicas"] === desired && ready >= desired
  if (done) {
    const condition = said("True", "NewReplicaSetAvailable", `${what} has successfully progressed.`)
    return { condition, progressed: false, again: undefined }
  }
  // what was complete once stays so, whatever becomes of its pods: the message names the ReplicaSet that it speaks of
  const wasDone = J.text(before, "reason") === "NewReplicaSetAvailable" && counts["replicas"] === updated &&
    J.text(before, "message")?.includes(what) === true
  if (wasDone) {
    const unchanged = said("True", "NewReplicaSetAvailable", J.text(before, "message") ?? "")
    return { condition: unchanged, progressed: false, again: undefined }
  }
  if (J.at(deployment, "spec", "paused") === true) {
    const unchanged = before["type"] === undefined
      ? undefined
      : said("True", J.text(before, "reason") ?? "", J.text(before, "message") ?? "")
    return { condition: unchanged, progressed: false, again: undefined }
  }
  const old = J.object(deployment, "status")
  const count = (field: string) => J.number(old, field) ?? 0
  const progressed = updated > count("updatedReplicas") || ready > count("availableReplicas") ||
    (counts["replicas"] ?? 0) - updated < count("replicas") - count("updatedReplicas") ||
    (counts["readyReplicas"] ?? 0) > count("readyReplicas") ||
    // A new template: its time starts now.
    J.text(before, "reason") === "NewReplicaSetAvailable"
  const deadline = (J.number(deployment, "spec", "progressDeadlineSeconds") ?? 600) * 1000
  const since = Date.parse(J.text(before, "lastUpdateTime") ?? "")
  const late = !progressed && Number.isFinite(since) && now - since > deadline
  const condition = late || (!progressed && J.text(before, "reason") === "ProgressDeadlineExceeded")
    ? said("False", "ProgressDeadlineExceeded", `${what} has timed out progressing.`)
    : said("True", "ReplicaSetUpdated", `${what} is progressing.`)
  const left = progressed || !Number.isFinite(since) ? deadline : since + deadline - now
  return { condition, progressed, again: late ? undefined : Math.max(100, left + 100) }
}

/** Writes what has changed; gives back in how many milliseconds a deadline must be looked at. */
export const write = Effect.fnUntraced(function*(
  world: World,
  deployment: JsonObject,
  sets: ReadonlyArray<JsonObject>,
  fresh: JsonObject | undefined
): Effect.fn.Return<number | undefined, KubeError, KubeClient> {
  const now = yield* Worlds.now
  const time = DateTime.formatIso(DateTime.makeUnsafe(now)).replace(/\.\d+Z$/, "Z")
  const desired = J.number(deployment, "spec", "replicas") ?? 1
  const counts = {
    replicas: sum(sets, "replicas"),
    updatedReplicas: fresh === undefined ? 0 : sum([fresh], "replicas"),
    readyReplicas: sum(sets, "readyReplicas"),
    availableReplicas: sum(sets, "availableReplicas")
  }
  const rolling = J.object(deployment, "spec", "strategy", "rollingUpdate")
  const slack = Worlds.resolve(rolling["maxUnavailable"], desired, Math.floor)
  const enough = counts.availableReplicas >= desired - slack
  const availability = written(
    conditionOf(deployment, "Available"),
    {
      type: "Available",
      status: enough ? "True" : "False",
      reason: enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
      message: enough ? "Deployment has minimum availability." : "Deployment does not have minimum availability."
    },
    time,
    false
  )
  const { again, condition, progressed } = progressing(deployment, counts, fresh, now)
  const conditions = [
    availability,
    ...(condition === undefined ? [] : [written(conditionOf(deployment, "Progressing"), condition, time, progressed)])
  ]
  yield* Worlds.writeStatus(world, "Deployment", deployment, {
    observedGeneration: J.number(deployment, "metadata", "generation") ?? 0,
    ...counts,
    unavailableReplicas: Math.max(0, desired - counts.availableReplicas, counts.replicas - counts.availableReplicas),
    conditions
  })
  return again
})
