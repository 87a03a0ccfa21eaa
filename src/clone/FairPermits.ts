// Permits that are handed out in turns over lanes (source registries), then over namespaces, then by urgency; so that one
// with many waiters starves no other. Their number can change while they are out. Effect's PartitionedSemaphore is fair but
// has no resize.
import { Deferred, Effect } from "effect"

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

export interface FairPermits {
  /** Runs the effect while holding one permit. */
  readonly withPermit: (claim: Claim) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Fewer permits take effect as they come back, more at once. */
  readonly resize: (permits: number) => Effect.Effect<void>
  readonly waiting: Effect.Effect<number>
}

export interface FairPermitsOptions {
  readonly permits: number
  /**
   * One lane never gets the last permit (of two or more): if its work stalls, that of others goes on. Without it,
   * one may have all.
   */
  readonly reserve: boolean
}

interface Waiter {
  readonly claim: Claim
  readonly turn: Deferred.Deferred<void>
  granted: boolean
}

const nobody: ReadonlySet<string> = new Set([""])

/** All permits free. */
export const makeFairPermits = (options: FairPermitsOptions): FairPermits => {
  let most = options.permits
  let out = 0
  // in the order in which the lanes are served next: whoever was served goes to the back
  const queues = new Map<string, Array<Waiter>>()
  const held = new Map<string, number>()
  /** By namespace, the number of the grant that served it last; forgotten when all is done. */
  const served = new Map<string, number>()
  let grants = 0

  const mayHold = (lane: string): boolean => !options.reserve || most < 2 || (held.get(lane) ?? 0) < most - 1

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

  const pick = (queue: ReadonlyArray<Waiter>): { readonly index: number; readonly namespace: string } => {
    let best = { index: 0, namespace: "", at: Infinity, urgency: -Infinity }
    queue.forEach((waiter, index) => {
      const { at, namespace } = longest(waiter)
      const { urgency } = waiter.claim
      if (at < best.at || (at === best.at && urgency > best.urgency)) best = { index, namespace, at, urgency }
    })
    return best
  }

  const forgetIdle = (): void => {
    if (queues.size === 0 && out === 0) served.clear()
  }

  const grant = (): void => {
    while (out < most) {
      const next = Array.from(queues).find(([lane]) => mayHold(lane))
      if (next === undefined) return
      const [lane, queue] = next
      const { index, namespace } = pick(queue)
      const [waiter] = queue.splice(index, 1)
      queues.delete(lane)
      if (queue.length > 0) queues.set(lane, queue)
      if (waiter === undefined) continue
      served.set(namespace, ++grants)
      out++
      held.set(lane, (held.get(lane) ?? 0) + 1)
      waiter.granted = true
      Deferred.doneUnsafe(waiter.turn, Effect.void)
    }
  }

  const release = (lane: string) =>
    Effect.sync(() => {
      out--
      const left = (held.get(lane) ?? 1) - 1
      if (left === 0) held.delete(lane)
      else held.set(lane, left)
      grant()
      forgetIdle()
    })

  const leave = (waiter: Waiter) =>
    Effect.suspend(() => {
      const { lane } = waiter.claim
      if (waiter.granted) return release(lane)
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
      grant()
      return restore(Deferred.await(waiter.turn)).pipe(Effect.onInterrupt(() => leave(waiter)))
    })

  return {
    withPermit: (claim) => (effect) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.andThen(take(claim, restore), Effect.ensuring(restore(effect), release(claim.lane)))
      ),
    resize: (next) =>
      Effect.sync(() => {
        most = next
        grant()
      }),
    waiting: Effect.sync(() => {
      let count = 0
      for (const queue of queues.values()) count += queue.length
      return count
    })
  }
}
