// Pacing: who may start a rollout now. At most MAX_CONCURRENT_ROLLOUTS of ours at once, waiting namespaces take turns, nothing
// but one workload that shows it before pulling is shown, none where rollouts of ours are stuck (invariant 13).
// Edge: what is under way is told by Places, what is shown by Proofs; here is what follows for the next.
import { Clock, Context, Duration, Effect, Layer, Metric } from "effect"
import { uptime } from "../telemetry/Uptime.ts"
import type { Backup } from "../image/BackupName.ts"
import { rolloutsInFlight } from "../telemetry/Metrics.ts"
import { kindOf } from "../workload/Kinds.ts"
import { rolloutState } from "../workload/OurRollout.ts"
import type { RewriteAs } from "../workload/Plan.ts"
import { canShow, type PullSet, unshown, withoutSecrets } from "../workload/PullSet.ts"
import type { HoldReason } from "../workload/Reason.ts"
import { missing } from "../workload/Rollout.ts"
import type { Pod, Workload } from "../workload/Workload.ts"
import { Places, type Turn } from "./Places.ts"
import { Proofs, type RestOptions } from "./Proofs.ts"
import { Turns } from "./Turns.ts"

export type Admission =
  | { readonly _tag: "Go" }
  | {
    readonly _tag: "Held"
    readonly reason: Extract<HoldReason, "paced" | "paused" | "stopped" | "pull-unproven">
    readonly detail: string
  }

/** How long a set of pull secrets rests after pods could not pull from the backup, before one rollout tries again. */
export const PullRest = Context.Reference<RestOptions>(
  "image-cloner/rewrite/PullRest",
  { defaultValue: () => ({ first: Duration.minutes(2), most: Duration.hours(1) }) }
)

/** In how many namespaces, and in which share of those with rewritten workloads, rollouts may be stuck before all stop. */
const stuckNamespaces = 3
const stuckShare = 10

/** How many cures may be under way for each place of a rollout. */
const curesPerPlace = 4

const waysOn = "the others go on when it is mended, or undone with image-cloner restore"

const go: Admission = { _tag: "Go" }

const held = (reason: Exclude<Admission, { _tag: "Go" }>["reason"], detail: string): Admission => ({
  _tag: "Held",
  reason,
  detail
})

export interface Request {
  /** What is harmless takes no place, and cures have places of their own. */
  readonly as: RewriteAs
  /** MAX_CONCURRENT_ROLLOUTS. */
  readonly limit: number
  /** With which secrets its pods would pull; undefined: nobody can tell. */
  readonly pulls: PullSet | undefined
  /** BACKUP_PULL_BY=nodes: the owner's word that every node can pull. */
  readonly byNodes: boolean
  /** `image-cloner.io/rewrite: patch` on the workload itself: it may show that pods can pull, whatever it is. */
  readonly asked: boolean
  /** No other namespace has workloads that could be rewritten. */
  readonly alone: boolean
}

/** A workload that was put back because its pods could not pull their copies. */
export interface Unpulled {
  readonly workload: Workload
  /** Undefined: nobody can tell. */
  readonly set: PullSet | undefined
  readonly detail: string
  /** BACKUP_PULL_BY=nodes. */
  readonly byNodes: boolean
}

/** What rests beside sets of pull secrets: the namespace of a workload whose pods could not pull. */
const namespaceRest = (namespace: string) => ({ key: `namespace ${namespace}` })

