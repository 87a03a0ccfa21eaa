// Insistence: when a configuration that somebody else changes again and again is brought back: at once, and the more rarely the
// sooner it was changed again. Edge: it is for what others change; what settings and authorities want is written without asking.
import { Effect } from "effect"
import { uptime } from "../../telemetry/Uptime.ts"

/** What is changed again within this, by a platform's enforcer or a tool, will be changed the next time too. */
const again = 60_000
const shortest = 2_000
const longest = 5 * 60_000
/** So often it is brought back at once all the same: a tool that is being set up, or a person who tries something, is no fight. */
const patient = 5

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
  /** How often in a row it was changed again. */
  let repeats = 0
  /** Between two writes, in milliseconds. */
  const wait = () => repeats === 0 ? 0 : Math.min(shortest * 2 ** Math.max(0, repeats - patient), longest)
  /** Whether this change has been counted: it is seen at every look while it waits. */
  let counted = false
  return {
    mayBringBack: Effect.map(uptime, (now) => {
      if (writtenAt === undefined) return true
      if (!counted) repeats = now - writtenAt < again ? repeats + 1 : 0
      counted = true
      return now - writtenAt >= wait()
    }),
    written: Effect.map(uptime, (now) => {
      writtenAt = now
      counted = false
    }),
    atRest: () => {
      counted = false
    },
    inVain: () => repeats > patient
  }
}
