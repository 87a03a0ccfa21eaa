// Hosts that asked for rest get it, as a whole: no request of ours reaches them before their time.
// A rate limit (429 and its disguises) rests everything; a budget that runs low rests what counts against it, for the
// identity it was announced to: HEADs and blobs are free at the registries that announce budgets.
import { Clock, Duration, Effect, Option } from "effect"
import { makeBoundedMap } from "../collections/BoundedMap.ts"
import { firstOf } from "../http/HeaderValues.ts"
import { type Budget, budgetLeft } from "./RateLimitHeaders.ts"
import { type RegistryError, registryError } from "./RegistryError.ts"
import type { ResponseHeaders } from "./transport/Dispatch.ts"

/** The longest rest for a low budget: after it one HEAD tells whether it has recovered. */
const longestReserveRest = Duration.minutes(15)
const firstRest = Duration.seconds(10)
const longestRest = Duration.minutes(10)

/** What a request costs: `free` ones pass a host that rests for its budget only. */
export type Cost = "free" | "counted"

export interface Ask {
  readonly operation: string
  readonly target: string
  readonly host: string
  /** Whose budget it is: "anonymous" or a credential's fingerprint. */
  readonly identity: string
  readonly cost: Cost
}

export interface HostRests {
  /** Waits until the host may be asked; fails with `RateLimited` and the time when that is too long to wait for. */
  readonly turn: (ask: Ask) => Effect.Effect<void, RegistryError>
  /** Takes note of an answer's budget headers. */
  readonly announced: (ask: Ask, headers: ResponseHeaders) => Effect.Effect<void>
  /** What the host has announced last, to whomever. */
  readonly budgetOf: (host: string) => Budget | undefined
  /** The host asked for rest; without a time it gets a growing one. Returns how long it will rest. */
  readonly limited: (ask: Ask, after: Duration.Duration | undefined) => Effect.Effect<Duration.Duration>
  /** The host answers normally again. */
  readonly answered: (ask: Ask) => Effect.Effect<void>
}

interface Rest {
  /** Monotonic nanoseconds. */
  readonly until: bigint
  /** Rests without a stated time in a row. */
  readonly unstated: number
}

const nanos = (duration: Duration.Duration): bigint => BigInt(Math.ceil(Duration.toMillis(duration))) * 1_000_000n

const reserveKey = (ask: Ask) => `${ask.host} ${ask.identity}`

/** Limits of all hosts, empty. `onRest` hears of every rest that begins. */
export const makeHostRests = (options: {
  readonly longestWait: Duration.Duration
  /** Share of an announced budget that is left to the cluster's own pulls, 0 to 1; asked at every announcement. */
  readonly reserve: () => number
  readonly onRest: (host: string) => Effect.Effect<void>
}): HostRests => {
  const limits = makeBoundedMap<string, Rest>(4096)
  const reserves = makeBoundedMap<string, bigint>(4096)
  const budgets = makeBoundedMap<string, Budget>(256)

  const waitForTurn = Effect.fnUntraced(function*(ask: Ask): Effect.fn.Return<void, RegistryError> {
    // looked at again after waiting: the rest may have been prolonged meanwhile
    for (;;) {
      const now = yield* Clock.monotonicTimeNanos
      const limit = limits.get(ask.host)?.until ?? 0n
      const low = ask.cost === "free" ? 0n : reserves.get(reserveKey(ask)) ?? 0n
      const until = limit > low ? limit : low
      if (until <= now) return
      const wait = Duration.nanos(until - now)
      if (Duration.isGreaterThan(wait, options.longestWait)) {
        const why = limit >= low
          ? "the registry limits our rate"
          : `less than ${
            Math.round(options.reserve() * 100)
          }% of the registry's announced budget is left, which RATE_LIMIT_RESERVE keeps for the cluster's own pulls`
        return yield* registryError({
          operation: ask.operation,
          target: ask.target,
          reason: "RateLimited",
          detail: `${why}; ${ask.host} rests for ${Duration.format(Duration.seconds(Duration.toSeconds(wait) | 0))}`,
          retryAfter: wait
        })
      }
      yield* Effect.sleep(wait)
    }
  })

  const budgeted = Effect.fnUntraced(function*(ask: Ask, left: Budget) {
    budgets.set(ask.host, left)
    const key = reserveKey(ask)
    if (left.share >= options.reserve()) {
      reserves.delete(key)
      return
    }
    const now = yield* Clock.monotonicTimeNanos
    const known = reserves.get(key)
    const until = now + nanos(Duration.min(left.window, longestReserveRest))
    if (known === undefined || known <= now) {
      yield* Effect.logInfo("a registry's budget runs low; it rests").pipe(
        Effect.annotateLogs({ host: ask.host, left: `${Math.floor(left.share * 100)}%` })
      )
      yield* options.onRest(ask.host)
      reserves.set(key, until)
    }
  })

  const limited: HostRests["limited"] = Effect.fnUntraced(function*(ask, after) {
    const now = yield* Clock.monotonicTimeNanos
    const known = limits.get(ask.host)
    const unstated = after === undefined ? (known?.unstated ?? 0) + 1 : 0
    const rest = after ?? Duration.min(Duration.times(firstRest, 2 ** Math.min(unstated - 1, 10)), longestRest)
    const until = now + nanos(rest)
    if (known === undefined || known.until <= now) {
      yield* Effect.logInfo("a registry limits our rate; it rests").pipe(
        Effect.annotateLogs({ host: ask.host, seconds: Math.ceil(Duration.toSeconds(rest)) })
      )
      yield* options.onRest(ask.host)
    }
    // several answers to requests sent at once must not shorten each other's rest, nor count as several limits
    if (known === undefined || until > known.until) {
      limits.set(ask.host, { until, unstated: known !== undefined && known.until > now ? known.unstated : unstated })
    }
    return Duration.nanos((limits.get(ask.host)?.until ?? until) - now)
  })

  // most hosts never rest: nothing of this may cost them anything
  return {
    turn: (ask) =>
      Effect.suspend(() =>
        limits.get(ask.host) === undefined && (reserves.size() === 0 || reserves.get(reserveKey(ask)) === undefined)
          ? Effect.void
          : waitForTurn(ask)
      ),
    announced: (ask, headers) => {
      const limit = firstOf(headers["ratelimit-limit"])
      if (limit === undefined) return Effect.void
      const left = budgetLeft(limit, firstOf(headers["ratelimit-remaining"]))
      return Option.isNone(left) ? Effect.void : budgeted(ask, left.value)
    },
    budgetOf: budgets.get,
    limited,
    answered: (ask) =>
      Effect.suspend(() => {
        const known = limits.get(ask.host)
        return known === undefined ? Effect.void : Effect.map(Clock.monotonicTimeNanos, (now) => {
          // an answer that was under way when the limit came says nothing about it
          if (known.until <= now && limits.get(ask.host) === known) limits.delete(ask.host)
        })
      })
  }
}
