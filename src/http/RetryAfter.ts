// When a server wants to be asked again. Source: RFC 9110 §10.2.3.
// Edge: how long anybody waits for one answer is the caller's to say; what registries hide in their texts is
// registry/RateLimitHeaders.ts.
import { Duration, Result } from "effect"
import { Headers } from "effect/http"

/**
 * Retry-After in both its forms, seconds or a date, as time from `now` (epoch milliseconds), `longest` at most; undefined if
 * absent or nonsense.
 */
export const retryAfterOf = (
  header: string | undefined,
  now: number,
  longest: Duration.Duration = Duration.infinity
): Duration.Duration | undefined => {
  if (header === undefined) return undefined
  const parsed = Headers.parseRetryAfter(header)
  return Result.isSuccess(parsed) ? Duration.min(Headers.retryAfterDelay(parsed.success, now), longest) : undefined
}
