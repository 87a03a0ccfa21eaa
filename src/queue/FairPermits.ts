// Permits that are handed out in turns over lanes (source registries), then over namespaces, then by urgency; so that one
// with many waiters starves no other. Their number can change while they are out. Effect's PartitionedSemaphore is fair but
// has no resize.
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

export interface FairPermitsOptions {
  readonly permits: number
  /**
   * Neither one lane nor the work that is one namespace's alone ever gets the last permit (of two or more): if it stalls,
   * that of others goes on. Work that several namespaces wait for, or nobody in particular, counts for its lane only.
   * Without it, one may have all.
   */
  readonly reserve: boolean
}

interface Waiter {
  readonly claim: Claim
  readonly turn: Deferred.Deferred<void>
  granted: boolean
}

const nobody: ReadonlySet<string> = new Set([""])

/** How many permits are out under each name. */
const makeCounts = () => {
  const counts = new Map<string, number>()
  return {
    of: (name: string): number => counts.get(name) ?? 0,
    add: (name: string, more: 1 | -1): void => {
      const count = (counts.get(name) ?? 0) + more
      if (count === 0) counts.delete(name)
      else counts.set(name, count)
    }
  }
}

/** The one whose work it is; undefined where it is of several, or of nobody in particular. */
const ownerOf = ({ namespaces }: Claim): string | undefined =>
  namespaces.size === 1 ? namespaces.values().next().value : undefined

/** All permits free. */
export const makeFairPermits = (options: FairPermitsOptions): FairPermits => {
  let most = options.permits
  let out = 0
  // in the order in which the lanes are served next: whoever was served goes to the back
  const queues = new Map<string, Array<Waiter>>()
  const byLane = makeCounts()
  const byOwner = makeCounts()
  /** By namespace, the number of the grant that served it last; forgotten when all is done. */
  const served = new Map<string, number>()
  let grants = 0

  const mayHold = (claim: Claim): boolean => {
    if (!options.reserve || most < 2) return true
    const owner = ownerOf(claim)
    return byLane.of(claim.lane) < most - 1 && (owner === undefined || byOwner.of(owner) < most - 1)
  }

  const count = (claim: Claim, more: 1 | -1): void => {
    const owner = ownerOf(claim)
    out += more
    byLane.add(claim.lane, more)
    if (owner !== undefined) byOwner.add(owner, more)
  }

  const turnsOf = ({ claim }: Waiter): ReadonlySet<string> => claim.namespaces.size === 0 ? nobody : claim.namespaces

  /** The namespace of the waiter that has waited longest for a turn, and when it had its last one. */
  const longest = (waiter: Waiter) => {
    let best = { namespace: "", at: Infinity }
    for (const namespace of turnsOf(waiter)) {
      const at = served.get(namespace) ?? 0
      if (at < best.at) best = { namespace, at }
    }
    return best
  }

  /** Whose turn it is in a lane; undefined where nobody there may have a permit now. */
  const pick = (queue: ReadonlyArray<Waiter>) => {
    let best = { index: -1, namespace: "", at: Infinity, urgency: -Infinity }
    queue.forEach((waiter, index) => {
      if (!mayHold(waiter.claim)) return
      const { at, namespace } = longest(waiter)
      const { urgency } = waiter.claim
      if (at < best.at || (at === best.at && urgency > best.urgency)) best = { index, namespace, at, urgency }
    })
    return best.index < 0 ? undefined : best
  }

  const nextServed = () => {
    if (out >= most) return undefined
    for (const [lane, queue] of queues) {
      const picked = pick(queue)
      if (picked !== undefined) return { lane, queue, ...picked }
    }
    return undefined
  }

  const forgetIdle = (): void => {
    if (queues.size === 0 && out === 0) served.clear()
  }

  const grant = (): void => {
    for (let next = nextServed(); next !== undefined; next = nextServed()) {
      const { index, lane, namespace, queue } = next
      const [waiter] = queue.splice(index, 1)
      queues.delete(lane)
      if (queue.length > 0) queues.set(lane, queue)
      if (waiter === undefined) continue
      served.set(namespace, ++grants)
      count(waiter.claim, 1)
      waiter.granted = true
      Deferred.doneUnsafe(waiter.turn, Effect.void)
    }
  }

  const giveBack = (claim: Claim): void => {
    count(claim, -1)
    grant()
    forgetIdle()
  }
  const release = (claim: Claim) => Effect.sync(() => giveBack(claim))

  const leave = (waiter: Waiter) =>
    Effect.suspend(() => {
      const { lane } = waiter.claim
      if (waiter.granted) return release(waiter.claim)
      const queue = queues.get(lane)?.filter((it) => it !== waiter) ?? []
      // an emptied lane must not keep its place, a remaining one must not lose it
      if (queue.length === 0) queues.delete(lane)
      else queues.set(lane, queue)
      return Effect.void
    })

  const take = (claim: Claim, restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      const waiter: Waiter = { claim, turn: Deferred.makeUnsafe<void>(), granted: false }
      const queue = queues.get(claim.lane)
      if (queue === undefined) queues.set(claim.lane, [waiter])
      else queue.push(waiter)
      // those who waited before could not have what is free: only the newcomer can, and thousands are not asked again
      if (mayHold(claim)) grant()
      return restore(Deferred.await(waiter.turn)).pipe(Effect.onInterrupt(() => leave(waiter)))
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
            giveBack(claim)
          })
          return Effect.as(Effect.addFinalizer(() => once), { leave: once })
        })
      ),
    resize: (next) =>
      Effect.sync(() => {
        most = next
        grant()
      }),
    waiting: Effect.sync(() => {
      let sum = 0
      for (const queue of queues.values()) sum += queue.length
      return sum
    })
  }
}
