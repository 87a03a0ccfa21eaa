// JudgeRollout: whether a rollout of ours has to be undone: PutBack's rule, and where pods are missing without a word, the events that
// say why none can be made.
import { Effect } from "effect"
import type { Backup } from "../../image/BackupName.ts"
import { KubeClient } from "../../kube/KubeClient.ts"
import { Pacing } from "../../rewrite/Pacing.ts"
import { type Judgement, putBackOf } from "../../workload/PutBack.ts"
import type { Decided } from "./DecideWorkload.ts"
import { failedCreates } from "./FailedCreates.ts"

/** How soon events are asked again for refused pods while pods are missing, in milliseconds. */
const eventsAgain = 30 * 1000

export const make = Effect.fnUntraced(function*(target: Backup) {
  const pacing = yield* Pacing
  const client = yield* KubeClient

  return Effect.fnUntraced(
    function*({ newestPods, now, pods, times, workload }: Decided): Effect.fn.Return<Judgement> {
      const seen = { ...times, harmless: pacing.isHarmless(workload) }
      const judged = putBackOf({ workload, pods, newestPods, backup: target, seen, now })
      if (judged._tag !== "PodsMissing") return judged
      const detail = yield* failedCreates(client, workload)
      if (detail !== undefined) return { _tag: "NoPods", detail }
      // pods that come one after the other are missing, too
      const { otherwise } = judged
      return otherwise._tag === "Later" ? { ...otherwise, at: Math.min(otherwise.at, now + eventsAgain) } : otherwise
    }
  )
})
