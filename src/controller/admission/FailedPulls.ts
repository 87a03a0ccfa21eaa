// FailedPulls: pods that were pointed to copies as they were made and lastingly cannot pull them. They are named with what helps,
// and their set rests, or the node that cannot reach the backup. Nothing is done to them: whoever owns a pod deletes it. Templates that
// name copies are PutBackWorkload's; of their pods only the nodes are learned.
import { Clock, Effect, Result, SubscriptionRef } from "effect"
import type { Backup } from "../../image/BackupName.ts"
import { format, parse } from "../../image/ImageReference.ts"
import { Pacing } from "../../rewrite/Pacing.ts"
import type { Settings } from "../../settings/Settings.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { type Images, Inventory } from "../../store/Inventory.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import { type Workloads, WorkloadStore } from "../../store/WorkloadStore.ts"
import { verifiedOriginals } from "../../workload/Originals.ts"
import { isOutOfReach, isRefusal, runningCopies } from "../../workload/PullSet.ts"
import { cannotPull, lasting, livePods } from "../../workload/Rollout.ts"
import type { ContainerState, Pod } from "../../workload/Workload.ts"
import { pullSetOfSeen } from "../PullSets.ts"
import { ImageQueue } from "../Queues.ts"
import { describeRest, type NodePulls } from "./NodePulls.ts"

interface Stores {
  readonly store: Workloads
  readonly inventory: Images
}

/** A copy that a pod waits for. */
interface Failing {
  readonly container: ContainerState
  /** What it is the copy of. */
  readonly source: string
  /** Its template names the copy. */
  readonly byTemplate: boolean
}

/** For how long a node has to fail: an outage shows at the pods before it shows to us. In milliseconds. */
const nodeFailsFor = 2 * lasting

/** The source whose copy is known to be there: else anybody could name one that is not, and have the set of others rest. */
const copiedSource = (inventory: Images, original: string | undefined): string | undefined => {
  const source = Result.getOrUndefined(Result.map(parse(original ?? ""), format))
  return source !== undefined && inventory.state(source)?._tag === "BackedUp" ? source : undefined
}

/** The container of a pod that waits for a copy, one to which its template did not point it before others. */
const failingOf = ({ inventory, store }: Stores, pod: Pod, backup: Backup): Failing | undefined => {
  if (!pod.containers.some(cannotPull)) return undefined
  const [owner] = store.ownersOf(pod.workload)
  const originals = verifiedOriginals(pod.workload, backup)
  const waiting = pod.containers.filter(cannotPull).flatMap((container): ReadonlyArray<Failing> => {
    const source = copiedSource(inventory, originals.get(container.container))
    const isOfTemplate = owner?.images.some((it) =>
      it.container === container.container && it.image === container.image
    )
    return source === undefined ? [] : [{ container, source, byTemplate: isOfTemplate === true }]
  })
  return waiting.find((it) => !it.byTemplate) ?? waiting[0]
}

/** What is known of a pod that fails. */
interface Found {
  readonly since: number
  /** Whether it was named. */
  said: boolean
  /** Whether it was said that the backup refuses it: the words may come later. */
  refused: boolean
  /** Whether it tells no more of its node. */
  counted: boolean
}

const wayOn = ({ workload: { name, namespace, owner } }: Pod, rests: boolean): string => {
  // where others of its set can pull, a new one is pointed there, too
  const then = rests ? "starts from the original" : "tries it again"
  return owner === undefined
    ? `made anew, it ${then}`
    : `kubectl delete pod -n ${namespace} ${name} makes a new one, which ${then}`
}

/** Whether new pods start from their originals where the backup may not be counted on; else a node is nobody's matter. */
const leaves = ({ BACKUP_DOWN, DRY_RUN, MUTATING_WEBHOOK, REWRITE_MODE }: Settings): boolean =>
  MUTATING_WEBHOOK === "on" && REWRITE_MODE !== "off" && BACKUP_DOWN === "skip" && !DRY_RUN

