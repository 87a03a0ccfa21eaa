// Controller: the two loops, joined by the two stores.
//   workload loop   watch → WorkloadStore → WorkloadQueue → plan → Rewriter
//   image loop      Inventory → ImageQueue → Cloner → Inventory → WorkloadQueue
// and beside them the webhooks, which read both.
import { Effect, Layer, type Option, Schedule, Stream, SubscriptionRef } from "effect"
import { Cloner } from "./clone/Cloner.ts"
import { type AdmissionOptions, runAdmission } from "./controller/admission/RunAdmission.ts"
import { Decisions } from "./controller/Decisions.ts"
import { updateGauges } from "./controller/Gauges.ts"
import * as Hearing from "./controller/Hearing.ts"
import { ImageQueue, offerAll, WorkloadQueue } from "./controller/Queues.ts"
import * as ReconcileImage from "./controller/images/ReconcileImage.ts"
import * as Glance from "./controller/workloads/Glance.ts"
import * as ReconcileWorkload from "./controller/workloads/ReconcileWorkload.ts"
import { reportVanished } from "./controller/sources/ReportVanished.ts"
import { takeStock } from "./controller/TakeStock.ts"
import * as Waking from "./controller/images/Waking.ts"
import { extrasSettled, followExtra } from "./controller/extra/ExtraWatches.ts"
import { synced, watches } from "./controller/Watches.ts"
import { Leadership } from "./kube/lease/Leadership.ts"
import { Pacing } from "./rewrite/Pacing.ts"
import { extraName } from "./settings/Settings.ts"
import { SettingsRef } from "./settings/SettingsRef.ts"
import { Inventory } from "./store/Inventory.ts"
import { WorkloadStore } from "./store/WorkloadStore.ts"
import { Coverage } from "./upkeep/Coverage.ts"
import { Supervisor } from "./Supervisor.ts"

export interface ControllerOptions {
  readonly ownNamespace: Option.Option<string>
  /** Where the webhooks are served; without it there are none. */
  readonly webhooks?: Omit<AdmissionOptions, "ownNamespace">
}

export const layer = ({ ownNamespace, webhooks }: ControllerOptions) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const supervisor = yield* Supervisor
    const store = yield* WorkloadStore
    const inventory = yield* Inventory
    const decisions = yield* Decisions
    const cloner = yield* Cloner
    const coverage = yield* Coverage
    const pacing = yield* Pacing
    const workloads = yield* WorkloadQueue
    const images = yield* ImageQueue
    const settings = yield* SettingsRef
    const leadership = yield* Leadership
    const hearing = yield* Hearing.make
    const reconcileWorkload = yield* ReconcileWorkload.make({ ownNamespace })
    const glance = yield* Glance.make({ ownNamespace })
    const reconcileImage = yield* ReconcileImage.make
    const waking = yield* Waking.make
    // read at the start: a change of them waits for the next
    const { EXTRA_KINDS } = yield* SubscriptionRef.get(settings)

    const workloadLoop = synced.pipe(
      Effect.tap((refused) =>
        refused.length === 0
          ? Effect.logInfo(`the cluster is known: ${store.all.length} workloads and pods`)
          : Effect.logWarning(`the API server does not let us see ${refused.join(", ")}: see the ClusterRole`)
      ),
      // their objects may opt out what they have made
      Effect.andThen(extrasSettled(EXTRA_KINDS)),
      Effect.andThen(takeStock),
      Effect.andThen(hearing.begin),
      Effect.tap(() => Effect.sync(() => coverage.begin())),
      // planning is quick, and patches have permits of their own: one that takes long holds no other workload up
      Effect.andThen(workloads.run("unbounded", reconcileWorkload, glance))
    )

    // permits are the cloner's: all images may wait for one, so that it can choose fairly between registries
    const imageLoop = images.run("unbounded", reconcileImage)

    const tick = Effect.gen(function*() {
      yield* hearing.listen
      const { MAX_CONCURRENT_ROLLOUTS } = yield* SubscriptionRef.get(settings)
      yield* offerAll(workloads, yield* pacing.next(MAX_CONCURRENT_ROLLOUTS))
      yield* offerAll(images, yield* waking.due)
      yield* updateGauges(decisions, inventory, cloner, coverage)
    }).pipe(Effect.repeat(Schedule.spaced("1 second")), Effect.andThen(Effect.never))

    const lookAtAll = Effect.suspend(() =>
      Effect.andThen(
        offerAll(workloads, store.keys()),
        offerAll(images, inventory.all.map((it) => it.source))
      )
    )

    const lookAgain = SubscriptionRef.changes(settings).pipe(
      Stream.drop(1),
      Stream.runForEach(() => lookAtAll),
      Effect.andThen(Effect.never)
    )

    // as after a start: what another has left is looked at anew
    const takeOver = leadership.changes.pipe(
      Stream.drop(1),
      Stream.filter((leads) => leads),
      Stream.runForEach(() => Effect.andThen(takeStock, lookAtAll)),
      Effect.andThen(Effect.never)
    )

    for (const [name, watch] of watches) yield* supervisor.run(`watch ${name}`, watch)
    for (const it of EXTRA_KINDS) yield* supervisor.run(`watch ${extraName(it)}`, followExtra(it))
    yield* supervisor.run("workloads", workloadLoop)
    yield* supervisor.run("images", imageLoop)
    yield* supervisor.run("images in line", ReconcileImage.callInLine)
    yield* supervisor.run("pacing and gauges", tick)
    yield* supervisor.run("vanished sources", reportVanished)
    yield* supervisor.run("settings", lookAgain)
    yield* supervisor.run("leadership", takeOver)
    if (webhooks !== undefined) yield* runAdmission({ ...webhooks, ownNamespace })
  }))
