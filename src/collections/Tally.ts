// Tally: how many there are of each key, counted as they come and go.
export class Tally<K> {
  readonly #counts = new Map<K, number>()

  count(key: K, by: 1 | -1): void {
    const count = (this.#counts.get(key) ?? 0) + by
    if (count === 0) this.#counts.delete(key)
    else this.#counts.set(key, count)
  }

  of(key: K): number {
    return this.#counts.get(key) ?? 0
  }

  /** How many keys there are of which there is any. */
  get size(): number {
    return this.#counts.size
  }
}
