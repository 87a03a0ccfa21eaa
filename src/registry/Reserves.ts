// Budgets that registries announce: one that runs low rests what counts against it, for the identity it was announced to.
// HEADs and blobs are free at the registries that announce budgets. Edge: a rate limit rests everything, HostRests.ts.
import { Clock, Duration, Effect, Option } from "effect"
import { makeBoundedMap } from "../collections/BoundedMap.ts"
import { firstOf } from "../http/HeaderValues.ts"
import { type Budget, budgetLeft } from "./RateLimitHeaders.ts"
import type { ResponseHeaders } from "./transport/Dispatch.ts"

/** The longest rest for a low budget: after it one HEAD tells whether it has recovered. */
const longestRest = Duration.minutes(15)

/** Whose budget something counts against, if it does. */
export interface Charge {
  readonly host: string
  /** "anonymous" or a credential's fingerprint. */
  readonly identity: string
  /** A free request passes a host that rests for its budget only. */
  readonly cost: "free" | "counted"
}

export interface Reserves {
  /** Monotonic nanoseconds until which this is not to be asked; 0: it never was to wait. */
  readonly restOf: (charge: Charge) => bigint
  /** The latest time until which anything is not to be asked of a host, whoever asks; likewise. */
  readonly latestRestOf: (host: string) => bigint
  /** Takes note of an answer's budget headers. */
  readonly announced: (charge: Charge, headers: ResponseHeaders) => Effect.Effect<void>
  /** What the host has announced last, to whomever. */
  readonly budgetOf: (host: string) => Budget | undefined
}

const keyOf = ({ host, identity }: Charge) => `${host} ${identity}`

/** Nothing is announced. */
export const makeReserves = (options: {
  /** Share of a budget that is left to the cluster's own pulls, 0 to 1; asked at every announcement. */
  readonly reserve: () => number
  /** Hears of every rest that begins. */
  readonly onRest: (host: string) => Effect.Effect<void>
}): Reserves => {
  const rests = makeBoundedMap<string, bigint>(4096)
  const budgets = makeBoundedMap<string, Budget>(256)

  const budgeted = Effect.fnUntraced(function*(charge: Charge, left: Budget) {
    budgets.set(charge.host, left)
    const key = keyOf(charge)
    if (left.share >= options.reserve()) {
      rests.delete(key)
      return
    }
    const now = yield* Clock.monotonicTimeNanos
    if ((rests.get(key) ?? 0n) > now) return
    yield* Effect.logInfo("a registry's budget runs low; it rests").pipe(
      Effect.annotateLogs({ host: charge.host, left: `${Math.floor(left.share * 100)}%` })
    )
    yield* options.onRest(charge.host)
    rests.set(key, now + Duration.toNanosUnsafe(Duration.min(left.window, longestRest)))
  })

  return {
    // most hosts never rest: this may not cost them anything
    restOf: (charge) => charge.cost === "free" || rests.size() === 0 ? 0n : rests.get(keyOf(charge)) ?? 0n,
    latestRestOf: (host) => {
      let latest = 0n
      for (const [key, until] of rests.entries()) {
        if (key.startsWith(`${host} `) && until > latest) latest = until
      }
      return latest
    },
    announced: (charge, headers) => {
      const limit = firstOf(headers["ratelimit-limit"])
      if (limit === undefined) return Effect.void
      const left = budgetLeft(limit, firstOf(headers["ratelimit-remaining"]))
      return Option.isNone(left) ? Effect.void : budgeted(charge, left.value)
    },
    budgetOf: budgets.get
  }
}
