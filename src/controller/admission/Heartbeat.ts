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

/** What is to be asked for now, and a copy that was seen not long ago, for whether it is the copy or the backup that fails. */
interface Due {
  readonly copies: ReadonlyArray<Copy>
  readonly newest: Copy | undefined
}

/**
 * The one that was seen longest ago, or those that are about to be too old. One that was tried in vain waits behind the others: a
 * copy that the backup refuses must not be all that it is asked for.
 */
const dueOf = (inventory: Inventory["Service"], tried: ReadonlyMap<string, number>, now: number): Due => {
  const copies = inventory.all.flatMap(({ source, state }): ReadonlyArray<Copy> =>
    state._tag === "BackedUp" ? [{ source, state }] : []
  )
  const at = ({ source, state }: Copy) => Math.max(state.verifiedAt, tried.get(source) ?? -Infinity)
  const old = copies.filter((it) => now - it.state.verifiedAt > ageing).toSorted((a, b) => at(a) - at(b))
  const least = (by: (it: Copy) => number) =>
    copies.reduce<Copy | undefined>((one, it) => one === undefined || by(it) < by(one) ? it : one, undefined)
  const oldest = least(at)
  return {
    copies: old.length > 0 ? old.slice(0, mostInABeat) : oldest === undefined ? [] : [oldest],
    newest: least((it) => -it.state.verifiedAt)
  }
}

/** Makes the fiber that asks; it never ends. */
export const make = Effect.fnUntraced(function*(answers: BackupAnswers) {
  const cloner = yield* Cloner
  const inventory = yield* Inventory
  const images = yield* ImageQueue
  const settings = yield* SettingsRef

  /** By source, when it was tried in vain. */
  const tried = new Map<string, number>()

  /** What the backup says of a copy: when it was seen, that it is lost, or why there is no telling. */
  const ask = Effect.fnUntraced(function*({ source, state }: Copy) {
    const reference = parse(source)
    if (Result.isFailure(reference)) return yield* Effect.die(reference.failure) // the inventory's keys are references
    return yield* cloner.verify(reference.success, state.digest).pipe(
      Effect.timeoutOrElse({
        duration: patience,
        orElse: () => Effect.succeed(`no answer in ${Duration.format(patience)}`)
      }),
      Effect.catch((error) => Effect.succeed(error.reason === "not-found" ? "lost" as const : error.detail))
    )
  })

  /** Makes the question whether the backup answers for another copy than the one that it does not answer for; asked once a beat. */
  const makeAnswersFor = (other: Copy | undefined) =>
    Effect.map(
      Effect.cached(
        other === undefined ? Effect.succeed(false) : Effect.map(ask(other), (it) => typeof it === "number")
      ),
      (asked) => ({ source }: Copy) => other?.source === source ? Effect.succeed(false) : asked
    )

  const look = Effect.fnUntraced(function*(copy: Copy, answersFor: (failed: Copy) => Effect.Effect<boolean>) {
    const { source, state } = copy
    const since = yield* uptime
    const seen = yield* ask(copy)
    if (typeof seen === "number") {
      tried.delete(source)
      // whatever the image loop has found out meanwhile is newer
      if (inventory.state(source) === state) inventory.set(source, { ...state, verifiedAt: seen })
      return answers.answered(seen)
    }
    tried.set(source, since)
    if (seen !== "lost" && !(yield* answersFor(copy))) return answers.failed(since, seen)
    // the backup answers, and this copy is another matter: the image loop's
    answers.answered(yield* uptime)
    yield* images.offer(source)
  })

  // a first beat with the first copy, the moment the webhook is on: the first pods are to have copies, too
  let last: number | undefined
  const tick = Effect.gen(function*() {
    const now = yield* uptime
    if ((yield* SubscriptionRef.get(settings)).MUTATING_WEBHOOK === "off") last = undefined
    else if (last === undefined || now - last >= Duration.toMillis(every)) {
      const { copies, newest } = dueOf(inventory, tried, now)
      last = copies.length === 0 ? undefined : now
      const answersFor = yield* makeAnswersFor(newest)
      yield* Effect.forEach(copies, (it) => look(it, answersFor), { concurrency: atOnce, discard: true })
      for (const source of tried.keys()) if (inventory.get(source) === undefined) tried.delete(source)
    }
  })
  const beats: Effect.Effect<never> = Effect.andThen(Effect.repeat(tick, Schedule.spaced("1 second")), Effect.never)
  return { beats }
})
