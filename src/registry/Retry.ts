// When the same request is sent again within one operation: exponential, capped, jittered, never before Retry-After.
// Edge: waits longer than Limits.longestWait are not waited here; the error goes up with its time.
import { Duration, Effect, Schedule } from "effect"
import type { Limits } from "./Limits.ts"
import type { RegistryError } from "./RegistryError.ts"

/** How long is waited before each further try, whatever it is that is tried. */
export const pauses = (limits: Limits) =>
  Schedule.min([Schedule.exponential(limits.retryBase), Schedule.spaced(limits.retryCap)]).pipe(
    Schedule.jittered,
    Schedule.upTo({ times: limits.attempts - 1 })
  )

/** The schedule of all requests; its input is any error that says whether and when. */
export const retrySchedule = (limits: Limits) =>
  pauses(limits).pipe(
    Schedule.setInputType<Pick<RegistryError, "retryable" | "retryAfter"> & { readonly silent?: string | undefined }>(),
    Schedule.while(({ input }) =>
      input.retryable && input.silent === undefined &&
      (input.retryAfter === undefined || Duration.isLessThanOrEqualTo(input.retryAfter, limits.longestWait))
    ),
    Schedule.modifyDelay(({ duration, input }) =>
      Effect.succeed(input.retryAfter === undefined ? duration : Duration.max(duration, input.retryAfter))
    )
  )

/** Retries what can succeed later. */
export const retrying = (limits: Limits) => {
  const schedule = retrySchedule(limits)
  return <A, R>(effect: Effect.Effect<A, RegistryError, R>): Effect.Effect<A, RegistryError, R> =>
    effect.pipe(
      // a schedule costs as much as a request: it is begun with the first failure
      Effect.catch((error) => {
        let failure: RegistryError | undefined = error
        return Effect.retry(
          Effect.suspend(() => {
            const first = failure
            failure = undefined
            return first === undefined ? effect : Effect.fail(first)
          }),
          schedule
        )
      })
    )
}

/**
 * The first look that sees what was stored a moment ago, else the last one: registries that are several, or that keep what they
 * last said of a name, show it some seconds late. Errors are the look's own.
 */
export const lookingAgain = (limits: Limits) => {
  const schedule = pauses(limits)
  return <A, E, R>(look: Effect.Effect<A, E, R>, isThere: (seen: A) => boolean): Effect.Effect<A, E, R> =>
    Effect.flatMap(look, (seen) =>
      isThere(seen)
        ? Effect.succeed(seen)
        // begun with a pause, as `retrying` is: the look that was made is the first
        : Effect.suspend(() => {
          let first: A | undefined = seen
          const next = Effect.suspend(() => {
            const known = first
            first = undefined
            return known === undefined ? look : Effect.succeed(known)
          })
          return Effect.repeat(next, { schedule, until: isThere })
        }))
}
