// Every cap and time of the registry client, in one place. A Reference, so that tests can be quick about it.
import { Context, Duration } from "effect"

/** Caps in bytes, times as durations. */
export interface Limits {
  /** What registries take of one manifest (OCI distribution-spec, "Pushing manifests"). */
  readonly manifestBytes: number
  /** What is read of one from a source that may be schema 1, which is converted and larger than what becomes of it. */
  readonly sourceManifestBytes: number
  readonly tokenBytes: number
  readonly errorBytes: number
  readonly redirects: number
  readonly connectTimeout: Duration.Duration
  /** Until the headers of an answer to a small request are there; also the longest silence in its body. */
  readonly answerTimeout: Duration.Duration
  /** From an answer's headers to its end, however slowly it trickles; a blob's bytes aside. */
  readonly wholeTimeout: Duration.Duration
  /** Until a registry has stored a blob whose last byte it was sent: object stores copy it once more. */
  readonly commitTimeout: Duration.Duration
  /** A stream that moves fewer than `stallBytes` in this time is given up: a drip, and never a slow line that many share. */
  readonly stallWindow: Duration.Duration
  readonly stallBytes: number
  /** What refers to an image, then to its platforms, is looked for and brought over for so long each: its tag waits. */
  readonly referrersTimeout: Duration.Duration
  /** Tries of one request in all, first one included. */
  readonly attempts: number
  readonly retryBase: Duration.Duration
  readonly retryCap: Duration.Duration
  /** A host that rests longer than this is not waited for: the permit is given back. */
  readonly longestWait: Duration.Duration
  /** What a tag names is asked for again before a copy that has waited longer for its turn. */
  readonly namesKept: Duration.Duration
  /** One read of a blob: larger ones cost less in all, and hold the event loop for longer at a time. */
  readonly readBytes: number
}

export const defaultLimits: Limits = {
  manifestBytes: 4 * 1024 * 1024,
  sourceManifestBytes: 8 * 1024 * 1024,
  tokenBytes: 1024 * 1024,
  errorBytes: 64 * 1024,
  redirects: 5,
  connectTimeout: Duration.seconds(10),
  answerTimeout: Duration.seconds(30),
  wholeTimeout: Duration.seconds(60),
  commitTimeout: Duration.minutes(15),
  stallWindow: Duration.seconds(60),
  stallBytes: 64 * 1024,
  referrersTimeout: Duration.minutes(2),
  attempts: 5,
  retryBase: Duration.millis(500),
  retryCap: Duration.seconds(30),
  longestWait: Duration.minutes(2),
  namesKept: Duration.minutes(1),
  // the event loop's p99 delay stays under 60 ms at full speed; the process also serves admission
  readBytes: 256 * 1024
}

export class CurrentLimits extends Context.Reference<Limits>("image-cloner/registry/CurrentLimits", {
  defaultValue: () => defaultLimits
}) {}

/** For a process that does nothing but copy one image: an eighth less processor time, twice the delay of its event loop. */
export const copyingOnly: Limits = { ...defaultLimits, readBytes: 1024 * 1024 }
