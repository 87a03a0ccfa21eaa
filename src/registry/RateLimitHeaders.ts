// How long a registry wants to be left alone, read from what it answers: headers first, then the text some hide it in.
// Sources: Docker Hub's ratelimit-* headers, GHCR's messages. Edge: Retry-After, which is no registry's own, is http/.
import { Duration, Option } from "effect"

/** No registry rests longer for one answer: what asks for more lies, or means for ever. */
export const longestRest = Duration.days(1)

// GHCR says `retry-after: 10.305464ms, allowed: 2000/minute` in the message alone (a Go duration)
const messageForm = /retry-after:\s*((?:[0-9.]+(?:h|ms|µs|us|ns|m|s))+)/i
const unit: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, µs: 1e-3, us: 1e-3, ns: 1e-6 }

/** The delay that is told in an error's text only. */
export const retryAfterInText = (text: string): Duration.Duration | undefined => {
  const found = messageForm.exec(text)?.[1]
  if (found === undefined) return undefined
  let millis = 0
  for (const [, amount, of] of found.matchAll(/([0-9.]+)(h|ms|µs|us|ns|m|s)/g)) {
    millis += Number(amount) * (unit[of ?? "s"] ?? 0)
  }
  return Number.isFinite(millis) ? Duration.min(Duration.millis(Math.ceil(millis)), longestRest) : undefined
}

const secondary = /secondary rate limit|rate limit exceeded|toomanyrequests|too many requests/i
const exhausted = /reached your .*pull rate limit|increase-rate-limit/i

/** Is this 403 a rate limit in disguise (GHCR's secondary limit)? */
export const isDisguised = (text: string): boolean => secondary.test(text)

/** Has a budget of hours been used up (Docker Hub), as against too many requests a second? */
export const isExhausted = (text: string): boolean => exhausted.test(text)

interface Policy {
  readonly count: number
  /** Seconds; undefined when the header does not say. */
  readonly window: number | undefined
}

// `100;w=21600` or several: `100;w=21600, 5000;w=60`
const policies = (header: string | undefined): ReadonlyArray<Policy> =>
  (header ?? "").split(",").flatMap((part) => {
    const match = /^\s*(\d+)\s*(?:;\s*w=(\d+))?/.exec(part)
    return match === null
      ? []
      : [{ count: Number(match[1]), window: match[2] === undefined ? undefined : Number(match[2]) }]
  })

/** What a registry says may be read of it in a window of time. */
export interface Budget {
  readonly limit: number
  readonly remaining: number
  readonly window: Duration.Duration
  /** What is left, 0 to 1. */
  readonly share: number
}

/** The budget of which the least share is left; none where nothing is announced. */
export const budgetLeft = (limit: string | undefined, remaining: string | undefined): Option.Option<Budget> => {
  const limits = policies(limit)
  const shares = policies(remaining).flatMap((left, index) => {
    const of = limits.find((it) => it.window === left.window) ?? limits[index]
    return of === undefined || of.count === 0
      ? []
      : [{
        limit: of.count,
        remaining: left.count,
        window: Duration.seconds(left.window ?? of.window ?? 3600),
        share: left.count / of.count
      }]
  })
  return Option.fromUndefinedOr(shares.toSorted((one, other) => one.share - other.share)[0])
}
