// Insistence: when a configuration that somebody else changes again and again is brought back: at once, and the more rarely the
// sooner it was changed again. Edge: it is for what others change; what settings and authorities want is written without asking.
import { Effect } from "effect"
import { uptime } from "../../telemetry/Uptime.ts"

/** What is changed again within this, by a platform's enforcer or a tool, will be changed the next time too. */
const again = 60_000
const shortest = 2_000
const longest = 5 * 60_000

export interface Insistence {
  /** It was seen to be changed: whether it may be brought back by now. */
  readonly mayBringBack: Effect.Effect<boolean>
  /** It was written, whatever for. */
  readonly written: Effect.Effect<void>
  /** It was seen to be as it should be. */
  readonly atRest: () => void
  /** Whether what is written is changed again each time. */
  readonly inVain: () => boolean
}

export const makeInsistence = (): Insistence => {
  let writtenAt: number | undefined
  /** Between two writes, in milliseconds; 0: no wait. */
  let wait = 0
  /** Whether this change has been counted: it is seen at every look while it waits. */
  let counted = false
  return {
    mayBringBack: Effect.map(uptime, (now) => {
      if (writtenAt === undefined) return true
      if (!counted) wait = now - writtenAt < again ? Math.min(Math.max(shortest, wait * 2), longest) : 0
      counted = true
      return now - writtenAt >= wait
    }),
    written: Effect.map(uptime, (now) => {
      writtenAt = now
      counted = false
    }),
    atRest: () => {
      counted = false
    },
    inVain: () => wait > shortest
  }
}
