// PullShowing: that pods can pull from the backup is shown for each set of pull secrets by one pod, before others are pointed there:
// by one of a Deployment that has another ready pod, or of what somebody named. Until it runs, the others of its set start from their
// originals. Edge: what is shown, and what rests, is kept by rewrite/Proofs, for patches and for this alike.
import { Effect } from "effect"
import type { Puller } from "../../admission/Surroundings.ts"
import { Pacing } from "../../rewrite/Pacing.ts"
import { WorkloadStore } from "../../store/WorkloadStore.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import { unshown } from "../../workload/PullSet.ts"
import { livePods } from "../../workload/Rollout.ts"

/** How many sets of a namespace may be tried at a time: whoever can make pods can name as many secrets as they like. */
const mostInNamespace = 4

/** How long a pod has to show it, before another may: scheduling, pulling and starting. In milliseconds. */
const patience = 10 * 60 * 1000

/** Makes the function that tells why a pod may not be pointed to copies; undefined: it may. */
export const make = Effect.gen(function*() {
  const pacing = yield* Pacing
  const store = yield* WorkloadStore
  /** By set, what is to show it and since when. */
  const trying = new Map<string, { readonly what: string; readonly namespace: string; readonly since: number }>()

  // a pod's own mark is written by whoever makes it, as often as they like
  const mayTry = ({ owners }: Puller): boolean => {
    const named = owners.find((it) => it.marks.rewrite !== undefined)?.marks.rewrite
    if (named === "admission" || named === "patch") return true
    const deployment = owners.at(-1)
    return deployment?.kind === "Deployment" && livePods(store.podsOf(deployment)).some((it) => it.ready)
  }

  return Effect.fnUntraced(function*(puller: Puller): Effect.fn.Return<string | undefined> {
    const { dryRun, owners, pod, set } = puller
    if (set === undefined) return unshown(set)
    if (yield* pacing.isProven(set)) {
      trying.delete(set.key)
      return undefined
    }
    const resting = yield* pacing.resting(set)
    if (resting !== undefined) return resting
    const now = yield* uptime
    const other = trying.get(set.key)
    if (other !== undefined && now - other.since < patience) {
      return `whether ${set.words} can pull from the backup is shown by a pod of ${other.what} first`
    }
    if (!mayTry(puller)) return unshown(set)
    if (!dryRun) {
      for (const [key, it] of trying) if (now - it.since >= patience) trying.delete(key)
      const { namespace } = pod.workload
      const others = [...trying.values()].filter((it) => it.namespace === namespace)
      if (others.length >= mostInNamespace) return `whether others of ${namespace} can pull is shown first`
      const what = owners.at(-1)?.key ?? pod.workload.key
      trying.set(set.key, { what, namespace, since: now })
      yield* Effect.logInfo(`a pod of ${what} shows whether ${set.words} can pull from the backup`)
    }
    return undefined
  })
})
