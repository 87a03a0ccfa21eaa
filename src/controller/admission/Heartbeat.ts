// Heartbeat: asks the backup every ten seconds for the copies that were seen longest ago, while new pods are pointed to copies: so
// it is known whether it answers, and no copy in use is unseen for six hours. One that it has lost is the image loop's.
import { Duration, Effect, Result, Schedule, SubscriptionRef } from "effect"
import { Cloner } from "../../clone/Cloner.ts"
import { parse } from "../../image/ImageReference.ts"
import type { ImageState } from "../../image/ImageState.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { Inventory } from "../../store/Inventory.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import { admissible } from "../../workload/Freshness.ts"
import { ImageQueue } from "../Queues.ts"
import type { BackupAnswers } from "./BackupAnswers.ts"

const every = Duration.seconds(10)
/** A registry that does not answer in this time is no registry for a pod that starts. */
const patience = Duration.seconds(8)
/** From this age on a copy is looked at before it may be used no longer, so many in a beat: 10,000 in six hours. */
const ageing = admissible * 5 / 6
const mostInABeat = 24
const atOnce = 4

interface Copy {
  readonly source: string
  readonly state: Extract<ImageState, { _tag: "BackedUp" }>
}

/** The one that was seen longest ago, and those that are about to be too old. */
const dueOf = (inventory: Inventory["Service"], now: number): ReadonlyArray<Copy> => {
  let oldest: Copy | undefined
  const old: Array<Copy> = []
  for (const { source, state } of inventory.all) {
    if (state._tag !== "BackedUp") continue
    const copy = { source, state }
    if (oldest === undefined || state.verifiedAt < oldest.state.verifiedAt) oldest = copy
    if (now - state.verifiedAt > ageing && old.length < mostInABeat) old.push(copy)
  }
  return old.length > 0 ? old : oldest === undefined ? [] : [oldest]
}

/** Makes the fiber that asks; it never ends. */
export const make = Effect.fnUntraced(function*(answers: BackupAnswers) {
  const cloner = yield* Cloner
  const inventory = yield* Inventory
  const images = yield* ImageQueue
  const settings = yield* SettingsRef

  const look = Effect.fnUntraced(function*({ source, state }: Copy) {
    const reference = parse(source)
    if (Result.isFailure(reference)) return yield* Effect.die(reference.failure) // the inventory's keys are references
    const since = yield* uptime
    const seen = yield* cloner.verify(reference.success, state.digest).pipe(
      Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.undefined }),
      Effect.result
    )
    if (Result.isSuccess(seen)) {
      if (seen.success === undefined) return answers.failed(since, `no answer in ${Duration.format(patience)}`)
      // whatever the image loop has found out meanwhile is newer
      if (inventory.state(source) === state) inventory.set(source, { ...state, verifiedAt: seen.success })
      return answers.answered(seen.success)
    }
    if (seen.failure.reason !== "not-found") return answers.failed(since, seen.failure.detail)
    answers.answered(yield* uptime)
    yield* images.offer(source)
  })

  // a first beat with the first copy, the moment the webhook is on: the first pods are to have copies, too
  let last: number | undefined
  const tick = Effect.gen(function*() {
    const now = yield* uptime
    if ((yield* SubscriptionRef.get(settings)).MUTATING_WEBHOOK === "off") last = undefined
    else if (last === undefined || now - last >= Duration.toMillis(every)) {
      const due = dueOf(inventory, now)
      last = due.length === 0 ? undefined : now
      yield* Effect.forEach(due, look, { concurrency: atOnce, discard: true })
    }
  })
  const beats: Effect.Effect<never> = Effect.andThen(Effect.repeat(tick, Schedule.spaced("1 second")), Effect.never)
  return { beats }
})
