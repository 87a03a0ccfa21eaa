// Hearing: whether all that has to be seen of the cluster is heard of now: for readiness and liveness, and for whoever was not
// touched while it could not be seen.
import { Clock, Effect } from "effect"
import { WatchStates } from "../kube/watch/WatchStates.ts"
import { WorkloadStore } from "../store/WorkloadStore.ts"
import { Health } from "../telemetry/HealthChecks.ts"
import { uptime } from "../telemetry/Uptime.ts"
import { offerAll, WorkloadQueue } from "./Queues.ts"
import { resources } from "./Watches.ts"

/** Every watch is heard of at least every few minutes, by bookmarks or by its attempts: milliseconds. */
const longestSilence = 15 * 60 * 1000

export interface Hearing {
  /** The cluster has been seen whole: from now on it counts as trouble that something is not heard of. */
  readonly begin: Effect.Effect<void>
  /** To be done every second: what is heard of again may be touched again. */
  readonly listen: Effect.Effect<void>
}

export const make = Effect.gen(function*() {
  const states = yield* WatchStates
  const store = yield* WorkloadStore
  const workloads = yield* WorkloadQueue
  const health = yield* Health
  let known = false
  let missed: ReadonlyArray<string> = []

  /** Names of the resources that are not heard of now; of the optional ones nobody need hear. */
  const unheard = (now: number): ReadonlyArray<string> =>
    resources.flatMap(({ optional, resource: { name } }) =>
      !optional && states.unheard(name, now) !== undefined ? [name] : []
    )

  yield* health.add("ready", "cluster", Effect.sync(() => known ? undefined : "not all kinds have been seen yet"))
  yield* health.add(
    "ready",
    "unseen",
    Effect.map(uptime, (now) => {
      const names = known ? unheard(now) : []
      return names.length === 0 ? undefined : names.map((it) => states.unheard(it, now)).join("; ")
    })
  )
  yield* health.add(
    "alive",
    "watches",
    Effect.map(Clock.currentTimeMillis, (now) => {
      const silent = states.all.filter((it) => now - it.progressAt > longestSilence)
      return silent.length === 0
        ? undefined
        : `nothing was heard or tried for ${silent.map((it) => it.resource).join()}`
    })
  )

  const hearing: Hearing = {
    begin: Effect.sync(() => void (known = true)),
    listen: Effect.flatMap(uptime, (at) => {
      const now = unheard(at)
      const back = missed.some((it) => !now.includes(it))
      missed = now
      return back ? offerAll(workloads, store.keys()) : Effect.void
    })
  }
  return hearing
})
