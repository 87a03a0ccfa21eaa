// Pacing: who may start a rollout now. At most MAX_CONCURRENT_ROLLOUTS of ours at once, waiting namespaces take turns,
// one at a time until a pod has been seen running from the backup, none where rollouts of ours are stuck (invariant 13).
// What is under way is counted from the cluster; the only memory is what the cluster does not show yet.
import { Clock, Context, Duration, Effect, Layer, Metric } from "effect"
import type { Backup } from "../image/BackupName.ts"
import { rolloutsInFlight } from "../telemetry/Metrics.ts"
import { kindOf } from "../workload/Kinds.ts"
import { provesPulling, rolloutState } from "../workload/OurRollout.ts"
import type { RewriteAs } from "../workload/Plan.ts"
import type { HoldReason } from "../workload/Reason.ts"
import { missing } from "../workload/Rollout.ts"
import type { Pod, Workload } from "../workload/Workload.ts"
import { Places } from "./Places.ts"
import { Turns } from "./Turns.ts"

export type Admission =
  | { readonly _tag: "Go" }
  | {
    readonly _tag: "Held"
    readonly reason: Extract<HoldReason, "paced" | "paused" | "pull-unproven">
    readonly detail: string
  }

/** How long patching rests after pods could not pull from the backup, before one rollout tries again. */
export const PullRest = Context.Reference<{ readonly first: Duration.Duration; readonly most: Duration.Duration }>(
  "image-cloner/rewrite/PullRest",
  { defaultValue: () => ({ first: Duration.minutes(2), most: Duration.hours(1) }) }
)

interface Rest {
  readonly until: number
  readonly times: number
  readonly detail: string
}

/** In how many namespaces rollouts may be stuck before all stop. */
const stuckNamespaces = 3

/** How long others wait for a Deployment whose images are still being copied, in milliseconds: a slow one delays nobody for long. */
const longestPreference = 10 * 60 * 1000

/** How many cures may be under way for each place of a rollout. */
const curesPerPlace = 4

/** Scope of a rest that stops every namespace. */
const everywhere = "*"

const isPreferred = (workload: Workload): boolean =>
  workload.kind === "Deployment" && (workload.strategy ?? "RollingUpdate") === "RollingUpdate"

const go: Admission = { _tag: "Go" }

const held = (reason: "paced" | "paused" | "pull-unproven", detail: string): Admission => ({
  _tag: "Held",
  reason,
  detail
})

export interface Request {
  /** What is harmless takes no place, and cures have places of their own. */
  readonly as: RewriteAs
  /** MAX_CONCURRENT_ROLLOUTS. */
  readonly limit: number
  /** Whether a Deployment that rolls may be ready to be rewritten soon. */
  readonly preferredComing: boolean
}

