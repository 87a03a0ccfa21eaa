// Permits that are handed out in turns over keys (source registries), so that one with many waiters starves no other,
// and whose number can change while they are out. Effect's PartitionedSemaphore is fair but has no resize.
import { Deferred, Effect } from "effect"

export interface FairPermits {
  /** Runs the effect while holding one permit; waiters of a key are served in order, keys take turns. */
  readonly withPermit: (key: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Fewer permits take effect as they come back, more at once. */
  readonly resize: (permits: number) => Effect.Effect<void>
  readonly waiting: Effect.Effect<number>
}

interface Waiter {
  readonly turn: Deferred.Deferred<void>
  granted: boolean
}

/** `permits` of them, all free. */
export const makeFairPermits = (permits: number): FairPermits => {
  let most = permits
  let out = 0
  // in the order in which the keys are served next: whoever was served goes to the back
  const queues = new Map<string, Array<Waiter>>()

  const grant = (): void => {
    while (out < most) {
      const next = queues.entries().next()
      if (next.done === true) return
      const [key, queue] = next.value
      const waiter = queue.shift()
      queues.delete(key)
      if (queue.length > 0) queues.set(key, queue)
      if (waiter === undefined) continue
      out++
      waiter.granted = true
      Deferred.doneUnsafe(waiter.turn, Effect.void)
    }
  }

  const release = Effect.sync(() => {
    out--
    grant()
  })

  const leave = (key: string, waiter: Waiter) =>
    Effect.suspend(() => {
      if (waiter.granted) return release
      const queue = queues.get(key)?.filter((it) => it !== waiter) ?? []
      // an emptied key must not keep its place, a remaining one must not lose it
      if (queue.length === 0) queues.delete(key)
      else queues.set(key, queue)
      return Effect.void
    })

  const take = (key: string, restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      const waiter: Waiter = { turn: Deferred.makeUnsafe<void>(), granted: false }
      const queue = queues.get(key)
      if (queue === undefined) queues.set(key, [waiter])
      else queue.push(waiter)
      grant()
      return restore(Deferred.await(waiter.turn)).pipe(Effect.onInterrupt(() => leave(key, waiter)))
    })

  return {
    withPermit: (key) => (effect) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.andThen(take(key, restore), Effect.ensuring(restore(effect), release))
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
