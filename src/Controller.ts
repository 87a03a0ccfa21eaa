// Controller: the two loops, joined by the two stores.
//   workload loop   watch → WorkloadStore → WorkloadQueue → plan → Rewriter
//   image loop      Inventory → ImageQueue → Cloner → Inventory → WorkloadQueue
import { Clock, Effect, Layer, type Option, Schedule, Stream, SubscriptionRef } from "effect"
import { uptime } from "./telemetry/Uptime.ts"
import { Cloner } from "./clone/Cloner.ts"
import { Decisions } from "./controller/Decisions.ts"
import { updateGauges } from "./controller/Gauges.ts"
import { pullSetOfSeen } from "./controller/PullSets.ts"
import { ImageQueue, offerAll, WorkloadQueue } from "./controller/Queues.ts"
import * as ReconcileImage from "./controller/ReconcileImage.ts"
import * as ReconcileWorkload from "./controller/ReconcileWorkload.ts"
import { timesAt } from "./controller/RolloutsSeen.ts"
import * as Waking from "./controller/Waking.ts"
import { resources, synced, watches } from "./controller/Watches.ts"
import { WatchStates } from "./kube/WatchStates.ts"
import { Pacing } from "./rewrite/Pacing.ts"
import { backup } from "./settings/Settings.ts"
import { SettingsRef } from "./settings/SettingsRef.ts"
import { Inventory } from "./store/Inventory.ts"
import { WorkloadStore } from "./store/WorkloadStore.ts"
import { Supervisor } from "./Supervisor.ts"
import { Health } from "./telemetry/HealthChecks.ts"

/** Every watch is heard of at least every few minutes, by bookmarks or by its attempts: milliseconds. */
const longestSilence = 15 * 60 * 1000

export const layer = (options: { readonly ownNamespace: Option.Option<string> }) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const supervisor = yield* Supervisor
    const store = yield* WorkloadStore
    const inventory = yield* Inventory
    const decisions = yield* Decisions
    const cloner = yield* Cloner
    const pacing = yield* Pacing
    const workloads = yield* WorkloadQueue
    const images = yield* ImageQueue
    const settings = yield* SettingsRef
    const health = yield* Health
    const states = yield* WatchStates
    const reconcileWorkload = yield* ReconcileWorkload.make(options)
    const reconcileImage = yield* ReconcileImage.make
    const waking = yield* Waking.make

    /** What is under way and what is proven must be known of all workloads before the first of them is rewritten. */
    const takeStock = Effect.gen(function*() {
      const target = backup(yield* SubscriptionRef.get(settings))
      const seen = timesAt(yield* Clock.currentTimeMillis)
      for (const workload of store.all) yield* pacing.observe(workload, store.podsOf(workload), target, seen)
      // what other pods run on a node takes the proof from an image that is there already
      for (const observe of [pacing.notePod, pacing.observePod]) {
        for (const pod of store.pods) {
          const set = pullSetOfSeen(store, pod)
          if (set !== undefined) yield* observe(pod, set, target)
        }
      }
    })

    let known = false
    const workloadLoop = synced.pipe(
      Effect.tap((refused) =>
        refused.length === 0
          ? Effect.logInfo(`the cluster is known: ${store.all.length} workloads and pods`)
          : Effect.logWarning(`the API server does not let us see ${refused.join(", ")}: see the ClusterRole`)
      ),
      Effect.andThen(takeStock),
      Effect.tap(() => Effect.sync(() => void (known = true))),
      // planning is quick, and patches have permits of their own: one that takes long holds no other workload up
      Effect.andThen(workloads.run("unbounded", reconcileWorkload))
    )

    // permits are the cloner's: all images may wait for one, so that it can choose fairly between registries
    const imageLoop = images.run("unbounded", reconcileImage)

    /** Names of the resources that are not heard of now; of the optional ones nobody need hear. */
    const unheard = (now: number) =>
      resources.flatMap(({ optional, resource: { name } }) =>
        !optional && states.unheard(name, now) !== undefined ? [name] : []
      )
    let missed: ReadonlyArray<string> = []

    /** What is heard of again may be touched again. */
    const listen = Effect.gen(function*() {
      const now = unheard(yield* uptime)
      const back = missed.some((it) => !now.includes(it))
      missed = now
      if (back) yield* offerAll(workloads, store.keys())
    })

    const tick = Effect.gen(function*() {
      yield* listen
      const { MAX_CONCURRENT_ROLLOUTS } = yield* SubscriptionRef.get(settings)
      yield* offerAll(workloads, yield* pacing.next(MAX_CONCURRENT_ROLLOUTS))
      yield* offerAll(images, yield* waking.due)
      yield* updateGauges(decisions, inventory, cloner)
    }).pipe(Effect.repeat(Schedule.spaced("1 second")), Effect.andThen(Effect.never))

    const lookAgain = SubscriptionRef.changes(settings).pipe(
      Stream.drop(1),
      Stream.runForEach(() =>
        Effect.andThen(
          offerAll(workloads, store.keys()),
          offerAll(images, inventory.all.map((it) => it.source))
        )
      ),
      Effect.andThen(Effect.never)
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
    for (const [name, watch] of watches) yield* supervisor.run(`watch ${name}`, watch)
    yield* supervisor.run("workloads", workloadLoop)
    yield* supervisor.run("images", imageLoop)
    yield* supervisor.run("pacing and gauges", tick)
    yield* supervisor.run("settings", lookAgain)
  }))
