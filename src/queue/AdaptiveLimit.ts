// AdaptiveLimit: how much may be done at once beside something that must not wait: one more while there is room, half where there is
// none. Pure. Source: RFC 5681, 3.1 (additive increase, multiplicative decrease); RFC 7661 (what was not used is not known to be right).

/** What was seen since the limit was last set. */
export interface Seen {
  /** The share of the time in which the thread was at work, from 0 to 1. */
  readonly busy: number
  /** How much is done at this moment. */
  readonly running: number
  /** Whether anything waits for the limit. */
  readonly waiting: boolean
  /** What is not exceeded, however much room there is. */
  readonly most: number
}

/** What is left in any case: of two permits one source never gets the last (FairTurns.ts), so that one that stalls holds up no other. */
export const least = 2
/** Beyond it, what comes in meets a queue: at four fifths it waits four times as long as it is worked on (M/M/1). */
const full = 0.8
/** Below it one more is tried. Between the two nothing is changed, or the limit would swing. */
const roomy = 0.7

const wanted = (limit: number, { busy, running, waiting }: Seen): number => {
  if (busy > full) return Math.floor(Math.min(limit, running) / 2)
  if (!waiting) return Math.min(limit, running)
  return busy < roomy ? limit + 1 : limit
}

/** The next limit. */
export const nextLimit = (limit: number, seen: Seen): number =>
  Math.min(seen.most, Math.max(least, wanted(limit, seen)))
