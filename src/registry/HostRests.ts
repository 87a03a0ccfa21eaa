// Hosts that asked for rest get it, as a whole: no request of ours reaches them before their time.
// A rate limit (429 and its disguises) rests everything. Edge: what a budget that runs low rests is Reserves.ts.
import { Clock, Duration, Effect } from "effect"
import { makeBoundedMap } from "../collections/BoundedMap.ts"
import { type RegistryError, registryError } from "./RegistryError.ts"
import { type Charge, makeReserves, type Reserves } from "./Reserves.ts"

const firstRest = Duration.seconds(10)
const longestRest = Duration.minutes(10)

export interface Ask extends Charge {
  readonly operation: string
  readonly target: string
}

export interface HostRests extends Pick<Reserves, "announced" | "budgetOf"> {
  /** Waits until the host may be asked; fails with `RateLimited` and the time when that is too long to wait for. */
  readonly turn: (ask: Ask) => Effect.Effect<void, RegistryError>
  /** The host asked for rest; without a time it gets a growing one. Returns how long it will rest. */
  readonly limited: (ask: Ask, after: Duration.Duration | undefined) => Effect.Effect<Duration.Duration>
  /** How long the host is left alone by what can wait: for its rate limit, or for a budget that runs low; zero where it is not. */
  readonly restOf: (host: string) => Effect.Effect<Duration.Duration>
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

/** Limits of all hosts, empty. `onRest` hears of every rest that begins. */
export const makeHostRests = (options: {
  readonly longestWait: Duration.Duration
  /** Share of an announced budget that is left to the cluster's own pulls, 0 to 1; asked at every announcement. */
  readonly reserve: () => number
  readonly onRest: (host: string) => Effect.Effect<void>
}): HostRests => {
  const limits = makeBoundedMap<string, Rest>(4096)
  const reserves = makeReserves(options)

  const waitForTurn = Effect.fnUntraced(function*(ask: Ask): Effect.fn.Return<void, RegistryError> {
    // looked at again after waiting: the rest may have been prolonged meanwhile
    for (;;) {
      const now = yield* Clock.monotonicTimeNanos
      const limit = limits.get(ask.host)?.until ?? 0n
      const low = reserves.restOf(ask)
      const until = limit > low ? limit : low
      if (until <= now) return
      const wait = Duration.nanos(until - now)
      if (Duration.isGreaterThan(wait, options.longestWait)) {
        const reserve = Math.round(options.reserve() * 100)
        const why = limit >= low
          ? "the registry limits our rate"
          : `less than ${reserve}% of the registry's announced budget is left, which RATE_LIMIT_RESERVE keeps for the `
            + "cluster's own pulls"
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
        limits.get(ask.host) === undefined && reserves.restOf(ask) === 0n ? Effect.void : waitForTurn(ask)
      ),
    announced: reserves.announced,
    budgetOf: reserves.budgetOf,
    limited,
    restOf: (host) =>
      Effect.map(Clock.monotonicTimeNanos, (now) => {
        const [limit, low] = [limits.get(host)?.until ?? 0n, reserves.latestRestOf(host)]
        const until = limit > low ? limit : low
        return until > now ? Duration.nanos(until - now) : Duration.zero
      }),
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
