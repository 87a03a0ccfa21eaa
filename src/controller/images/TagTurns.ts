// TagTurns: when the tag of each copy is compared with its source's: once an interval, spread over it, sooner when somebody asks, later
// where there was no answer. Pure but for its own state; times are uptime in milliseconds. Edge: what is compared, and what follows,
// is CompareTags'; how long an interval is, is said by whoever calls.
import { Duration } from "effect"
import { Phases, turnAfter } from "../../queue/Phases.ts"

/** How often a tag is compared that a user pulls anew at every start. */
export const often = Duration.toMillis("5 minutes")
/** How soon one is compared again at the earliest, whoever asks: a template that is changed all the time costs no more. */
const soonest = Duration.toMillis("10 seconds")
/** A source without an answer is asked again within this part of the interval, spread over it: no storm when it is back. */
const sooner = 8

/** Of those without an answer; never below what is often enough for everybody. */
const soonerThan = (interval: number): number => Math.min(interval, Math.max(often, Math.floor(interval / sooner)))

interface Turn {
  readonly phase: number
  /** That `at` was reckoned with. */
  interval: number
  /** Undefined: to be reckoned. */
  at: number | undefined
  /** When the tag was compared last, or copied. */
  last: number
}

export class TagTurns {
  readonly #turns = new Map<string, Turn>()
  readonly #phases: Phases

  /** @param start in [0, 1): where the first turn of all is */
  constructor(start: number) {
    this.#phases = new Phases(start)
  }

  #of(source: string): Turn {
    const known = this.#turns.get(source)
    if (known !== undefined) return known
    const fresh: Turn = { phase: this.#phases.next(), interval: 0, at: undefined, last: -Infinity }
    this.#turns.set(source, fresh)
    return fresh
  }

  /** When its turn is. A first one, and one by another interval than before, is reckoned from now: never all at once. */
  of(source: string, interval: number, now: number): number {
    const turn = this.#of(source)
    if (turn.at === undefined || turn.interval !== interval) {
      turn.interval = interval
      turn.at = turnAfter(turn.phase, interval, now)
    }
    return turn.at
  }

  /** Somebody asks for it: its turn is soon. */
  hasten(source: string, now: number): void {
    const turn = this.#of(source)
    turn.at = Math.min(turn.at ?? Infinity, Math.max(now, turn.last + soonest))
  }

  /** It was compared, or copied by what its source's tag names; answers the next turn. */
  compared(source: string, interval: number, now: number): number {
    const turn = this.#of(source)
    turn.last = now
    turn.interval = interval
    turn.at = turnAfter(turn.phase, interval, now)
    return turn.at
  }

  /** There was no answer, and is to be none for `rest`: answers the turn after that. */
  putOff(source: string, interval: number, now: number, rest: number): number {
    const turn = this.#of(source)
    turn.last = now
    turn.interval = interval
    turn.at = turnAfter(turn.phase, soonerThan(interval), now + Math.ceil(rest))
    return turn.at
  }

  /** It has no turns until one is asked for again. */
  rest(source: string): void {
    const turn = this.#turns.get(source)
    if (turn !== undefined) turn.at = undefined
  }

  forget(source: string): void {
    this.#turns.delete(source)
  }
}
