// When the same request is sent again within one operation: exponential, capped, jittered, never before Retry-After.
// Edge: waits longer than Limits.longestWait are not waited here; the error goes up with its time.
import { Duration, Effect, Schedule } from "effect"
import type { Limits } from "./Limits.ts"
import type { RegistryError } from "./RegistryError.ts"

/** The schedule of all requests; its input is any error that says whether and when. */
export const retrySchedule = (limits: Limits) =>
  Schedule.min([Schedule.exponential(limits.retryBase), Schedule.spaced(limits.retryCap)]).pipe(
    Schedule.jittered,
    Schedule.upTo({ times: limits.attempts - 1 }),
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
