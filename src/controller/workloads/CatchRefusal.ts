// CatchRefusal: what becomes of a patch that the API server refuses: a reason for people, and a rest.
import { Duration, Effect } from "effect"
import type { KubeError } from "../../kube/KubeError.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import type { Plan } from "../../workload/Plan.ts"
import type { Verdict } from "../../workload/Verdict.ts"
import { WorkloadQueue } from "../Queues.ts"
import type { Rests } from "./Rests.ts"

/** How long a workload rests after a policy or a missing right refused its patch: somebody has to do something first. */
const afterRefusal = Duration.minutes(5)

export const refusedFor = (why: string): Verdict => ({ _tag: "Held", reason: "refused", detail: why })

/** Makes the function that patches a workload and says `refused` of it where that fails; `rests` remembers until when. */
export const make = Effect.fnUntraced(function*(rests: Rests) {
  const workloads = yield* WorkloadQueue
  return <A>(patching: Effect.Effect<A, KubeError>, of: Plan): Effect.Effect<A | Verdict> =>
    Effect.catchTag(
      patching,
      "KubeError",
      Effect.fnUntraced(function*(error) {
        yield* Effect.logWarning(`the patch was refused: ${error.message}`)
        const patience = error.reason === "Denied" || error.reason === "Forbidden" ? afterRefusal : Duration.zero
        const wait = yield* workloads.offerFailed(of.workload.key, { atLeast: error.retryAfter ?? patience })
        rests.refused(of.workload, error.message, (yield* uptime) + Duration.toMillis(wait))
        return refusedFor(error.message)
      })
    )
})
