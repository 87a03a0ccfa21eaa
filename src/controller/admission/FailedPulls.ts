// FailedPulls: pods that were pointed to copies as they were made and lastingly cannot pull them. They are named with what helps,
// and their set rests. Nothing is done to them: whoever owns a pod deletes it. Templates that name copies are PutBackWorkload's.
import { Clock, Effect, Result } from "effect"
import type { Backup } from "../../image/BackupName.ts"
import { format, parse } from "../../image/ImageReference.ts"
import { Pacing } from "../../rewrite/Pacing.ts"
import { type Images, Inventory } from "../../store/Inventory.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import { type Workloads, WorkloadStore } from "../../store/WorkloadStore.ts"
import { verifiedOriginals } from "../../workload/Originals.ts"
import { isRefusal } from "../../workload/PullSet.ts"
import { cannotPull, lasting, livePods } from "../../workload/Rollout.ts"
import type { ContainerState, Pod } from "../../workload/Workload.ts"
import { pullSetOfSeen } from "../PullSets.ts"
import { ImageQueue } from "../Queues.ts"

interface Stores {
  readonly store: Workloads
  readonly inventory: Images
}

/** A copy that a pod waits for. */
interface Failing {
  readonly container: ContainerState
  /** What it is the copy of. */
  readonly source: string
}

/** The source whose copy is known to be there: else anybody could name one that is not, and have the set of others rest. */
const copiedSource = (inventory: Images, original: string | undefined): string | undefined => {
  const source = Result.getOrUndefined(Result.map(parse(original ?? ""), format))
  return source !== undefined && inventory.state(source)?._tag === "BackedUp" ? source : undefined
}

/** The container of a pod that waits for a copy to which its template did not point it. */
const failingOf = ({ inventory, store }: Stores, pod: Pod, backup: Backup): Failing | undefined => {
  if (!pod.containers.some(cannotPull)) return undefined
  const [owner] = store.ownersOf(pod.workload)
  const originals = verifiedOriginals(pod.workload, backup)
  for (const container of pod.containers.filter(cannotPull)) {
    const source = copiedSource(inventory, originals.get(container.container))
    const isOfTemplate = owner?.images.some((it) =>
      it.container === container.container && it.image === container.image
    )
    if (source !== undefined && isOfTemplate !== true) return { container, source }
  }
  return undefined
}

const wayOn = ({ workload: { name, namespace, owner } }: Pod, rests: boolean): string => {
  // where others of its set can pull, a new one is pointed there, too
  const then = rests ? "starts from the original" : "tries it again"
  return owner === undefined
    ? `made anew, it ${then}`
    : `kubectl delete pod -n ${namespace} ${name} makes a new one, which ${then}`
}

/** Makes the look at all pods, to be taken every few seconds. */
export const make = Effect.fnUntraced(function*(backup: Backup) {
  const store = yield* WorkloadStore
  const inventory = yield* Inventory
  const pacing = yield* Pacing
  const images = yield* ImageQueue
  /** By pod, since when it fails, and whether that was said, and that the backup refuses it: the words may come later. */
  const failing = new Map<string, { readonly since: number; said: boolean; refused: boolean }>()

  const look: Effect.Effect<void> = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const seen = new Set<string>()
    for (const pod of livePods([...store.pods])) {
      const waiting = failingOf({ store, inventory }, pod, backup)
      if (waiting === undefined) continue
      const { container, source } = waiting
      // the manifest may be there, and what it names not
      if (inventory.suspect(source, yield* uptime)) yield* images.offer(source)
      const { key, namespace, name } = pod.workload
      seen.add(key)
      const found = failing.get(key) ?? { since: now, said: false, refused: false }
      failing.set(key, found)
      const refused = isRefusal(container.message)
      if (now - found.since < lasting || (found.said && (found.refused || !refused))) continue
      found.said = true
      found.refused ||= refused
      const detail = `pod ${namespace}/${name} cannot pull ${container.image}: ${
        container.message ?? container.waiting
      }`
      const set = pullSetOfSeen(store, pod)
      const rests = set !== undefined && (refused || !(yield* pacing.isProven(set)))
      if (rests) yield* pacing.pullFailed(set, detail, refused)
      yield* Effect.logWarning(`${detail}; it was pointed there as it was made. ${wayOn(pod, rests)}`)
    }
    for (const key of failing.keys()) if (!seen.has(key)) failing.delete(key)
  })
  return { look }
})
