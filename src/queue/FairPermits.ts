// Permits that are handed out in turns over lanes (source registries), then over namespaces, then by urgency; so that one with many
// waiters starves no other. Their number can change while they are out. Effect's PartitionedSemaphore is fair but has no resize.
// Lanes has the rules, and knows no fibers.
import { Deferred, Effect, type Scope } from "effect"

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

/** A place that is held. */
export interface Entered {
  /** Gives it to another, before the end of the scope. */
  readonly leave: Effect.Effect<void>
}

export interface FairPermits {
  /** Runs the effect while holding one permit. */
  readonly withPermit: (claim: Claim) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Waits for a permit, which comes back when it is left, or else at the end of the scope. */
  readonly enter: (claim: Claim) => Effect.Effect<Entered, never, Scope.Scope>
  /** Fewer permits take effect as they come back, more at once. */
  readonly resize: (permits: number) => Effect.Effect<void>
  readonly waiting: Effect.Effect<number>
}

/** Somebody who waits; `grant` is called with a permit counted for them. */
interface Waiter {
  readonly claim: Claim
  readonly grant: () => void
}

export interface FairPermitsOptions {
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

const turnsOf = ({ claim }: Waiter): ReadonlySet<string> => claim.namespaces.size === 0 ? nobody : claim.namespaces

/** Whose turn it is when a permit is free. */
class Lanes {
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
  constructor({ permits, reserve }: FairPermitsOptions) {
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

  /** The namespace of the waiter that has waited longest for a turn, and when it had its last one. */
  #longest(waiter: Waiter) {
    let best = { namespace: "", at: Infinity }
    for (const namespace of turnsOf(waiter)) {
      const at = this.#served.get(namespace) ?? 0
      if (at < best.at) best = { namespace, at }
    }
    return best
  }

  /** Whose turn it is in a lane; undefined where nobody there may have a permit now. */
  #pick(queue: ReadonlyArray<Waiter>) {
    let best = { index: -1, namespace: "", at: Infinity, urgency: -Infinity }
    for (const [index, waiter] of queue.entries()) {
      if (!this.#mayHold(waiter.claim)) continue
      const { at, namespace } = this.#longest(waiter)
      const { urgency } = waiter.claim
      if (at < best.at || (at === best.at && urgency > best.urgency)) best = { index, namespace, at, urgency }
    }
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

/** All permits free. */
export const makeFairPermits = (options: FairPermitsOptions): FairPermits => {
  const lanes = new Lanes(options)
  const release = (claim: Claim) => Effect.sync(() => lanes.giveBack(claim))

  const take = (claim: Claim, restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      const turn = Deferred.makeUnsafe<void>()
      let granted = false
      const waiter: Waiter = {
        claim,
        grant: () => {
          granted = true
          Deferred.doneUnsafe(turn, Effect.void)
        }
      }
      lanes.join(waiter)
      const leave = Effect.suspend(() => granted ? release(claim) : Effect.sync(() => lanes.leave(waiter)))
      return Effect.onInterrupt(restore(Deferred.await(turn)), () => leave)
    })

  return {
    withPermit: (claim) => (effect) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.andThen(take(claim, restore), Effect.ensuring(restore(effect), release(claim)))
      ),
    enter: (claim) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(take(claim, restore), () => {
          let held = true
          // one step: an interruption between two would lose the permit
          const once = Effect.sync(() => {
            if (!held) return
            held = false
            lanes.giveBack(claim)
          })
          return Effect.as(Effect.addFinalizer(() => once), { leave: once })
        })
      ),
    resize: (next) => Effect.sync(() => lanes.resize(next)),
    waiting: Effect.sync(() => lanes.waiting)
  }
}
