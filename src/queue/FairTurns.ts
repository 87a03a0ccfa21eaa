// FairTurns: whose turn it is when a permit is free: lanes (source registries) in turns, then namespaces, then by urgency; so that one
// with many waiters starves no other. Pure but for its own state. Edge: how somebody waits is ResizablePermits' and Line's.

/** What is said for an image that waits. */
export interface Claim {
  /** What takes turns first: for copies the source lane. */
  readonly lane: string
  /** Whose workloads use it; none: nobody's in particular, which is a turn of its own. */
  readonly namespaces: ReadonlySet<string>
  /** The higher goes first among those of a namespace's turn; equal ones in the order of their coming. */
  readonly urgency: number
}

/** Nothing is said but the lane. */
export const unclaimed: Omit<Claim, "lane"> = { namespaces: new Set(), urgency: 0 }

/** Somebody who waits; `grant` is called with a permit counted for them. */
export interface Waiter {
  claim: Claim
  readonly grant: () => void
}

export interface FairTurnsOptions {
  readonly permits: number
  /**
   * Neither one lane nor the work that is one namespace's alone ever gets the last permit (of two or more): if it stalls,
   * that of others goes on. Work that several namespaces wait for, or nobody in particular, counts for its lane only.
   * Without it, one may have all.
   */
  readonly reserve: boolean
}

const nobody: ReadonlySet<string> = new Set([""])

/** How many permits are out under each name. */
class Counts {
  readonly #counts = new Map<string, number>()
  of(name: string): number {
    return this.#counts.get(name) ?? 0
  }
  add(name: string, more: 1 | -1): void {
    const count = this.of(name) + more
    if (count === 0) this.#counts.delete(name)
    else this.#counts.set(name, count)
  }
}

/** The one whose work it is; undefined where it is of several, or of nobody in particular. */
const ownerOf = ({ namespaces }: Claim): string | undefined =>
  namespaces.size === 1 ? namespaces.values().next().value : undefined

const turnsOf = ({ namespaces }: Claim): ReadonlySet<string> => namespaces.size === 0 ? nobody : namespaces

/** The permits, and who waits for them. */
export class FairTurns {
  #most: number
  readonly #reserve: boolean
  #out = 0
  // in the order in which the lanes are served next: whoever was served goes to the back
  readonly #queues = new Map<string, Array<Waiter>>()
  readonly #byLane = new Counts()
  readonly #byOwner = new Counts()
  /** By namespace, the number of the grant that served it last; forgotten when all is done. */
  readonly #served = new Map<string, number>()
  #grants = 0
  constructor({ permits, reserve }: FairTurnsOptions) {
    this.#most = permits
    this.#reserve = reserve
  }

  get waiting(): number {
    let sum = 0
    for (const queue of this.#queues.values()) sum += queue.length
    return sum
  }

  /** Waits at the end of its lane, and is served at once if it may be. */
  join(waiter: Waiter): void {
    const { claim } = waiter
    const queue = this.#queues.get(claim.lane)
    if (queue === undefined) this.#queues.set(claim.lane, [waiter])
    else queue.push(waiter)
    // those who waited before could not have what is free: only the newcomer can, and thousands are not asked again
    if (this.#mayHold(claim)) this.#serve()
  }

  /** The same waiter says something else for itself: it keeps its place among equals. */
  renew(waiter: Waiter, claim: Claim): void {
    waiter.claim = claim
    if (this.#mayHold(claim)) this.#serve()
  }

  /** Waits no more. */
  leave(waiter: Waiter): void {
    const { lane } = waiter.claim
    const queue = this.#queues.get(lane)?.filter((it) => it !== waiter) ?? []
    // an emptied lane must not keep its place, a remaining one must not lose it
    if (queue.length === 0) this.#queues.delete(lane)
    else this.#queues.set(lane, queue)
  }

  /** A permit of such a claim is free again. */
  giveBack(claim: Claim): void {
    this.#count(claim, -1)
    this.#serve()
    if (this.#queues.size === 0 && this.#out === 0) this.#served.clear()
  }

  resize(permits: number): void {
    this.#most = permits
    this.#serve()
  }

  #mayHold(claim: Claim): boolean {
    if (!this.#reserve || this.#most < 2) return true
    const owner = ownerOf(claim)
    return this.#byLane.of(claim.lane) < this.#most - 1 &&
      (owner === undefined || this.#byOwner.of(owner) < this.#most - 1)
  }

  #count(claim: Claim, more: 1 | -1): void {
    const owner = ownerOf(claim)
    this.#out += more
    this.#byLane.add(claim.lane, more)
    if (owner !== undefined) this.#byOwner.add(owner, more)
  }

  /**
   * Whose turn it is in a lane: of the namespace that has waited longest for one, the most urgent; undefined where nobody there may have
   * a permit now. All who wait are asked, so nothing is made for each.
   */
  #pick(queue: ReadonlyArray<Waiter>) {
    const best = { index: -1, namespace: "", at: Infinity, urgency: -Infinity }
    queue.forEach(({ claim }, index) => {
      if (!this.#mayHold(claim)) return
      const { urgency } = claim
      for (const namespace of turnsOf(claim)) {
        const at = this.#served.get(namespace) ?? 0
        if (at < best.at || (at === best.at && urgency > best.urgency)) {
          best.index = index
          best.namespace = namespace
          best.at = at
          best.urgency = urgency
        }
      }
    })
    return best.index < 0 ? undefined : best
  }

  #next() {
    if (this.#out >= this.#most) return undefined
    for (const [lane, queue] of this.#queues) {
      const picked = this.#pick(queue)
      if (picked !== undefined) return { lane, queue, ...picked }
    }
    return undefined
  }

  #serve(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const { index, lane, namespace, queue } = next
      const [waiter] = queue.splice(index, 1)
      this.#queues.delete(lane)
      if (queue.length > 0) this.#queues.set(lane, queue)
      if (waiter === undefined) continue
      this.#served.set(namespace, ++this.#grants)
      this.#count(waiter.claim, 1)
      waiter.grant()
    }
  }
}
