// EventLimits: how many Events are written. The same of the same object is a series, of which the count alone is told, and now and then;
// a namespace has so many and gets another one after a while, so that none can fill the cluster's store or keep others from theirs.
// Memory of this process, bounded. Times are uptime in milliseconds.
import { makeBoundedMap } from "../../collections/BoundedMap.ts"

/** How many a namespace may have at once, and after what time it may have another one. */
export const burst = 20
export const refill = 30_000
/** How many of these are kept for what needs somebody: a first day has more of what went well. */
const reserved = 5

/** How often the count of a series is told after the second of them, which is told at once. */
export const refresh = 6 * 60_000
/** After how long without another one a series has ended, and the next is a new Event (client-go tools/events, finishTime). */
export const finish = 6 * 60_000

export type Write =
  | { readonly _tag: "New" }
  /** The Event of this name, which is there, is told of another one: how many there were in all. */
  | { readonly _tag: "Series"; readonly count: number; readonly name: string }
  /** It is counted in a series, and told later. */
  | { readonly _tag: "Counted" }
  /** Its namespace has had too many. */
  | { readonly _tag: "Limited" }

interface Series {
  /** What the Event of it is called. */
  readonly name: string
  readonly count: number
  readonly seenAt: number
  readonly toldAt: number
}

interface Bucket {
  readonly left: number
  readonly at: number
}

/** Beyond these the oldest are forgotten: an Event more is written, no more. */
const mostSeries = 10_000
const mostNamespaces = 5000

export class EventLimits {
  readonly #series = makeBoundedMap<string, Series>(mostSeries)
  readonly #buckets = makeBoundedMap<string, Bucket>(mostNamespaces)

  /** Takes one of what a namespace may have; false: it has none left, but for those that are kept. */
  #take(namespace: string, now: number, kept: number): boolean {
    const before = this.#buckets.get(namespace) ?? { left: burst, at: now }
    const gained = Math.floor((now - before.at) / refill)
    const left = Math.min(burst, before.left + gained)
    // what has begun to refill is kept, unless it is full
    const at = left === burst ? now : before.at + gained * refill
    const isLeft = left > kept
    this.#buckets.set(namespace, { left: isLeft ? left - 1 : left, at })
    return isLeft
  }

  /**
   * What is written of an Event that has just happened.
   * @param key what all of a series have in common: object, reason and cause
   * @param name what it is called if it is a new one
   * @param needsSomebody whether it may have what is kept for that
   */
  admit(key: string, namespace: string, name: string, now: number, needsSomebody = true): Write {
    const kept = needsSomebody ? 0 : reserved
    const before = this.#series.get(key)
    if (before !== undefined && now - before.seenAt < finish) {
      const count = before.count + 1
      const due = before.count === 1 || now - before.toldAt >= refresh
      const told = due && this.#take(namespace, now, kept)
      this.#series.set(key, { ...before, count, seenAt: now, toldAt: told ? now : before.toldAt })
      return told ? { _tag: "Series", count, name: before.name } : { _tag: "Counted" }
    }
    if (!this.#take(namespace, now, kept)) return { _tag: "Limited" }
    this.#series.set(key, { name, count: 1, seenAt: now, toldAt: now })
    return { _tag: "New" }
  }

  /** It was not written: the next is a new one. */
  forget(key: string): void {
    this.#series.delete(key)
  }
}