/** The state of pacing; one instance, used by Pacing alone. */
const make = (rest: RestOptions) => {
  const places = new Places()
  const proofs = new Proofs(rest)
  const turns = new Turns()
  /** Held for another reason than their turn. */
  const aside = new Set<string>()
  /** By workload, the set that a rollout under way shows. */
  const shows = new Map<string, string>()
  const alone = new Set<string>()

  const stopped = (namespace: string): Admission | undefined => {
    const { stuck } = places
    const here = stuck.get(namespace)
    if (here !== undefined) return held("stopped", `rollouts in ${namespace} are stopped: ${here}; ${waysOn}`)
    return stuck.size >= stuckNamespaces && stuck.size * stuckShare >= places.rewritten
      ? held("stopped", `rollouts are stuck in ${[...stuck.keys()].join(", ")}, so all are stopped; ${waysOn}`)
      : undefined
  }

  /** Who of a set is under way already; of a rollout from before a restart its namespace tells. */
  const firstOf = ({ key: set }: PullSet, { key, namespace }: Workload): string | undefined =>
    [...places.taken()].find(([other, where]) =>
      other !== key && (shows.get(other) ?? (where === namespace || set === withoutSecrets.key ? set : "")) === set
    )?.[0]

  /** Until a set has shown that it can pull, one of it is begun: one that misses no pod by it, or that somebody named. */
  const unproven = (workload: Workload, { as, asked, byNodes, pulls }: Request, up: number): Admission | undefined => {
    const failed = proofs.resting(workload, up) ?? proofs.resting(namespaceRest(workload.namespace), up)
    if (failed !== undefined) return held("pull-unproven", failed)
    if (byNodes || (pulls !== undefined && proofs.isProven(pulls))) return undefined
    if (pulls === undefined) return asked ? undefined : held("pull-unproven", unshown(pulls))
    const resting = proofs.resting(pulls, up)
    if (resting !== undefined) return held("pull-unproven", resting)
    const first = firstOf(pulls, workload)
    if (first !== undefined) {
      return held("pull-unproven", `${first} shows first whether ${pulls.words} can pull from the backup`)
    }
    return asked || (as === "rollout" && canShow(workload)) ? undefined : held("pull-unproven", unshown(pulls))
  }

  const letRest = ({ byNodes, detail, set, workload }: Unpulled, up: number): void => {
    if (set !== undefined && !byNodes && !proofs.isProven(set)) return
    // others could pull: it is this copy, or the backup for a while. It rests twice as long as its neighbours, which can then show
    // that it was it alone; were none to rest, the next database would be tried, and the next
    proofs.rest(workload, `${detail}; it is tried again in an hour at most`, up, 2)
    const { key, namespace } = workload
    proofs.rest(namespaceRest(namespace), `pods of ${key} could not pull, ${namespace} rests: ${detail}`, up)
  }

  /** How many more places a namespace may have: never all of several while others could need one. */
  const allowance = (limit: number) => (namespace: string): number => {
    const most = limit === 1 || alone.has(namespace)
      ? limit
      : turns.othersWait(namespace)
      ? Math.ceil(limit / 2)
      : limit - 1
    return most - [...places.taken().values()].filter((it) => it === namespace).length
  }

  const leave = (key: string, namespace: string): void => {
    turns.leave(key, namespace)
    aside.delete(key)
  }

  const setAside = ({ key, namespace }: Workload, hold: Admission): Admission => {
    turns.leave(key, namespace)
    aside.add(key)
    return hold
  }

  const admitCure = (workload: Workload, limit: number): Admission => {
    const most = limit * curesPerPlace
    if (places.taken(true).size >= most) return setAside(workload, held("paced", `${most} workloads are being cured`))
    leave(workload.key, workload.namespace)
    places.reserve(workload, "cure")
    return go
  }

  const admit = (workload: Workload, request: Request, up: number): Admission | undefined => {
    const { key, namespace } = workload
    const { limit } = request
    // what was looked at is older than our own patch: another one would be refused, and give the place of the first away
    if (places.isPatched(key)) return undefined
    if (request.as === "cure") return admitCure(workload, limit)
    if (request.alone) alone.add(namespace)
    else alone.delete(namespace)
    const harmless = request.as === "harmless"
    const hold = unproven(workload, request, up) ?? (harmless ? undefined : stopped(namespace))
    if (hold !== undefined) return setAside(workload, hold)
    aside.delete(key)
    if (harmless) return go
    turns.wait(key, namespace)
    const room = limit - places.taken().size
    if (room <= 0) return held("paced", `${limit} rollouts are under way`)
    const heads = turns.heads(room, allowance(limit))
    if (!heads.includes(key)) {
      return held(
        "paced",
        heads.length === 0 ? `${namespace} has its share of places` : `it is the turn of ${heads.join(", ")}`
      )
    }
    turns.take(key, namespace)
    places.reserve(workload, "rollout")
    if (request.pulls !== undefined) shows.set(key, request.pulls.key)
    return go
  }

  const next = (limit: number, now: number, up: number): ReadonlyArray<string> => {
    const opened = [places.takeOpened(now), proofs.takeOpened(up)].includes(true)
    const released = opened ? [...aside] : []
    return [...turns.heads(limit - places.taken().size, allowance(limit)), ...places.late(now), ...released]
  }

  const forget = (key: string, namespace: string): void => {
    places.forget(key)
    proofs.forget({ key })
    shows.delete(key)
    leave(key, namespace)
  }

  return { places, proofs, admit, forget, leave, letRest, next }
}

/** What has become of a rollout of ours, for people. */
const say = (turn: Turn | undefined): Effect.Effect<void> => {
  switch (turn?._tag) {
    case undefined:
      return Effect.void
    case "Ended":
      return Effect.logInfo("its rollout has ended: all its pods run from the backup")
    case "Stuck":
      return Effect.logWarning(
        `its rollout is stuck and gives its place up, no further ones are begun in its namespace: ${turn.detail}`
      )
  }
}

