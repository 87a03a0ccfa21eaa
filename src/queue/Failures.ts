// Failures: how often the work on a key has failed in a row, and until when it rests for that. Times are uptime in milliseconds.

export class Failures<K extends string> {
  readonly #failures = new Map<K, { readonly times: number; readonly until: number }>()
  /** Keys whose work has said by itself that it failed. */
  readonly #said = new Set<K>()

  timesOf(key: K): number {
    return this.#failures.get(key)?.times ?? 0
  }

  note(key: K, until: number): void {
    this.#failures.set(key, { times: this.timesOf(key) + 1, until })
    this.#said.add(key)
  }

  /** Whether it was noted while this work was done; asked once, at its end. */
  takeSaid(key: K): boolean {
    return this.#said.delete(key)
  }

  /** Whether it is too early: work that was woken before its rest was over may have done nothing but see that. */
  isResting(key: K, now: number): boolean {
    return (this.#failures.get(key)?.until ?? 0) > now
  }

  forget(key: K): void {
    this.#failures.delete(key)
  }
}