/** The state of pacing; one instance, used by Pacing alone. */
const make = (rest: { readonly first: Duration.Duration; readonly most: Duration.Duration }) => {
  const places = new Places()
  const proven = new Set<string>()
  const rests = new Map<string, Rest>()
  const turns = new Turns()
  /** Held for another reason than their turn, and whether that reason may have ended. */
  const aside = new Set<string>()
  /** Those of them that let a Deployment go first, and since when the first did. */
  const yielding = new Set<string>()
  let yieldingSince: number | undefined
  let opened = false

  const resting = (namespace: string, now: number): Admission | undefined => {
    const found = [rests.get(everywhere), rests.get(namespace)].find((it) => it !== undefined && it.until > now)
    return found === undefined ? undefined : held("pull-unproven", found.detail)
  }

  const stopped = (namespace: string): Admission | undefined => {
    const { stuck } = places
    const here = stuck.get(namespace)
    if (here !== undefined) return held("paused", `rollouts in ${namespace} are stopped: ${here}`)
    return stuck.size >= stuckNamespaces
      ? held("paused", `rollouts are stuck in ${[...stuck.keys()].join(", ")}, so all are stopped`)
      : undefined
  }

  /** Until pulling is proven, one rollout at a time: anywhere at first, then in each namespace. */
  const unproven = (workload: Workload): Admission | undefined => {
    if (proven.has(workload.namespace)) return undefined
    const [other] =
      [...places.taken()].find(([, namespace]) => proven.size === 0 || namespace === workload.namespace) ?? []
    return other === undefined
      ? undefined
      : held("paced", `${other} shows first whether pods can pull from the backup`)
  }

  const yields = (workload: Workload, preferredComing: boolean, now: number): Admission | undefined => {
    if (proven.size > 0 || !preferredComing || isPreferred(workload)) return undefined
    yieldingSince ??= now
    if (now - yieldingSince > longestPreference) return undefined
    yielding.add(workload.key)
    return held("paced", "a Deployment with a rolling update goes first, to show whether pods can pull from the backup")
  }

  const prove = (namespace: string): void => {
    if (proven.has(namespace)) return
    proven.add(namespace)
    rests.delete(namespace)
    rests.delete(everywhere)
    opened = true
  }

  const leave = (key: string, namespace: string): void => {
    turns.leave(key, namespace)
    aside.delete(key)
    yielding.delete(key)
  }

  const admitCure = (workload: Workload, limit: number): Admission => {
    const most = limit * curesPerPlace
    if (places.taken(true).size >= most) {
      aside.add(workload.key)
      return held("paced", `${most} workloads are being cured`)
    }
    leave(workload.key, workload.namespace)
    places.reserve(workload, "cure")
    return go
  }

  const admit = (workload: Workload, request: Request, now: number): Admission => {
    const { key, namespace } = workload
    yielding.delete(key)
    // what was looked at is older than our own patch: another one would be refused, and give the place of the first away
    if (places.isPatched(key)) return held("paced", "its own patch has not been seen yet")
    if (request.as === "cure") return admitCure(workload, request.limit)
    const harmless = request.as === "harmless"
    const hold = resting(namespace, now) ??
      (harmless
        ? undefined
        : stopped(namespace) ?? unproven(workload) ?? yields(workload, request.preferredComing, now))
    if (hold !== undefined) {
      turns.leave(key, namespace)
      aside.add(key)
      return hold
    }
    aside.delete(key)
    if (harmless) return go
    turns.wait(key, namespace, isPreferred(workload))
    const room = request.limit - places.taken().size
    if (room <= 0) return held("paced", `${request.limit} rollouts are under way`)
    const heads = turns.heads(room, proven.size === 0)
    if (!heads.includes(key)) return held("paced", `it is the turn of ${heads.join(", ")}`)
    turns.take(key, namespace)
    places.reserve(workload, "rollout")
    return go
  }

  const pullFailed = (namespace: string, detail: string, now: number): void => {
    const scope = proven.size === 0 ? everywhere : namespace
    const before = rests.get(scope)
    // several pods, and looks at a cache that is behind, tell of the same failure
    if (before !== undefined && before.until > now) return
    const times = (before?.times ?? 0) + 1
    const wait = Math.min(Duration.toMillis(rest.first) * 2 ** (times - 1), Duration.toMillis(rest.most))
    rests.set(scope, { until: now + wait, times, detail })
  }

  const next = (limit: number, now: number): ReadonlyArray<string> => {
    for (const [scope, it] of rests) {
      if (it.until > now || it.until === 0) continue
      rests.set(scope, { ...it, until: 0 })
      opened = true
    }
    const released = places.takeOpened(now) || opened ? [...aside] : []
    opened = false
    // what was waited for may never come
    const [yielder] = yielding
    return [
      ...turns.heads(Math.max(0, limit - places.taken().size), proven.size === 0),
      ...places.late(now),
      ...(yielder === undefined ? [] : [yielder]),
      ...released
    ]
  }

  const forget = (key: string, namespace: string): void => {
    places.forget(key)
    leave(key, namespace)
  }

  return { places, admit, forget, leave, next, proven, prove, pullFailed }
}

