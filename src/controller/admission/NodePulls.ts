// NodePulls: which nodes cannot reach a backup that answers us. That pods can pull is shown for their secrets, wherever they run; a new
// pool of nodes may lack the route, the name or the authority all the same, and every pod that is moved there would wait for its
// copy for ever. Where a pod is to run is not known as it is made: all start from their originals for a while after a pod has shown it.
// A plain data structure: time comes in, uptime in milliseconds. Edge: which pods tell it is FailedPulls'.
import { Duration } from "effect"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"

/** How long pods start from their originals after a node was found: then one may try it again. */
const rest = 30 * 60 * 1000
/** Nodes that are remembered. */
const mostNodes = 1000

export class NodePulls {
  /** By node, when it was found. */
  readonly #found = makeBoundedMap<string, number>(mostNodes)

  /** A pod on it could not pull. False: it rests for that already. */
  failed(node: string, now: number): boolean {
    if (now - (this.#found.get(node) ?? -Infinity) < rest) return false
    this.#found.set(node, now)
    return true
  }

  /** Forgets nodes that run a copy or are gone, and those that were found long ago. */
  expire(now: number, isOver: (node: string) => boolean): void {
    for (const [node, at] of this.#found.entries()) {
      if (now - at > 2 * rest || isOver(node)) this.#found.delete(node)
    }
  }

  /**
   * Why the backup may not be counted on by whoever may come to run there; undefined: nothing tells so. Whoever makes a pod may be told
   * it, so that it names no pod of others.
   */
  problem(now: number): string | undefined {
    return this.#describe((at) => now - at < rest)
  }

  /** The same for as long as another replica may rest, which may have found it later. */
  problemElsewhere(): string | undefined {
    return this.#describe(() => true)
  }

  #describe(counts: (at: number) => boolean): string | undefined {
    let first: string | undefined
    let others = 0
    for (const [node, at] of this.#found.entries()) {
      if (!counts(at)) continue
      if (first === undefined) first = node
      else others++
    }
    if (first === undefined) return undefined
    return `node ${first}${
      others === 0 ? "" : ` and ${others} more`
    } cannot reach the backup, and a pod may come to run there`
  }
}

/** What is said of a node as it is found. */
export const describeRest = (node: string, registry: string): string =>
  `node ${node} cannot reach the backup, and runs no copy: new pods start from their originals for ${
    Duration.format(Duration.millis(rest))
  }, ` +
  `wherever they are to run. See that it resolves and reaches ${registry} and trusts its certificate; ` +
  "BACKUP_DOWN: rewrite points pods to their copies all the same"
