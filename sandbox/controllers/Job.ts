// Jobs, as small as they can be: pods until enough have succeeded, or too many have failed.
// Source: kubernetes pkg/controller/job; no indexes, no pod failure policies, no tracking finalizers.
import { Effect } from "effect"
import type { KubeClient } from "../../src/kube/KubeClient.ts"
import type { KubeError } from "../../src/kube/KubeError.ts"
import { timestamp } from "../cluster/Api.ts"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

const phase = (pod: JsonObject): string => J.text(pod, "status", "phase") ?? ""

const ended = (type: string, reason: string, message: string, time: string): JsonObject => ({
  type,
  status: "True",
  lastProbeTime: time,
  lastTransitionTime: time,
  reason,
  message
})

export const reconcile = Effect.fnUntraced(function*(
  world: World,
  job: JsonObject
): Effect.fn.Return<number | undefined, KubeError, KubeClient> {
  const done = J.list(job, "status", "conditions").some((it) =>
    ["Complete", "Failed"].includes(J.text(it, "type") ?? "") && J.text(it, "status") === "True"
  )
  if (Worlds.isTerminating(job) || done || J.at(job, "spec", "suspend") === true) return undefined
  const completions = J.number(job, "spec", "completions") ?? 1
  const parallelism = J.number(job, "spec", "parallelism") ?? 1
  const pods = Worlds.podsOf(world, job)
  const succeeded = pods.filter((it) => phase(it) === "Succeeded").length
  const failed = pods.filter((it) => phase(it) === "Failed").length
  const lost = failed > (J.number(job, "spec", "backoffLimit") ?? 6)
  const active = pods.filter(Worlds.isActive).length
  const missing = lost ? 0 : Math.min(parallelism, completions - succeeded) - active
  for (let count = missing; count > 0; count--) {
    const pod = Worlds.podFrom(J.object(job, "spec", "template"), Worlds.controlledBy("Job", job), {
      generateName: `${Worlds.nameOf(job)}-`
    })
    yield* Worlds.create(world, "Pod", Worlds.namespaceOf(job), pod)
  }
  const now = yield* timestamp
  const started = J.text(job, "status", "startTime") ?? now
  const counts = { startTime: started, active: Math.max(0, active + Math.max(0, missing)), succeeded, failed, ready: 0 }
  if (succeeded >= completions) {
    const message = "Reached expected number of succeeded pods"
    yield* Worlds.writeStatus(world, "Job", job, {
      ...counts,
      active: 0,
      completionTime: now,
      conditions: [
        ended("SuccessCriteriaMet", "CompletionsReached", message, now),
        ended("Complete", "CompletionsReached", message, now)
      ]
    })
  } else if (lost) {
    const message = "Job has reached the specified backoff limit"
    const conditions = ["FailureTarget", "Failed"].map((it) => ended(it, "BackoffLimitExceeded", message, now))
    yield* Worlds.writeStatus(world, "Job", job, { ...counts, active: 0, conditions })
  } else yield* Worlds.writeStatus(world, "Job", job, counts)
  return undefined
})
