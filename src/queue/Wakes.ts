// Wakes: tells whoever waits that something may have changed; a wake that comes just before the wait is not missed.
import { Effect } from "effect"

export class Wakes {
  #count = 0
  readonly #waiters = new Set<() => void>()

  /** How many there were by now: what a later wait is told. */
  get seen(): number {
    return this.#count
  }

  wake(): void {
    this.#count++
    // mostly nobody waits: keys come and are done faster than that
    if (this.#waiters.size === 0) return
    const all = [...this.#waiters]
    this.#waiters.clear()
    for (const waiter of all) waiter()
  }

  /** Ends with the first wake after `seen`. */
  after(seen: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.#count !== seen) return resume(Effect.void)
      const waiter = () => resume(Effect.void)
      this.#waiters.add(waiter)
      return Effect.sync(() => this.#waiters.delete(waiter))
    })
  }
}
