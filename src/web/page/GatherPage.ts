// GatherPage: what the controller knows → PageView: counts that are kept anyway, one pass over the decisions and one over the images.
// Reads, decides nothing. Edge: copies, budgets and rests are handed in: web/ asks no registry.
import { Clock, type Duration, Effect } from "effect"
import { toMillis } from "effect/Duration"
import { Decisions, type KeptDecision } from "../../controller/Decisions.ts"
import { imageWordOf } from "../../image/ImageState.ts"
import { Pacing } from "../../rewrite/Pacing.ts"
import { type Images, Inventory, type InventoryEntry } from "../../store/Inventory.ts"
import { WorkloadStore } from "../../store/WorkloadStore.ts"
import { RecentChanges } from "../../telemetry/RecentChanges.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import { version } from "../../telemetry/Version.ts"
import { Coverage, ratioOf } from "../../upkeep/Coverage.ts"
import { imageCounts } from "../../upkeep/ImageCoverage.ts"
import { type HoldReason, holdReasons } from "../../workload/Reason.ts"
import { plainAdvice } from "../../workload/ReasonAdvice.ts"
import { vanishedIn } from "../ClusterStatus.ts"
import { bounded } from "../Explanation.ts"
import { commandsOf, shellWord } from "../Commands.ts"
import { type Clocks, told } from "../Known.ts"
import { CoverageCourse } from "./CoverageCourse.ts"
import {
  type CopyView,
  type FailedImageView,
  firstOf,
  type HeldView,
  mapSome,
  type PageView,
  type RegistryView,
  type TroubleView
} from "./PageView.ts"

/** What is known of copies and registries by those who ask them. */
export interface CopiesAndRegistries {
  readonly copies: Effect.Effect<ReadonlyArray<CopyView>>
  readonly waiting: Effect.Effect<number>
  readonly budgetOf: (host: string) => RegistryView["budget"]
  readonly restOf: (host: string) => Effect.Effect<Duration.Duration>
  readonly controllerNamespace: string
}

const mostNamespaces = 100
const mostNames = 5
const mostTrouble = 20
const mostFailed = 20
const mostCopies = 20
const mostRegistries = 20

/** A command that was cut would do something else; no names that exist make one so long. */
const longestCommand = 1500

/** What does not end by itself, or not soon: somebody has to look. */
const troubles: ReadonlySet<HoldReason> = new Set([
  "contested",
  "quarantined",
  "cannot-pull",
  "stranded",
  "stopped",
  "refused",
  "tag-moved",
  "digest-unknown",
  "backup-down",
  "unseen"
])

type Held = KeptDecision & { readonly verdict: Extract<KeptDecision["verdict"], { _tag: "Held" }> }

const isHeld = (decision: KeptDecision): decision is Held =>
  decision.verdict._tag === "Held" && decision.plan.workload.owner === undefined

const bySince = (a: Held, b: Held): number => a.since - b.since

const heldViews = (held: ReadonlyArray<Held>): ReadonlyArray<HeldView> =>
  [...Map.groupBy(held, ({ verdict }) => verdict.reason)]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([reason, all]) => ({
      reason,
      meaning: holdReasons[reason],
      advice: plainAdvice(reason),
      workloads: mapSome(firstOf(all, mostNames, bySince), ({ plan }) => bounded(plan.workload.key))
    }))

const failedView = (clocks: Clocks) => ({ source, state, users }: InventoryEntry): FailedImageView => ({
  source: bounded(source),
  state: imageWordOf(state),
  detail: state._tag === "Failed" ? bounded(state.message) : "",
  users: users.size,
  retryAt: state._tag === "Failed" ? told(clocks, state.retryAt) : undefined,
  command: `image-cloner explain ${shellWord(source)}`
})

const byUsers = (a: InventoryEntry, b: InventoryEntry): number => b.users.size - a.users.size

/** What a canonical reference begins with. */
const hostOf = (source: string): string => source.slice(0, Math.max(0, source.indexOf("/")))

const hostsOf = (inventory: Images) => {
  const counts = new Map<string, number>()
  for (const { source } of inventory.all) counts.set(hostOf(source), (counts.get(hostOf(source)) ?? 0) + 1)
  return firstOf(counts, mostRegistries, ([, a], [, b]) => b - a)
}

/** Makes the effect that looks. */
export const make = Effect.fnUntraced(function*(outside: CopiesAndRegistries) {
  const coverage = yield* Coverage
  const course = yield* CoverageCourse
  const decisions = yield* Decisions
  const inventory = yield* Inventory
  const store = yield* WorkloadStore
  const pacing = yield* Pacing
  const changes = yield* RecentChanges

  const trouble = Effect.fnUntraced(function*(held: Held, clocks: Clocks): Effect.fn.Return<TroubleView> {
    const { plan, since, verdict } = held
    const { workload } = plan
    return {
      workload: bounded(workload.key),
      reason: verdict.reason,
      detail: bounded(verdict.detail),
      since: told(clocks, since),
      advice: plainAdvice(verdict.reason),
      commands: commandsOf({
        by: "controller",
        clocks,
        plan,
        verdict,
        since,
        outlook: undefined,
        image: () => undefined,
        standing: verdict.reason === "stopped" ? yield* pacing.standing(workload, undefined) : undefined,
        pulls: undefined,
        owners: store.ownersOf(workload),
        namespace: store.namespace(workload.namespace),
        controllerNamespace: outside.controllerNamespace
      }).filter(({ command }) => command.length <= longestCommand)
    }
  })

  const registry = Effect.fnUntraced(function*([host, images]: [string, number]): Effect.fn.Return<RegistryView> {
    return {
      host: bounded(host),
      images,
      budget: outside.budgetOf(host),
      restFor: toMillis(yield* outside.restOf(host))
    }
  })

  const look = Effect.gen(function*(): Effect.fn.Return<PageView> {
    const clocks = yield* Effect.all({ now: Clock.currentTimeMillis, uptime })
    const held = [...decisions.all].filter(isHeld)
    const worst = firstOf(held.filter(({ verdict }) => troubles.has(verdict.reason)), mostTrouble, bySince)
    const hosts = hostsOf(inventory)
    const vanished = vanishedIn(inventory)
    const failed = inventory.all.filter(({ state }) => state._tag === "Failed")
    const copies = firstOf(yield* outside.copies, mostCopies, (a, b) => a.startedAt - b.startedAt)
    return {
      at: clocks.now,
      version,
      complete: coverage.isComplete,
      ratio: ratioOf(coverage.pods),
      pods: coverage.pods,
      images: imageCounts(inventory, coverage),
      namespaces: mapSome(
        firstOf(
          coverage.namespaces,
          mostNamespaces,
          (a, b) => b.pods["at-risk"] - a.pods["at-risk"] || (a.namespace < b.namespace ? -1 : 1)
        ),
        ({ namespace, pods }) => ({ namespace: bounded(namespace), pods })
      ),
      course: course.all,
      copies: mapSome(copies, (it) => ({ ...it, source: bounded(it.source) })),
      waiting: yield* outside.waiting,
      held: heldViews(held),
      trouble: { more: worst.more, first: yield* Effect.forEach(worst.first, (it) => trouble(it, clocks)) },
      vanished: { first: vanished.images, more: vanished.count - vanished.images.length },
      failed: mapSome(firstOf(failed, mostFailed, byUsers), failedView(clocks)),
      registries: { more: hosts.more, first: yield* Effect.forEach(hosts.first, registry) },
      changes: yield* changes.latest
    }
  })
  return look
})
