// The one error of the registry client: what happened, to which object, whether and when trying again can help.
// Edge: whose fault it is (source or backup) is known to the caller, who picked the repository.
import { Data, type Duration } from "effect"
import { unfit } from "../http/UnfitText.ts"

/**
 * Why a registry did not do what was asked.
 *
 * - `Unauthorized` 401 with what we may send; `Denied` 403: for a source both mean "private or does not exist"
 * - `NotFound` 404; `RateLimited` 429 or its disguises; `Unavailable` 5xx; `Timeout`, `Unreachable` no answer at all
 * - `Unreadable` 500 to a look at a manifest or blob: it may be there, and be broken; it may pass like any 5xx
 * - `Policy` 412, or 403 with a text about a policy, to a look: it may be there, and may be pushed all the same
 * - `NotAllowed` 405: a HEAD of blobs at a registry that has none, a write to one that is read-only
 * - `Certificate` TLS trust; `Internal` the registry is at a private address, `Refused` what it led to is, or our own write
 *   policy said no: nothing was sent
 * - `Quota`, `Immutable`, `Incomplete` (a manifest's children are missing), `Invalid`, `TooLarge`, `Unsupported`
 * - `Corrupt` the bytes are not those of the digest; `Protocol` the answer makes no sense
 */
export type RegistryReason =
  | "Unauthorized"
  | "Denied"
  | "NotFound"
  | "RateLimited"
  | "Unavailable"
  | "Unreadable"
  | "Timeout"
  | "Unreachable"
  | "Certificate"
  | "Internal"
  | "Refused"
  | "Policy"
  | "Quota"
  | "Immutable"
  | "Incomplete"
  | "Invalid"
  | "TooLarge"
  | "Unsupported"
  | "NotAllowed"
  | "Corrupt"
  | "Protocol"

const retryableReasons: ReadonlySet<RegistryReason> = new Set([
  "RateLimited",
  "Unavailable",
  "Unreadable",
  "Timeout",
  "Unreachable",
  "Corrupt"
])

/** As whom a refused request was sent, and what people can do about it. */
export interface LoginAdvice {
  readonly text: string
  /** A login was shown, and it is that one which may not; false: none was. */
  readonly shown: boolean
  /** It is one that a cloud has given us. */
  readonly byCloud?: true
}

/** A failed request to a registry. Texts of registries are escaped and cut; URLs appear without their query. */
export class RegistryError extends Data.TaggedError("RegistryError")<{
  /** What was attempted, e.g. `HEAD manifest`. */
  readonly operation: string
  /** To what, e.g. `quay.io/a/b:1`. */
  readonly target: string
  readonly reason: RegistryReason
  readonly status: number | undefined
  readonly detail: string
  /** Can the same request succeed later without anybody changing anything? */
  readonly retryable: boolean
  /** Not before this; undefined leaves the time to the caller's back-off. */
  readonly retryAfter: Duration.Duration | undefined
  /** No connection came about, which says something of the host and nothing of what was asked for. */
  readonly noConnection: boolean
  /** The registry that gives nobody an answer: this request is not tried again (see Reachability.ts). */
  readonly silent: string | undefined
  /** To 401 and 403. */
  readonly advice?: LoginAdvice
  readonly cause?: unknown
}> {
  override get message() {
    const advice = this.advice === undefined ? "" : ` (${this.advice.text})`
    return `${this.operation} ${this.target}: ${this.detail}${advice}`
  }
}

/** What of an error is said at its place; the rest follows from the reason. */
export interface Failure {
  readonly operation: string
  readonly target: string
  readonly reason: RegistryReason
  readonly detail: string
  readonly status?: number | undefined
  readonly retryable?: boolean
  readonly retryAfter?: Duration.Duration | undefined
  readonly noConnection?: boolean
  readonly silent?: string | undefined
  readonly advice?: LoginAdvice | undefined
  readonly cause?: unknown
}

/** An error whose `retryable` follows from its reason unless it is given. */
export const registryError = (failure: Failure): RegistryError =>
  // field by field: callers spread whole requests in, and an error must not carry their headers or bodies
  new RegistryError({
    operation: failure.operation,
    target: failure.target,
    reason: failure.reason,
    status: failure.status,
    // hosts, paths and headers that registries have chosen are part of many
    detail: lineOf(failure.detail, 1000),
    retryable: failure.retryable ?? retryableReasons.has(failure.reason),
    retryAfter: failure.retryAfter,
    noConnection: failure.noConnection ?? false,
    silent: failure.silent,
    ...(failure.advice === undefined ? {} : { advice: failure.advice }),
    ...(failure.cause === undefined ? {} : { cause: failure.cause })
  })

/** The registry does not have it. Where its token server is what is not there, nobody has said anything of it. */
export const isAbsent = ({ operation, reason }: RegistryError): boolean =>
  reason === "NotFound" && operation !== tokenOperation

/** The operation of requests to token servers, whose target is what the token is for. */
export const tokenOperation = "GET token"

/** One line of at most `most` characters. */
const lineOf = (text: string, most: number): string => {
  const clean = text.slice(0, most * 4).replaceAll(unfit, " ").trim()
  return clean.length > most ? `${clean.slice(0, most)}…` : clean
}

/** Text that a registry chose, made fit for a log line: one line, at most 300 characters. */
export const quoted = (text: string): string => lineOf(text, 300)
