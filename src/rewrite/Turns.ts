// Turns: who waits for a place, and whose turn it is. Namespaces take turns, so that none can use up the places of the
// others; within one, first come first served. A plain data structure: no time, no effects.
export class Turns {
  /** Namespaces in the order of their turns, each with its waiting keys; true marks the ones that may go first. */
  readonly #waiting = new Map<string, Map<string, boolean>>()

  wait(key: string, namespace: string, preferred: boolean): void {
    const keys = this.#waiting.get(namespace) ?? new Map<string, boolean>()
    if (!keys.has(key)) keys.set(key, preferred)
    this.#waiting.set(namespace, keys)
  }

  leave(key: string, namespace: string): void {
    const keys = this.#waiting.get(namespace)
    keys?.delete(key)
    if (keys?.size === 0) this.#waiting.delete(namespace)
  }

  /** The key got its place: its namespace goes to the end of the row. */
  take(key: string, namespace: string): void {
    this.leave(key, namespace)
    const keys = this.#waiting.get(namespace)
    if (keys === undefined) return
    this.#waiting.delete(namespace)
    this.#waiting.set(namespace, keys)
  }

  /**
   * The next `count` keys: one of each namespace in turn, then the second of each, and so on.
   * @param preferredFirst whether the preferred ones come before all others
   */
  heads(count: number, preferredFirst: boolean): ReadonlyArray<string> {
    const heads: Array<readonly [key: string, preferred: boolean]> = []
    const rows = [...this.#waiting.values()].map((it) => [...it])
    const longest = Math.max(0, ...rows.map((it) => it.length))
    const enough = preferredFirst ? Number.POSITIVE_INFINITY : count
    for (let depth = 0; depth < longest && heads.length < enough; depth++) {
      for (const row of rows) {
        const head = row[depth]
        if (head !== undefined) heads.push(head)
      }
    }
    const ordered = preferredFirst ? [...heads.filter(([, it]) => it), ...heads.filter(([, it]) => !it)] : heads
    return ordered.slice(0, count).map(([key]) => key)
  }
}
