// Why an image could not be cloned, for people and for the inventory: which side, and whether trying again can help.
// Edge: the registry client's errors speak of requests; this one speaks of the image.
import { Data, type Duration } from "effect"
import { CloudError } from "../registry/identity/CloudError.ts"
import { hintOf } from "../registry/identity/CloudHints.ts"
import type { RegistryError, RegistryReason } from "../registry/RegistryError.ts"

export type CloneReason =
  | "private"
  | "not-found"
  | "rate-limited"
  | "unavailable"
  | "corrupt"
  | "too-large"
  | "unsupported"
  /** The image's registry is at a private address: whose it is has its own copy. */
  | "internal"
  /** Our address policy said no to what the registry led to. */
  | "refused"
  /** The backup registry will not take it. */
  | "denied"
  /** Its tag in the backup names what a rollout is bringing up: it must not name another image meanwhile. */
  | "tag-in-use"
  /** Its turn has not come: it waits without us, and is called (CloneRequest). */
  | "in-line"
  /** While it waited for its turn DRY_RUN was switched on, or the last who used it went or was opted out. */
  | "unwanted"

export type Side = "source" | "backup"

/** An image was not cloned; nothing half-pushed is tagged. */
export class CloneError extends Data.TaggedError("CloneError")<{
  readonly image: string
  readonly reason: CloneReason
  readonly side: Side
  readonly detail: string
  /** Can it succeed later without anybody changing anything? */
  readonly retryable: boolean
  /** Not before this; undefined leaves the time to the caller's back-off. */
  readonly retryAfter: Duration.Duration | undefined
  /** The registry that gives nobody an answer: all its images wait for it, and none is to blame. */
  readonly silent?: string | undefined
  /** There is no telling what the image's name means now: nothing of it was asked for. */
  readonly unnamed?: boolean
  readonly cause?: unknown
}> {
  override get message() {
    return `${this.image} was not cloned (${this.reason}, ${this.side}): ${this.detail}`
  }
}

/** The same of a name whose meaning is not known, or must not be obeyed now. */
export const unnamed = (error: CloneError): CloneError =>
  new CloneError({ ...error, cause: error.cause, unnamed: true })

const atSource: Readonly<Record<RegistryReason, CloneReason>> = {
  Unauthorized: "private",
  Denied: "private",
  NotFound: "not-found",
  RateLimited: "rate-limited",
  Unavailable: "unavailable",
  Unreadable: "unavailable",
  Timeout: "unavailable",
  Unreachable: "unavailable",
  Certificate: "unavailable",
  Internal: "internal",
  Refused: "refused",
  // what a scanner has not seen yet it may see
  Policy: "unavailable",
  Quota: "unavailable",
  Immutable: "unavailable",
  Incomplete: "unavailable",
  Invalid: "unsupported",
  // a manifest that no registry takes: MAX_IMAGE_SIZE, which is `too-large`, is the user's own word
  TooLarge: "unsupported",
  Unsupported: "unsupported",
  NotAllowed: "unsupported",
  Corrupt: "corrupt",
  Protocol: "unsupported"
}

const atBackup: Readonly<Record<RegistryReason, CloneReason>> = {
  ...atSource,
  Unauthorized: "denied",
  Denied: "denied",
  NotFound: "denied",
  // never: the backup may be anywhere
  Internal: "denied",
  Refused: "denied",
  Policy: "denied",
  Quota: "denied",
  Immutable: "denied",
  Invalid: "denied",
  TooLarge: "denied",
  Unsupported: "denied",
  NotAllowed: "denied",
  Protocol: "unavailable"
}

// ECR's text in a 403 about a login that was good
const expired = /token has expired|reauthenticate/i

/** AWS's words for a right that whoever asks has not. */
const lacksRight = /is not authorized to perform/i

const isExpired = ({ detail, reason }: RegistryError): boolean =>
  (reason === "Unauthorized" || reason === "Denied") && expired.test(detail)

/** What to do of a refusal by the backup, 401 or 403. */
const adviceOnRefusal = (error: RegistryError): string => {
  const byCloud = error.advice?.byCloud === true
  if (isExpired(error)) {
    return byCloud
      ? "; a new one is asked for"
      : "; the login in the backup's entry in DOCKER_CONFIG has expired, and is to be renewed"
  }
  // where no login was shown, the error has said why
  if (error.advice?.shown === false) return ""
  const who = byCloud ? "this identity" : "the backup's entry in DOCKER_CONFIG"
  return error.operation.startsWith("GET") || error.operation.startsWith("HEAD")
    ? `; ${who} must be allowed to pull there, and to push`
    : `; ${who} must be allowed to push there`
}

const advice = (error: RegistryError, side: Side): string => {
  // a cloud has said what is missing: no entry of a file would help
  if (error.cause instanceof CloudError) return ""
  if (error.reason === "Unauthorized" || error.reason === "Denied" || error.reason === "Policy") {
    const hint = hintOf(error.detail)
    if (hint !== undefined) return `. ${hint}`
  }
  if (side === "source") {
    if (error.reason === "Internal") return "; until it is named there, it is taken to be yours already"
    if (isExpired(error)) return "; its login has expired, and is to be renewed"
    return error.reason === "Unauthorized" || error.reason === "Denied" ?
      "; it is private or does not exist"
      : error.reason === "NotFound" && error.operation.endsWith("blob")
      ? "; the image is there, and this part of it is not: its registry has lost it"
      : ""
  }
  switch (error.reason) {
    case "Unauthorized":
    case "Denied":
      return adviceOnRefusal(error)
    case "Policy":
      return "; a policy of the backup registry forbids to read it there, so nodes could not pull it either"
    case "NotAllowed":
      // a registry that takes no writes says so of the first blob; by the time of the manifest they are there
      if (error.operation === "PUT manifest") {
        return "; the backup registry does not take this manifest: does it know no images of this kind, or has it become read-only?"
      }
      // Distribution's maintenance mode, Quay's, Harbor's proxy caches
      return "; the backup registry takes no writes there: is it read-only, or a cache of another?"
    case "Invalid":
    case "Unsupported":
      return error.operation === "PUT manifest"
        ? "; the manifest is the source's, byte for byte: the backup registry takes none of this kind"
        : ""
    case "NotFound":
      return "; the backup registry wants the repository or project created first"
    case "TooLarge":
      return error.status === 413
        ? "; what stands before the backup registry takes no request of that size: its limit is to be raised (nginx: " +
          "client_max_body_size, also as the annotation nginx.ingress.kubernetes.io/proxy-body-size)"
        : ""
    case "Quota":
      return "; the backup registry's quota is used up"
    case "Immutable":
      return "; the backup registry does not let this tag be moved"
    default:
      return ""
  }
}

/** A registry's error as the reason why `image` was not cloned. */
export const fromRegistry = (image: string, side: Side) => (error: RegistryError): CloneError =>
  new CloneError({
    image,
    side,
    // whether it is private nobody has said
    reason: side === "source" && isExpired(error)
      ? "unavailable"
      // a right that we lack; what a scanner has yet to see is told by other statuses
      : side === "source" && error.reason === "Policy" && lacksRight.test(error.detail)
      ? "private"
      : (side === "source" ? atSource : atBackup)[error.reason],
    detail: `${error.message}${advice(error, side)}`,
    // what the manifest refers to was pushed just before: the registry has lost it, and gets it again
    retryable: error.retryable || error.reason === "Incomplete",
    retryAfter: error.retryAfter,
    silent: error.silent,
    cause: error
  })
