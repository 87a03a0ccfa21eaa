// EventLimits: how many Events are written: the same of the same object is a series, of which only the count is told, and now and then;
// a namespace has so many and gets another one after a while, so that none can fill the cluster's store. Memory of this process,
// bounded. Times are uptime in milliseconds.
import { makeBoundedMap } from "../../collections/BoundedMap.ts"

/** How many a namespace may have at once, and after what time it may have another one. */
export const burst = 20
export const refill = 30_000

/** How often the count of a series is told (client-go tools/events, refreshTime: six minutes). */
export const refresh = 6 * 60_000
/** After how long without another one a series has ended, and the next is a new Event (client-go tools/events, finishTime). */
export const finish = 6 * 60_000

export type Write =
  | { readonly _tag: "New" }
  /** The Event that is there is told of another one: how many there were in all. */
  | { readonly _tag: "Series"; readonly count: number }
  /** Nothing is written. */
  | { readonly _tag: "None" }

interface Series {
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

const none: Write = { _tag: "None" }

export class EventLimits {
  readonly #series = makeBoundedMap<string, Series>(mostSeries)
  readonly #buckets = makeBoundedMap<string, Bucket>(mostNamespaces)

  /** Takes one of what a namespace may have; false: it has none left. */
  #take(namespace: string, now: number): boolean {
    const before = this.#buckets.get(namespace) ?? { left: burst, at: now }
    const gained = Math.floor((now - before.at) / refill)
    const left = Math.min(burst, before.left + gained)
    // what has begun to refill is kept, unless it is full
    const at = left === burst ? now : before.at + gained * refill
    this.#buckets.set(namespace, { left: Math.max(0, left - 1), at })
    return left > 0
  }

  /** What is written of an Event that has just happened. */
  admit(key: string, namespace: string, reason: string, now: number): Write {
    const name = `${key} ${reason}`
    const before = this.#series.get(name)
    if (before !== undefined && now - before.seenAt < finish) {
      const count = before.count + 1
      const due = now - before.toldAt >= refresh && this.#take(namespace, now)
      this.#series.set(name, { count, seenAt: now, toldAt: due ? now : before.toldAt })
      return due ? { _tag: "Series", count } : none
    }
    if (!this.#take(namespace, now)) return none
    this.#series.set(name, { count: 1, seenAt: now, toldAt: now })
    return { _tag: "New" }
  }
}
