// FailedCreates: why a controller can make no pods, in the words of the quota or policy that refuses them. StatefulSets and
// DaemonSets say it in Events alone. Optional: without the right to read them the answer is that nobody knows.
import { Effect, Option, Schema } from "effect"
import type { KubeClient } from "../../kube/KubeClient.ts"
import type { Workload } from "../../workload/Workload.ts"

const decode = Schema.decodeUnknownOption(Schema.Struct({
  items: Schema.Array(Schema.Struct({
    message: Schema.optionalKey(Schema.NullOr(Schema.String)),
    lastTimestamp: Schema.optionalKey(Schema.NullOr(Schema.String))
  }))
}))

/** What the last event of a pod refused since our patch says; undefined where there is none or they may not be read. */
export const failedCreates = (
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
