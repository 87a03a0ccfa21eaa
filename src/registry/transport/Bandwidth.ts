// How fast blobs are read, all of them together: MAX_BANDWIDTH, a token bucket. What is read of a source goes to the backup
// at once, so uploads are bounded with it. Edge: how long a stream rests; that it is read at all is its reader's business.
import { Clock, Duration, Effect, Latch, type Scope } from "effect"
import type { BodyStream } from "./BodyStream.ts"

/** A stream that rests when it has been too fast. */
export interface PacedStream extends BodyStream {
  /** Nanoseconds it has been made to rest so far: that it moved nothing meanwhile is not the registry's fault. */
  readonly rested: () => bigint
}

export interface Bandwidth {
  /**
   * The stream itself where there is no limit when it begins; the limit's changes are followed. `length`: of the body, in
   * bytes, where it is known: nothing rests behind its end.
   */
  readonly pace: (stream: BodyStream, length?: number) => Effect.Effect<PacedStream, never, Scope.Scope>
}

/** What was not used for so long is lost: nobody is to see more than the limit for longer. */
const burst = Duration.toNanosUnsafe(Duration.millis(100))
const second = 1_000_000_000
/** Nothing rests for longer, whatever is due: proxies cut uploads that are silent for a minute. */
const longestRest = Duration.toNanosUnsafe(Duration.seconds(30))

/**
 * `bytesPerSecond`: the limit of now; undefined for none. `leastBytes`: a stream that has not brought so many since its last
 * rest does not rest, or a drip would be excused by the others' hurry.
 */
export const makeBandwidth = (
  { bytesPerSecond, clock, leastBytes }: {
    readonly bytesPerSecond: () => number | undefined
    readonly clock: Clock.Clock
    readonly leastBytes: number
  }
): Bandwidth => {
  /** When all that has been read would have come at the speed of the limit. */
  let due = clock.monotonicTimeNanosUnsafe() - burst

  /** Notes that bytes came; the moment until which no more may, undefined if they may now. */
  const take = (bytes: number): bigint | undefined => {
    const limit = bytesPerSecond()
    if (limit === undefined) return undefined
    const now = clock.monotonicTimeNanosUnsafe()
    if (due < now - burst) due = now - burst
    due += BigInt(Math.ceil(bytes / limit * second))
    if (due > now + longestRest) due = now + longestRest
    return due > now ? due : undefined
  }

  return {
    pace: Effect.fnUntraced(function*({ abort, resume, start }, length = Infinity) {
      if (bytesPerSecond() === undefined) return { abort, resume, start, rested: () => 0n }
      // those that end within one read never rest: they begin later
      const ahead = due - clock.monotonicTimeNanosUnsafe() - BigInt(second)
      if (ahead > 0n) yield* Effect.sleep(Duration.nanos(ahead))
      const resting = Latch.makeUnsafe(false)
      /** Does its reader want more? */
      let wanted = true
      let until = 0n
      let since: bigint | undefined
      let rested = 0n
      let arrived = 0
      let unrested = 0
      const wake = Effect.gen(function*() {
        yield* resting.await
        for (let now = yield* Clock.monotonicTimeNanos; now < until; now = yield* Clock.monotonicTimeNanos) {
          yield* Effect.sleep(Duration.nanos(until - now))
        }
        if (since !== undefined) rested += (yield* Clock.monotonicTimeNanos) - since
        since = undefined
        resting.closeUnsafe()
        if (wanted) resume()
      })
      yield* Effect.forkScoped(Effect.forever(wake), { startImmediately: true })
      return {
        abort,
        rested: () => rested + (since === undefined ? 0n : clock.monotonicTimeNanosUnsafe() - since),
        resume: () => {
          wanted = true
          if (since === undefined) resume()
        },
        start: (sink) =>
          start({
            ...sink,
            data: (chunk) => {
              const free = take(chunk.length)
              wanted = sink.data(chunk)
              arrived += chunk.length
              unrested += chunk.length
              if (free !== undefined && unrested >= leastBytes && arrived < length) {
                unrested = 0
                until = free
                since ??= clock.monotonicTimeNanosUnsafe()
                resting.openUnsafe()
              }
              return wanted && since === undefined
            }
          })
      }
    })
  }
}