export class Pacing extends Context.Service<Pacing, {
  /** Takes note of what a workload and its pods are now; to be called for every workload before the first admission. */
  readonly observe: (workload: Workload, pods: ReadonlyArray<Pod>, backup: Backup) => Effect.Effect<void>
  readonly observePod: (pod: Pod, backup: Backup) => Effect.Effect<void>
  readonly forget: (key: string, namespace: string) => Effect.Effect<void>
  /** Asks for a place; `Go` reserves it until the cluster shows the patch or `release` is called. */
  readonly admit: (workload: Workload, request: Request) => Effect.Effect<Admission>
  /** The workload does not want a place any more. */
  readonly withdraw: (key: string, namespace: string) => Effect.Effect<void>
  /** The patch was not made. */
  readonly release: (key: string) => Effect.Effect<void>
  /** The patch was made: `after` is what the server answered. Its place is kept until the cluster shows it. */
  readonly patched: (after: Workload, as: RewriteAs) => Effect.Effect<void>
  /** The originals were put back: `after` is what the server answered. It keeps the place until its pods are there again. */
  readonly putBack: (after: Workload) => Effect.Effect<void>
  /** Whether what the workload names now was to cure it, or whether it interrupted nobody. */
  readonly isCure: (workload: Workload) => boolean
  readonly isHarmless: (workload: Workload) => boolean
  /** Keys of the workloads of which a rollout of ours is under way, or about to be. */
  readonly underWay: Effect.Effect<ReadonlySet<string>>
  /** Whether a namespace has shown that its pods can pull from the backup. */
  readonly isProven: (namespace: string) => Effect.Effect<boolean>
  /** Whether any has. */
  readonly isProvenAnywhere: Effect.Effect<boolean>
  /** Pods could not pull: nothing is patched for a while in that namespace, or anywhere if nothing was ever proven. */
  readonly pullFailed: (namespace: string, detail: string) => Effect.Effect<void>
  /** Keys to be looked at again: those whose turn it is, and those whose hold may have ended. */
  readonly next: (limit: number) => Effect.Effect<ReadonlyArray<string>>
}>()("image-cloner/rewrite/Pacing") {
  static readonly layer = Layer.effect(
    Pacing,
    Effect.gen(function*() {
      const state = make(yield* PullRest)
      const count = Effect.suspend(() => Metric.update(rolloutsInFlight, state.places.taken().size))
      return Pacing.of({
        observe: (workload, pods, backup) =>
          // most of what is observed are pods and ReplicaSets, of which there is nothing to remember
          kindOf(workload.kind).rolls
            ? Clock.currentTimeMillis.pipe(
              Effect.map((now) =>
                state.places.observe(
                  workload,
                  rolloutState(workload, pods, backup, now),
                  missing(workload) === undefined
                )
              ),
              Effect.andThen(count)
            )
            : Effect.void,
        observePod: (pod, backup) =>
          Effect.sync(() => {
            if (provesPulling(pod, backup)) state.prove(pod.workload.namespace)
          }),
        forget: (key, namespace) => Effect.sync(() => state.forget(key, namespace)),
        admit: (workload, request) => Effect.map(Clock.currentTimeMillis, (now) => state.admit(workload, request, now)),
        withdraw: (key, namespace) => Effect.sync(() => state.leave(key, namespace)),
        release: (key) => Effect.sync(() => state.places.free(key)),
        patched: (after, as) => Effect.andThen(Effect.sync(() => state.places.patched(after, as)), count),
        putBack: (after) =>
          Effect.andThen(Effect.map(Clock.currentTimeMillis, (now) => state.places.putBack(after, now)), count),
        isCure: (workload) => state.places.isCure(workload),
        isHarmless: (workload) => state.places.isHarmless(workload),
        underWay: Effect.sync(() => new Set(state.places.taken().keys())),
        isProven: (namespace) => Effect.sync(() => state.proven.has(namespace)),
        isProvenAnywhere: Effect.sync(() => state.proven.size > 0),
        pullFailed: (namespace, detail) =>
          Effect.map(Clock.currentTimeMillis, (now) => state.pullFailed(namespace, detail, now)),
        next: (limit) => Effect.map(Clock.currentTimeMillis, (now) => state.next(limit, now))
      })
    })
  )
}
