// Turns: who waits for a place, and whose turn it is. Namespaces take turns, so that none can use up the places of the
// others; within one, first come first served. A plain data structure: no time, no effects.
export class Turns {
  /** Namespaces in the order of their turns, each with its waiting keys. */
  readonly #waiting = new Map<string, Set<string>>()

  wait(key: string, namespace: string): void {
    this.#waiting.set(namespace, (this.#waiting.get(namespace) ?? new Set()).add(key))
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

  /** Whether a namespace other than this one waits. */
  othersWait(namespace: string): boolean {
    return this.#waiting.size > (this.#waiting.has(namespace) ? 1 : 0)
  }

  /** How many wait, and which of them it is, from 1, if all got their places one after the other; undefined: it does not wait. */
  placeOf(key: string, namespace: string): { readonly position: number; readonly of: number } | undefined {
    if (this.#waiting.get(namespace)?.has(key) !== true) return undefined
    const all = this.heads(Number.POSITIVE_INFINITY, () => Number.POSITIVE_INFINITY)
    return { position: all.indexOf(key) + 1, of: all.length }
  }

  /**
   * The next `count` keys: one of each namespace in turn, then the second of each, and so on.
   * @param allowance how many more places a namespace may have
   */
  heads(count: number, allowance: (namespace: string) => number): ReadonlyArray<string> {
    const heads: Array<string> = []
    const rows = [...this.#waiting].map(([namespace, keys]) => [...keys].slice(0, Math.max(0, allowance(namespace))))
    const longest = Math.max(0, ...rows.map((it) => it.length))
    for (let depth = 0; depth < longest && heads.length < count; depth++) {
      for (const row of rows) {
        const head = row[depth]
        if (head !== undefined) heads.push(head)
      }
    }
    return heads.slice(0, Math.max(0, count))
  }
}
