// Uptime: time that only goes on, for what lasts within this process: rests, freshness, silence, deadlines of progress. The wall
// clock is set now and then, and must neither end nor stretch them. Edge: what is compared with the cluster's own timestamps is
// the wall clock's, and the two are never compared with each other.
import { Clock, Effect } from "effect"

const toMillis = (nanos: bigint): number => Number(nanos / 1_000_000n)

/** Milliseconds since some moment of the past. */
export const uptime: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, toMillis)

/** The same at once, of a clock in hand. */
export const uptimeUnsafe = (clock: Clock.Clock): number => toMillis(clock.monotonicTimeNanosUnsafe())
