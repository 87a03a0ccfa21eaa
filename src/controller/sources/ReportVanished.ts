// ReportVanished: once a minute, says once of each source that has vanished that it has, and once that it is there again: in the log, by a
// gauge, in the inventory for whoever looks, and on the workloads that use it. Edge: asks no registry; which they are is VanishedSources'.
import { Duration, Effect, Metric, SubscriptionRef } from "effect"
import { Cloner } from "../../clone/Cloner.ts"
import { Leadership } from "../../kube/lease/Leadership.ts"
import { backup } from "../../settings/Settings.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { Inventory, type InventoryEntry, type VanishedCause } from "../../store/Inventory.ts"
import { vanishedSources } from "../../telemetry/Metrics.ts"
import { Decisions, isWorkload } from "../Decisions.ts"
import { regardingOf, type ToldEvent } from "../events/EventOf.ts"
import { Events } from "../events/Events.ts"
import { describeGone, describeSilent, isKept, type Vanished, vanishedOf } from "./VanishedSources.ts"

const pace = Duration.minutes(1)

/** How many workloads of one image, or of one silent registry, have an Event of it. */
const mostTold = 50

/** How many images have a line of their own in one look: of a repository that was deleted all are found at once. */
const mostSaid = 20

const causes = ["not-found", "unreachable"] as const
const copies = ["kept", "none"] as const

/** What is said together: an image that is gone, or all images of a registry that gives no answer. */
interface Loss {
  readonly cause: VanishedCause
  readonly registry: string
  readonly entries: ReadonlyArray<InventoryEntry>
}

const lossesOf = (all: ReadonlyArray<Vanished>): ReadonlyMap<string, Loss> =>
  new Map(
    [...Map.groupBy(all, (it) => it.cause === "not-found" ? it.entry.source : `registry ${it.registry}`)].flatMap(
      ([key, [first, ...others]]) =>
        first === undefined
          ? []
          : [
            [key, {
              cause: first.cause,
              registry: first.registry,
              entries: [first, ...others].map((it) => it.entry)
            }] as const
          ]
    )
  )

/** How losses are said: in the log, and on the workloads that use the images. */
const makeSay = Effect.gen(function*() {
  const inventory = yield* Inventory
  const decisions = yield* Decisions
  const events = yield* Events

  /** What uses an image and is no other object's. */
  const workloadsOf = (entries: ReadonlyArray<InventoryEntry>) => {
    const found = new Map(
      entries.flatMap(({ users }) =>
        [...users].flatMap((key) => {
          const decision = decisions.get(key)
          return decision === undefined || !isWorkload(decision) ? [] : [[key, decision.plan.workload] as const]
        })
      )
    )
    return [...found.values()].toSorted((a, b) => a.key.localeCompare(b.key))
  }

  const tell = Effect.fnUntraced(function*(key: string, { entries }: Loss, event: Pick<ToldEvent, "note" | "reason">) {
    for (const workload of workloadsOf(entries).slice(0, mostTold)) {
      yield* events.tell({
        ...event,
        regarding: regardingOf(workload),
        type: event.reason === "SourceBack" ? "Normal" : "Warning",
        action: "Copying",
        cause: key
      })
    }
  })

  const say = Effect.fnUntraced(function*(key: string, loss: Loss, aloud: boolean) {
    const { cause, entries, registry } = loss
    const [first] = entries
    if (first === undefined) return
    const names = workloadsOf([first]).map((it) => it.key)
    const text = cause === "not-found" ? describeGone(first, names) : describeSilent(registry, entries, names)
    yield* aloud ? Effect.logWarning(text) : Effect.logDebug(text)
    const whole = isKept(first) ? "its copy in the backup keeps it going" : "it has no copy in the backup"
    const note = cause === "not-found"
      ? `the source of ${first.source} has vanished (404 for a day or longer); ${whole}`
      : `the registry ${registry} of its images has given no answer for an hour or longer; image-cloner status says more`
    yield* tell(key, loss, { reason: "SourceVanished", note })
  })

  const sayBack = Effect.fnUntraced(function*(key: string, { cause, entries, registry }: Loss) {
    // nobody misses what is in use no longer
    const left = entries.flatMap(({ source }) => inventory.get(source) ?? [])
    const [first] = left
    if (first === undefined) return
    const text = cause === "not-found"
      ? `the source of ${first.source} is there again`
      : `the registry ${registry} is silent no longer, and has the sources of its images again`
    yield* Effect.logInfo(text)
    yield* tell(key, { cause, entries: left, registry }, { reason: "SourceBack", note: text })
  })
  return { say, sayBack }
})

const count = Effect.fnUntraced(function*(found: ReadonlyArray<Vanished>) {
  for (const cause of causes) {
    for (const copy of copies) {
      const those = found.filter((it) => it.cause === cause && isKept(it.entry) === (copy === "kept"))
      yield* Metric.update(vanishedSources({ cause, copy }), those.length)
    }
  }
})

/** Makes one look. */
const makeReportVanished = Effect.gen(function*() {
  const cloner = yield* Cloner
  const inventory = yield* Inventory
  const settings = yield* SettingsRef
  const { mayWrite } = yield* Leadership
  const { say, sayBack } = yield* makeSay
  /** What was said, and of which images. */
  let told: ReadonlyMap<string, Loss> = new Map()

  const look = Effect.gen(function*() {
    // another one asks the sources, and knows
    if (!(yield* mayWrite)) {
      told = new Map()
      inventory.setVanished(undefined)
      return yield* count([])
    }
    const silences = yield* cloner.silences
    // our own network is down: nobody can tell what has vanished, or is there again
    if (silences.has(backup(yield* SubscriptionRef.get(settings)).registry)) return
    const found = vanishedOf(inventory.all, silences)
    inventory.setVanished(new Map(found.map((it) => [it.entry.source, it.cause])))
    yield* count(found)
    const before = told
    told = lossesOf(found)
    const fresh = [...told].filter(([key]) => !before.has(key))
    for (const [index, [key, loss]] of fresh.entries()) yield* say(key, loss, index < mostSaid)
    if (fresh.length > mostSaid) {
      const others = fresh.length - mostSaid
      yield* Effect.logWarning(`the sources of ${others} more images have vanished: image-cloner status has them`)
    }
    for (const [key, loss] of before) if (!told.has(key)) yield* sayBack(key, loss)
  })
  return { look }
})

/** Looks once a minute, for ever. */
export const reportVanished = Effect.gen(function*() {
  const { look } = yield* makeReportVanished
  return yield* Effect.forever(Effect.andThen(look, Effect.sleep(pace)))
})
