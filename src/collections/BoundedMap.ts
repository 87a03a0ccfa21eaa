// A map that forgets its oldest entries beyond a capacity: keys here come from pod specs, so memory must be bounded.

export interface BoundedMap<K, V> {
  readonly get: (key: K) => V | undefined
  /** Adds or replaces; the entry becomes the newest. */
  readonly set: (key: K, value: V) => void
  readonly delete: (key: K) => boolean
  readonly size: () => number
  readonly entries: () => Iterable<[K, V]>
}

/** An empty map of at most `capacity` entries. */
export const makeBoundedMap = <K, V>(capacity: number): BoundedMap<K, V> => {
  const entries = new Map<K, V>()
  return {
    get: (key) => entries.get(key),
    set: (key, value) => {
      entries.delete(key)
      entries.set(key, value)
      if (entries.size <= capacity) return
      for (const oldest of entries.keys()) {
        entries.delete(oldest)
        return
      }
    },
    delete: (key) => entries.delete(key),
    size: () => entries.size,
    entries: () => entries.entries()
  }
}