/** What one look knows beside the pod. */
interface Around {
  readonly settings: Settings
  readonly runsCopy: (node: string) => boolean
}

/** Walks over all pods once, and only if it is asked. */
const makeRunsCopy = (store: Workloads, backup: Backup): Around["runsCopy"] => {
  let nodes: ReadonlySet<string> | undefined
  return (node) => {
    nodes ??= new Set([...store.pods].flatMap((it) => runningCopies(it, backup).length > 0 ? it.node ?? [] : []))
    return nodes.has(node)
  }
}

interface Options {
  readonly backup: Backup
  readonly nodes: NodePulls
  /** Why the backup may not be counted on, whatever its nodes. */
  readonly backupFails: (now: number) => string | undefined
}

/** Makes the look at all pods, to be taken every few seconds. */
export const make = Effect.fnUntraced(function*({ backup, backupFails, nodes }: Options) {
  const store = yield* WorkloadStore
  const inventory = yield* Inventory
  const pacing = yield* Pacing
  const images = yield* ImageQueue
  const settings = yield* SettingsRef
  const failing = new Map<string, Found>()

  /** Whether it has told all of its node: that it rests, where a working node has no way to the backup, or nothing. */
  const restsNode = Effect.fnUntraced(
    function*(pod: Pod, message: string | undefined, failsFor: number, around: Around) {
      const { name, namespace } = pod.workload
      const up = yield* uptime
      // an outage is no node's fault, and the words of it stay for minutes after it: pods that are made later tell
      if (backupFails(up) !== undefined) return true
      const { node } = pod
      if (failsFor < nodeFailsFor || node === undefined || !leaves(around.settings)) return false
      if (!store.nodeReady(node) || !isOutOfReach(message) || around.runsCopy(node)) return false
      if (nodes.failed(node, up)) {
        yield* Effect.logWarning(`${describeRest(node, backup.registry)}; pod ${namespace}/${name} says: ${message}`)
      }
      return true
    }
  )

  const examine = Effect.fnUntraced(function*(
    pod: Pod,
    { byTemplate, container }: Failing,
    found: Found,
    around: Around
  ) {
    const failsFor = (yield* Clock.currentTimeMillis) - found.since
    const { message = container.waiting } = container
    const refused = isRefusal(container.message)
    // who was refused was there
    found.counted ||= found.refused || refused
    if (!found.counted) found.counted = yield* restsNode(pod, message, failsFor, around)
    if (byTemplate || failsFor < lasting || (found.said && (found.refused || !refused))) return
    found.said = true
    found.refused ||= refused
    const detail = `pod ${pod.workload.namespace}/${pod.workload.name} cannot pull ${container.image}: ${message}`
    const set = pullSetOfSeen(store, pod)
    const rests = set !== undefined && (refused || !(yield* pacing.isProven(set)))
    if (rests) yield* pacing.pullFailed(set, detail, refused)
    yield* Effect.logWarning(`${detail}; it was pointed there as it was made. ${wayOn(pod, rests)}`)
  })

  const look: Effect.Effect<void> = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const up = yield* uptime
    const around: Around = { settings: yield* SubscriptionRef.get(settings), runsCopy: makeRunsCopy(store, backup) }
    const seen = new Set<string>()
    for (const pod of livePods([...store.pods])) {
      const waiting = failingOf({ store, inventory }, pod, backup)
      if (waiting === undefined) continue
      // the manifest may be there, and what it names not
      if (!waiting.byTemplate && inventory.suspect(waiting.source, up)) yield* images.offer(waiting.source)
      const { key } = pod.workload
      seen.add(key)
      const found = failing.get(key) ?? { since: now, said: false, refused: false, counted: false }
      failing.set(key, found)
      yield* examine(pod, waiting, found, around)
    }
    for (const key of failing.keys()) if (!seen.has(key)) failing.delete(key)
    nodes.expire(up, (name) => store.nodeGone(name) || around.runsCopy(name))
  })
  return { look }
})