/** Rests of this process are by its uptime, what the cluster has written is by the wall clock. */
const atNow = <A>(then: (now: number, up: number) => A) =>
  Effect.flatMap(uptime, (up) => Effect.map(Clock.currentTimeMillis, (now) => then(now, up)))

export class Pacing extends Context.Service<Pacing, {
  /**
   * Takes note of what a workload and its pods are now; to be called for every workload before the first admission.
   * @param seen what was seen of its rollout over time, milliseconds since the epoch
   */
  readonly observe: (
    workload: Workload,
    pods: ReadonlyArray<Pod>,
    backup: Backup,
    seen: { readonly progressAt: number; readonly reached: boolean }
  ) => Effect.Effect<void>
  /** Takes note of what a pod runs where; to be called for every pod before the first is taken as proof. */
  readonly notePod: (pod: Pod, set: PullSet, backup: Backup) => Effect.Effect<void>
  /** The same, and takes what it runs as proof. */
  readonly observePod: (pod: Pod, set: PullSet, backup: Backup) => Effect.Effect<void>
  readonly forget: (key: string, namespace: string) => Effect.Effect<void>
  /**
   * Asks for a place; `Go` reserves it until the cluster shows the patch or `release` is called. Undefined: its own patch has
   * not been seen yet, and nothing is to be said.
   */
  readonly admit: (workload: Workload, request: Request) => Effect.Effect<Admission | undefined>
  /** Whether no more places are taken than a limit allows, which may be lower now than when they were. */
  readonly fits: (as: RewriteAs, limit: number) => Effect.Effect<boolean>
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
  /**
   * Pods of a set could not pull: nothing of it is begun for a while.
   * @param refused whether the backup refused their secrets: then what was shown before is taken back
   */
  readonly pullFailed: (set: PullSet, detail: string, refused: boolean) => Effect.Effect<void>
  /** Lets it and its namespace rest for a while, where its set has shown that it can pull or its owner says so. */
  readonly letRest: (of: Unpulled) => Effect.Effect<void>
  /** Keys to be looked at again: those whose turn it is, and those whose hold may have ended. */
  readonly next: (limit: number) => Effect.Effect<ReadonlyArray<string>>
}>()("image-cloner/rewrite/Pacing") {
  static readonly layer = Layer.effect(
    Pacing,
    Effect.gen(function*() {
      const { admit, forget, leave, letRest, next, places, proofs } = make(yield* PullRest)
      const count = Effect.suspend(() => Metric.update(rolloutsInFlight, places.taken().size + places.taken(true).size))
      return Pacing.of({
        observe: (workload, pods, backup, { progressAt, reached }) =>
          // most of what is observed are pods and ReplicaSets, of which there is nothing to remember
          kindOf(workload.kind).rolls
            ? atNow((now) => {
              const state = rolloutState(workload, pods, backup, { now, progressAt, reached })
              return places.observe(workload, state, missing(workload) === undefined)
            }).pipe(Effect.flatMap(say), Effect.annotateLogs({ workload: workload.key }), Effect.andThen(count))
            : Effect.void,
        notePod: (pod, set, backup) => Effect.sync(() => proofs.note(pod, set, backup)),
        observePod: (pod, set, backup) => Effect.sync(() => proofs.observe(pod, set, backup)),
        forget: (key, namespace) => Effect.sync(() => forget(key, namespace)),
        admit: (workload, request) => atNow((_, up) => admit(workload, request, up)),
        withdraw: (key, namespace) => Effect.sync(() => leave(key, namespace)),
        release: (key) => Effect.sync(() => places.free(key)),
        patched: (after, as) => Effect.andThen(Effect.sync(() => places.patched(after, as)), count),
        putBack: (after) => Effect.andThen(atNow((now) => places.putBack(after, now)), count),
        isCure: (workload) => places.isCure(workload),
        isHarmless: (workload) => places.isHarmless(workload),
        underWay: Effect.sync(() => new Set([...places.taken().keys(), ...places.taken(true).keys()])),
        pullFailed: (set, detail, refused) =>
          atNow((now, up) => {
            if (refused) proofs.refuse(set, now)
            proofs.rest(set, detail, up)
          }),
        letRest: (of) => atNow((_, up) => letRest(of, up)),
        fits: (as, limit) =>
          Effect.sync(() =>
            as === "harmless" ||
            places.taken(as === "cure").size <= (as === "cure" ? limit * curesPerPlace : limit)
          ),
        next: (limit) => atNow((now, up) => next(limit, now, up))
      })
    })
  )
}
