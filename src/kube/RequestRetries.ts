// RequestRetries: whether and when a request to the API server that failed is sent again: one that only reads soon, one that changes
// something only where it is known that nothing was changed.
import { Duration, Effect, Schedule } from "effect"
import type { KubeError } from "./KubeError.ts"
import { isMutation, type KubeRequest } from "./KubeRequest.ts"

const times = 4
// what helps within some seconds; whoever wants to wait longer has the error's word for when
export const retryPolicy = Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("5 seconds")]).pipe(
  Schedule.jittered,
  Schedule.upTo({ times }),
  Schedule.setInputType<KubeError>(),
  Schedule.modifyDelay(({ duration, input }) =>
    Effect.succeed(Duration.max(duration, input.retryAfter ?? Duration.zero))
  )
)
/** Whoever is to wait longer decides anew first. */
const patience = Duration.seconds(30)

export const mayRepeat = (request: KubeRequest) => (error: KubeError): boolean => {
  if (
    request.once === true || !error.retryable ||
    (error.retryAfter !== undefined && Duration.isGreaterThan(error.retryAfter, patience))
  ) {
    return false
  }
  if (!isMutation(request)) return true
  return !error.outcomeUnknown && (error.reason === "Unreachable" || error.retryAfter !== undefined)
}
