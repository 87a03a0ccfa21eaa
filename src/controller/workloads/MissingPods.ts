// MissingPods: why a controller can make no pods, in the words of the quota or policy that refuses them. StatefulSets and
// DaemonSets say it in Events alone, which are asked where a rollout of ours is judged and its pods are missing without a word.
// Optional: without the right to read them nobody knows. Edge: the judgement itself is workload/PutBack's.
import { Effect, Option, Schema } from "effect"
import type { Backup } from "../../image/BackupName.ts"
import { KubeClient } from "../../kube/KubeClient.ts"
import { Pacing } from "../../rewrite/Pacing.ts"
import { type Judgement, judgeRollout } from "../../workload/PutBack.ts"
import type { Workload } from "../../workload/Workload.ts"
import type { Decided } from "./DecideWorkload.ts"

const decode = Schema.decodeUnknownOption(Schema.Struct({
  items: Schema.Array(Schema.Struct({
    message: Schema.optionalKey(Schema.NullOr(Schema.String)),
    lastTimestamp: Schema.optionalKey(Schema.NullOr(Schema.String))
  }))
}))

/** What the last event of a pod refused since our patch says; undefined where there is none or they may not be read. */
const failedCreates = (
  client: KubeClient["Service"],
  { namespace, patchedAt = 0, uid }: Workload
): Effect.Effect<string | undefined> =>
  client.request({
    method: "GET",
    path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`,
    query: { fieldSelector: `involvedObject.uid=${uid},reason=FailedCreate` }
  }).pipe(
    Effect.map((list) => {
      const events = Option.getOrElse(decode(list), () => ({ items: [] })).items
      return events.filter((it) => Date.parse(it.lastTimestamp ?? "") >= patchedAt).toSorted((a, b) =>
        (a.lastTimestamp ?? "") < (b.lastTimestamp ?? "") ? 1 : -1
      )[0]?.message ??
        undefined
    }),
    Effect.catchTag("KubeError", (error) =>
      Effect.as(Effect.logDebug(`the events of ${namespace} cannot be read: ${error.message}`), undefined))
  )

/** How soon events are asked again for refused pods while pods are missing, in milliseconds. */
const eventsAgain = 30 * 1000

export const make = Effect.fnUntraced(function*(target: Backup) {
  const pacing = yield* Pacing
  const client = yield* KubeClient

  return Effect.fnUntraced(
    function*({ newestPods, now, pods, times, workload }: Decided): Effect.fn.Return<Judgement> {
      const seen = { ...times, harmless: pacing.isHarmless(workload) }
      const judged = judgeRollout({ workload, pods, newestPods, backup: target, seen, now })
      if (judged._tag !== "PodsMissing") return judged
      const detail = yield* failedCreates(client, workload)
      if (detail !== undefined) return { _tag: "NoPods", detail }
      // pods that come one after the other are missing, too
      const { otherwise } = judged
      return otherwise._tag === "Later" ? { ...otherwise, at: Math.min(otherwise.at, now + eventsAgain) } : otherwise
    }
  )
})
