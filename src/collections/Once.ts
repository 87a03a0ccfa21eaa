// Once: what is done once for a key: whoever asks meanwhile gets the same answer, and it is cancelled with the last of those who
// wait for it. Effect's Cache does that; here the work comes with the question, and the key alone tells what is the same.
import { Cache, Effect, Equal, Hash } from "effect"

/** A key that carries the work to be done for it; equal to every other of the same text. */
class Task<A, E> implements Equal.Equal {
  readonly key: string
  readonly work: Effect.Effect<A, E>
  constructor(key: string, work: Effect.Effect<A, E>) {
    this.key = key
    this.work = work
  }
  [Equal.symbol](that: unknown): boolean {
    return that instanceof Task && that.key === this.key
  }
  [Hash.symbol](): number {
    return Hash.string(this.key)
  }
}

export interface Once<A, E> {
  /** The answer for a key, from whoever asked first; failures are answers. */
  readonly get: (key: string, work: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Whoever asks next for one of these asks anew. */
  readonly forget: (which: (key: string) => boolean) => Effect.Effect<void>
}

/**
 * @param options.capacity how many answers are kept; beyond it the oldest are asked for again
 * @param options.kept whether answers are kept at all: else they are shared only by who waits for them
 */
export const makeOnce = <A, E>(
  options: { readonly capacity: number; readonly kept: boolean }
): Effect.Effect<Once<A, E>> =>
  Effect.map(
    Cache.makeWith(
      ({ work }: Task<A, E>) => work,
      { capacity: options.capacity, timeToLive: () => options.kept ? "Infinity" : "0 millis" }
    ),
    (cache) => ({
      get: (key, work) => Cache.get(cache, new Task(key, work)),
      forget: (which) =>
        Effect.flatMap(
          Cache.keys(cache),
          (tasks) =>
            Effect.forEach(Array.from(tasks).filter((it) => which(it.key)), (it) => Cache.invalidate(cache, it), {
              discard: true
            })
        )
    })
  )
