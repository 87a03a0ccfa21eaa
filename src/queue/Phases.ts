// Phases: when each of many is due that come round once an interval, spread evenly over it however many there are and whenever they
// came: no burst, and no timer for any of them. Pure but for its own count; times in milliseconds.
//
// Turns differ by the golden ratio of the interval, which leaves the most even gaps for any number of them (three-distance theorem).

const goldenRatio = (Math.sqrt(5) - 1) / 2

/** Gives out phases, parts of an interval in [0, 1). */
export class Phases {
  #last: number

  /** @param start in [0, 1): where the first one is, so that not all processes begin alike */
  constructor(start: number) {
    this.#last = start
  }

  next(): number {
    this.#last = (this.#last + goldenRatio) % 1
    return this.#last
  }
}

/** The first moment after `after` at which the turn of a phase comes: within an interval. Whole milliseconds, as all given ones. */
export const turnAfter = (phase: number, interval: number, after: number): number => {
  const turn = Math.floor(after / interval) * interval + Math.floor(phase * interval)
  return turn > after ? turn : turn + interval
}
