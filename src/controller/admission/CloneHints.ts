// CloneHints: copies that pods lacked as they were made, wanted for a while. Pods that come to be want them by themselves; of one
// that was refused nobody else knows. Whoever can reach the webhook can say anything here, so it is bounded, for each namespace and
// in all, and only namespaces that exist may ask. A plain data structure; times are uptime in milliseconds.

/** How many images a namespace, and how many namespaces, may have asked for at a time; and for how long. */
const mostSources = 20
const mostNamespaces = 500
const keptFor = 10 * 60 * 1000

/** The inventory's users that these are; no workload is called so. */
const prefix = "Hint/"
const userOf = (namespace: string): string => `${prefix}${namespace}`

export const isHint = (user: string): boolean => user.startsWith(prefix)

/** What a namespace wants from now on; none: nothing any more. */
export interface Wish {
  readonly user: string
  readonly sources: ReadonlyArray<string>
}

export class CloneHints {
  readonly #until = new Map<string, Map<string, number>>()

  /** Takes note of what a namespace lacks; undefined: nothing new, or no more than it may ask for already. */
  ask(namespace: string, sources: ReadonlyArray<string>, now: number): Wish | undefined {
    const wished = this.#until.get(namespace) ?? new Map<string, number>()
    if (wished.size === 0 && this.#until.size >= mostNamespaces) return undefined
    const before = wished.size
    for (const source of sources) {
      if (!wished.has(source) && wished.size < mostSources) wished.set(source, now + keptFor)
    }
    if (wished.size === before) return undefined
    this.#until.set(namespace, wished)
    return { user: userOf(namespace), sources: [...wished.keys()] }
  }

  /** Namespaces some of whose wishes are over, and what they want from now on. */
  expire(now: number): ReadonlyArray<Wish> {
    return [...this.#until].flatMap(([namespace, wished]) => {
      const over = [...wished].filter(([, until]) => until <= now)
      if (over.length === 0) return []
      for (const [source] of over) wished.delete(source)
      if (wished.size === 0) this.#until.delete(namespace)
      return [{ user: userOf(namespace), sources: [...wished.keys()] }]
    })
  }
}
