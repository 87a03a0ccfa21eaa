// Standing: where this process stands in an election, and everybody who is to know of it: the ref, metrics, the log. Edge: it asks
// nobody and waits for nothing.
import { Clock, Effect, Metric, SubscriptionRef } from "effect"
import { leader, leaderTransitions, touch } from "../../telemetry/Metrics.ts"
import { uptimeUnsafe } from "../../telemetry/Uptime.ts"
import * as Election from "./Election.ts"
import type { LeaseName } from "./LeaseRecord.ts"

/** At first nothing is known, and nobody leads. Every change is told once. */
export const makeStanding = Effect.fnUntraced(function*(identity: string, where: LeaseName) {
  const clock = yield* Clock.Clock
  const leads = yield* SubscriptionRef.make(false)
  yield* touch([leader, leaderTransitions])
  let election = Election.begin(identity, where)
  let closed = false
  let holder = ""

  const turn = Effect.fnUntraced(function*(isLeader: boolean) {
    yield* Metric.update(leader, isLeader ? 1 : 0)
    yield* Metric.update(leaderTransitions, 1)
    yield* SubscriptionRef.set(leads, isLeader)
  })

  /**
   * What is known from now on; `why` a lead ends, if it does. An answer may still come while the program stops: it must not
   * begin anything again.
   */
  const become = Effect.fnUntraced(function*(next: Election.Election, why: string) {
    const led = election.lead !== undefined
    // at once, before anybody is told: `mayWrite` must not be the last to know
    election = closed ? Election.gaveUp(next) : next
    const isLeader = election.lead !== undefined
    if (led !== isLeader) yield* turn(isLeader)
    const now = election.seen?.record.holder ?? ""
    const isNews = now !== holder
    holder = now
    if (led && !isLeader) yield* (closed ? Effect.logInfo : Effect.logWarning)(`gave up the lead: ${why}`)
    if (!led && isLeader) yield* Effect.logInfo(`this replica leads now, as ${identity}`)
    if (isNews && now !== "" && now !== identity) yield* Effect.logInfo(`${now} leads`)
  }, Effect.uninterruptible)

  return {
    leads,
    current: () => election,
    now: (): Election.Moment => ({ uptime: uptimeUnsafe(clock), wall: clock.currentTimeMillisUnsafe() }),
    become,
    isClosed: () => closed,
    /** For good: the program stops. */
    close: Effect.suspend(() => {
      closed = true
      return become(Election.gaveUp(election), "this replica stops")
    })
  }
})

export type Standing = Effect.Success<ReturnType<typeof makeStanding>>
