// Keys that hold for a while: each is forgotten when its time is over, or when too many newer ones have come.
import { makeBoundedMap } from "./BoundedMap.ts"

/** `now` is always the monotonic clock's, in nanoseconds. */
export interface ExpiringSet {
  readonly has: (key: string, now: bigint) => boolean
  /** Begins the key's time anew; true if it was not there. */
  readonly add: (key: string, now: bigint) => boolean
}

/** An empty set of at most `capacity` keys, each of which holds for `nanoseconds`. */
export const makeExpiringSet = (capacity: number, nanoseconds: bigint): ExpiringSet => {
  const ends = makeBoundedMap<string, bigint>(capacity)
  const has = (key: string, now: bigint) => (ends.get(key) ?? 0n) > now
  return {
    has,
    add: (key, now) => {
      const isNew = !has(key, now)
      ends.set(key, now + nanoseconds)
      return isNew
    }
  }
}
