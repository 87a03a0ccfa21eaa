// What a watch does after it has ended: from where it goes on, and after what wait. Pure.
// Rules: client-go tools/cache/reflector.go; what an ERROR event means: apiserver pkg/storage/cacher.
import { Duration } from "effect"
import { isTooLargeResourceVersion, type KubeError } from "../KubeError.ts"

/** What was being done: everything that exists was being read as a stream or by pages, or changes were being followed. */
export type Phase = "stream" | "pages" | "follow"

/** The label of the metric. */
export type Ended = "closed" | "silent" | "expired" | "throttled" | "unavailable" | "refused" | "protocol"

export interface Decision {
  readonly ended: Ended
  /** keep: go on where it was. last: read everything again, not older than was seen. now: read everything as of now. */
  readonly next: "keep" | "last" | "now"
  /** none: at once, unless that happens too often. slow: nothing will change soon. */
  readonly wait: "none" | "backoff" | "slow"
  /** The server does not stream its list: read it by pages. */
  readonly byPages?: true
}

/** Nothing came for so long that the connection must be dead. */
const isSilence = (error: KubeError): boolean =>
  error.reason === "Timeout" && error.detail.includes("UND_ERR_BODY_TIMEOUT")

/**
 * `from` is what the list was asked to be not older than (empty: as of now), `trouble` for how many milliseconds the server
 * has failed at the same place.
 */
export const decide = (phase: Phase, error: KubeError, from: string, trouble: number): Decision => {
  const listing = phase !== "follow"
  if (isTooLargeResourceVersion(error)) {
    // a server that lags behind will know it in a moment; one that was restored from a backup never will
    return { ended: "unavailable", next: "now", wait: listing && from === "" ? "backoff" : "none" }
  }
  switch (error.reason) {
    case "Expired":
      if (!listing) return { ended: "expired", next: "last", wait: "none" }
      return { ended: "expired", next: "now", wait: from === "" ? "backoff" : "none" }
    case "TooManyRequests":
      return { ended: "throttled", next: "keep", wait: "backoff" }
    case "Forbidden":
    case "NotFound":
      return { ended: "refused", next: "keep", wait: "slow" }
    case "Invalid":
    case "BadRequest":
    case "UnsupportedMediaType":
      return phase === "stream"
        ? { ended: "refused", next: "keep", wait: "none", byPages: true }
        : { ended: "protocol", next: "last", wait: "backoff" }
    case "Timeout":
      if (isSilence(error)) {
        return phase === "stream"
          ? { ended: "silent", next: "keep", wait: "none", byPages: true }
          : { ended: "silent", next: "keep", wait: "none" }
      }
      return { ended: "unavailable", next: "keep", wait: "backoff" }
    case "Unavailable":
      // an overloaded server is not helped by a list; one that fails for a minute at one place may have a bad place
      return { ended: "unavailable", next: trouble > 60_000 && error.status === 500 ? "last" : "keep", wait: "backoff" }
    case "Protocol":
      return { ended: "protocol", next: "keep", wait: "backoff" }
    case "Unreachable":
    case "Unauthorized":
    case "Credentials":
      return { ended: "unavailable", next: "keep", wait: "backoff" }
    case "Conflict":
    case "Denied":
      return { ended: "protocol", next: "last", wait: "backoff" }
  }
}

const firstWait = 800
const longestBase = 30_000

/** The wait after so many failures in a row (0: the first); `random` is in [0, 1). client-go's figures. */
export const backoff = (failures: number, random: number): Duration.Duration =>
  Duration.millis(Math.min(longestBase, firstWait * 2 ** Math.min(failures, 20)) * (1 + random))

/** The longest such wait. */
export const longestWait = 2 * longestBase

/** The wait for a kind that is absent or forbidden. */
export const slow = (random: number): Duration.Duration => Duration.millis(longestBase * (0.8 + 0.4 * random))

/** Failures older than that do not count any more. */
export const healthyAfter = 120_000
