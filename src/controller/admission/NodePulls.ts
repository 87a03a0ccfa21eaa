// NodePulls: which nodes cannot reach a backup that answers us. That pods can pull is shown for their secrets, wherever they run; a new
// pool of nodes may lack the route, the name or the authority all the same, and every pod that is moved there would wait for its
// copy for ever. Where a pod is to run is not known as it is made: all start from their originals for a while, for longer each time
// that a pod shows it again. A plain data structure: time comes in, uptime in milliseconds. Edge: which pods tell it is
// FailedPulls'.
import { Duration } from "effect"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"

/** How long pods start from their originals after a node was found. */
const firstRest = 10 * 60 * 1000
const longestRest = 60 * 60 * 1000
/** Nodes that are remembered. */
const mostNodes = 1000

export class NodePulls {
  readonly #nodes = makeBoundedMap<string, true>(mostNodes)
  #times = 0
  #until = -Infinity

  /** A pod on it could not pull. Answers for how long pods start from their originals, or undefined where that is known of it. */
  failed(node: string, now: number): number | undefined {
    const isKnown = this.#nodes.get(node) !== undefined
    const rests = this.#until > now
    this.#nodes.set(node, true)
    if (isKnown && rests) return undefined
    // the nodes of a pool are found one after the other, most of them by pods of the same minute
    if (!rests) {
      this.#until = now + Math.min(firstRest * 2 ** Math.min(this.#times, 10), longestRest)
      this.#times++
    }
    return this.#until - now
  }

  /** It runs a copy, or is gone. */
  forget(node: string): void {
    if (!this.#nodes.delete(node) || this.#nodes.size() > 0) return
    this.#times = 0
    this.#until = -Infinity
  }

  /** Those that could not pull, whether there is rest or they are tried again. */
  get names(): ReadonlyArray<string> {
    return [...this.#nodes.entries()].map(([name]) => name)
  }

  /**
   * Why the backup may not be counted on by whoever may come to run there; undefined: nothing tells so. Whoever makes a pod may be told
   * it, so that it names no pod of others.
   */
  problem(now: number): string | undefined {
    if (this.#until <= now) return undefined
    for (const [name] of this.#nodes.entries()) {
      const others = this.#nodes.size() - 1
      const more = others === 0 ? "" : ` and ${others} more`
      return `node ${name}${more} cannot reach the backup, and a pod may come to run there`
    }
    return undefined
  }
}

/** What is said of a node as it is found. */
export const describeRest = (node: string, registry: string, rest: number): string =>
  `node ${node} cannot reach the backup, and runs no copy: new pods start from their originals for ${
    Duration.format(Duration.millis(rest))
  }, ` +
  `wherever they are to run. See that it resolves and reaches ${registry} and trusts its certificate; ` +
  "BACKUP_DOWN: rewrite points pods to their copies all the same"
