// Once: what is done once for a key: whoever asks meanwhile gets the same answer, and it is cancelled with the last of those who
// wait for it. Effect's Cache does that; here the work comes with the question, and the key alone tells what is the same.
import { Cache, Cause, Context, Effect, Exit } from "effect"
import { makeBoundedMap } from "./BoundedMap.ts"
import { Keyed } from "./Keyed.ts"

export interface Once<A, E> {
  /** The answer for a key, from whoever asked first; failures are answers. */
  readonly get: (key: string, work: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Whoever asks next for one of these asks anew. */
  readonly forget: (which: (key: string) => boolean) => Effect.Effect<void>
}

/**
 * @param options.kept how many answers are kept, the oldest are asked for again; 0: they are shared only by who waits for them
 */
export const makeOnce = <A, E>(options: { readonly kept: number }): Effect.Effect<Once<A, E>> =>
  Effect.map(
    Effect.updateContext(
      Cache.makeWith(({ value: work }: Keyed<Effect.Effect<A, E>>) => work, {
        capacity: Infinity,
        timeToLive: () => "0 millis"
      }),
      // it would be copied into whoever asks, for every key: the work has the services of the one who brings it
      () => Context.empty()
    ),
    (flights) => {
      // the answers alone: an entry of the cache has its fiber and its work beside
      const answers = makeBoundedMap<string, Exit.Exit<A, E>>(Math.max(1, options.kept))
      const keep = (key: string) => (exit: Exit.Exit<A, E>) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit) || !Cause.hasInterrupts(exit.cause)) answers.set(key, exit)
        })
      return {
        get: (key, work) =>
          Effect.suspend(() =>
            answers.get(key) ??
              Cache.get(flights, new Keyed(key, options.kept === 0 ? work : Effect.onExit(work, keep(key))))
          ),
        forget: (which) =>
          Effect.sync(() => {
            for (const key of Array.from(answers.entries(), ([it]) => it)) if (which(key)) answers.delete(key)
          })
      }
    }
  )
