// Pacing: at most MAX_CONCURRENT_ROLLOUTS rollouts of ours at once, waiting namespaces take turns, nothing but one workload that
// shows it before pulling is shown, none where rollouts of ours are stuck (invariant 13). The service around PacingRules, which has
// the rules; here are the clocks, the log and the metric.
import { Clock, Context, Duration, Effect, Layer } from "effect"
import { uptime } from "../telemetry/Uptime.ts"
import type { Backup } from "../image/BackupName.ts"
import { rolloutsInFlight } from "../telemetry/Metrics.ts"
import { readGauge } from "../telemetry/ReadMetric.ts"
import { RecentChanges } from "../telemetry/RecentChanges.ts"
import { kindOf } from "../workload/Kinds.ts"
import { rolloutState } from "../workload/OurRollout.ts"
import type { RewriteAs } from "../workload/Verdict.ts"
import type { PullSet } from "../workload/PullSet.ts"
import { missing } from "../workload/Rollout.ts"
import type { Pod, Workload } from "../workload/Workload.ts"
import { type Admission, PacingRules, placesOf, type Request, type Standing, type Unpulled } from "./PacingRules.ts"
import type { Turn } from "./Places.ts"
import type { RestOptions } from "./Proofs.ts"

export type { Admission, Request, Standing, Unpulled } from "./PacingRules.ts"

/** How long a set of pull secrets rests after pods could not pull from the backup, before one rollout tries again. */
export const PullRest = Context.Reference<RestOptions>(
  "image-cloner/rewrite/PullRest",
  { defaultValue: () => ({ first: Duration.minutes(2), most: Duration.hours(1) }) }
)

/** What has become of a rollout of ours, for people. */
const say = (turn: Turn): Effect.Effect<void> => {
  switch (turn._tag) {
    case "Ended":
      return Effect.logInfo("its rollout has ended: all its pods run from the backup")
    case "Stuck":
      return Effect.logWarning(
        `its rollout is stuck and gives its place up, no further ones are begun in its namespace: ${turn.detail}`
      )
  }
}

/** The same for whoever looks at what has changed. */
const noteIn = (changes: typeof RecentChanges.Service, key: string, turn: Turn): Effect.Effect<void> =>
  turn._tag === "Ended" ? changes.note("rolled out", key) : changes.note("stuck", key, turn.detail)

/** Rests of this process are by its uptime, what the cluster has written is by the wall clock. */
const atNow = <A>(then: (now: number, up: number) => A) =>
  Effect.flatMap(uptime, (up) => Effect.map(Clock.currentTimeMillis, (now) => then(now, up)))

export class Pacing extends Context.Service<Pacing, {
  /**
   * Takes note of what a workload and its pods are now; to be called for every workload before the first admission. Answers
   * what has become of its rollout, once.
   * @param seen what was seen of its rollout over time, milliseconds since the epoch
   */
  readonly observe: (
    workload: Workload,
    pods: ReadonlyArray<Pod>,
    backup: Backup,
    seen: { readonly progressAt: number; readonly reached: boolean }
  ) => Effect.Effect<Turn | undefined>
  /** Takes note of what a pod runs where; to be called for every pod before the first is taken as proof. */
  readonly notePod: (pod: Pod, set: PullSet, backup: Backup) => void
  /** The same, and takes what it runs as proof. */
  readonly observePod: (pod: Pod, set: PullSet, backup: Backup) => void
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
  /** Whether pods of a set have shown that they can pull. */
  readonly isProven: (set: PullSet) => Effect.Effect<boolean>
  /** Why nothing of a set is begun now; undefined where it does not rest. */
  readonly resting: (set: PullSet) => Effect.Effect<string | undefined>
  /** Lets it and its namespace rest for a while, where its set has shown that it can pull or its owner says so. */
  readonly letRest: (of: Unpulled) => Effect.Effect<void>
  /** Where a workload stands among the others, for people. */
  readonly standing: (workload: Workload, pulls: PullSet | undefined) => Effect.Effect<Standing>
  /** Keys to be looked at again: those whose turn it is, and those whose hold may have ended. */
  readonly next: (limit: number) => Effect.Effect<ReadonlyArray<string>>
}>()("image-cloner/rewrite/Pacing") {
  static readonly layer = Layer.effect(
    Pacing,
    Effect.gen(function*() {
      const rules = new PacingRules(yield* PullRest)
      const { places, proofs } = rules
      const changes = yield* RecentChanges
      yield* readGauge(rolloutsInFlight, () => places.taken().size + places.taken(true).size)
      return Pacing.of({
        observe: (workload, pods, backup, { progressAt, reached }) =>
          // most of what is observed are pods and ReplicaSets, of which there is nothing to remember
          kindOf(workload.kind).rolls
            ? atNow((now) => {
              const state = rolloutState(workload, pods, backup, { now, progressAt, reached })
              return places.observe(workload, state, missing(workload) === undefined)
            }).pipe(
              Effect.tap((turn) =>
                turn === undefined ? Effect.void : Effect.andThen(
                  noteIn(changes, workload.key, turn),
                  Effect.annotateLogs(say(turn), { workload: workload.key })
                )
              )
            )
            : Effect.undefined,
        notePod: (pod, set, backup) => proofs.note(pod, set, backup),
        observePod: (pod, set, backup) => proofs.observe(pod, set, backup),
        forget: (key, namespace) => Effect.sync(() => rules.forget(key, namespace)),
        admit: (workload, request) => atNow((_, up) => rules.admit(workload, request, up)),
        withdraw: (key, namespace) => Effect.sync(() => rules.leave(key, namespace)),
        release: (key) => Effect.sync(() => places.free(key)),
        patched: (after, as) => Effect.sync(() => places.patched(after, as)),
        putBack: (after) => atNow((now) => places.putBack(after, now)),
        isCure: (workload) => places.isCure(workload),
        isHarmless: (workload) => places.isHarmless(workload),
        underWay: Effect.sync(() => new Set([...places.taken().keys(), ...places.taken(true).keys()])),
        pullFailed: (set, detail, refused) =>
          atNow((now, up) => {
            if (refused) proofs.refuse(set, now)
            proofs.rest(set, detail, up)
          }),
        isProven: (set) => Effect.sync(() => proofs.isProven(set)),
        resting: (set) => atNow((_, up) => proofs.resting(set, up)),
        letRest: (of) => atNow((_, up) => rules.letRest(of, up)),
        fits: (as, limit) =>
          Effect.sync(() => as === "harmless" || places.taken(as === "cure").size <= placesOf(as, limit)),
        standing: (workload, pulls) => atNow((_, up) => rules.standing(workload, pulls, up)),
        next: (limit) => atNow((now, up) => rules.next(limit, now, up))
      })
    })
  )
}
