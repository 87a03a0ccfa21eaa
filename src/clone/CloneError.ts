// Why an image could not be cloned, for people and for the inventory: which side, and whether trying again can help.
// Edge: the registry client's errors speak of requests; this one speaks of the image.
import { Data, type Duration } from "effect"
import { CloudError } from "../registry/identity/CloudError.ts"
import { hintOf } from "../registry/identity/CloudHints.ts"
import { type RegistryError, type RegistryReason, tokenOperation } from "../registry/RegistryError.ts"

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

/** The server that is to give tokens has none, which says nothing of the image: it may be another server by now. */
const isTokenServerGone = ({ operation, status }: RegistryError): boolean =>
  operation === tokenOperation && (status === 404 || status === 410)

const tokenServerGone =
  "; the token server is gone, or knows no such repository: the registry is asked again which one it has"

/** What a failure at the source is, and what to do of it, where its reason and its own words do not say that. */
const adviceAtSource = (error: RegistryError): string => {
  if (isExpired(error)) return "; its login has expired, and is to be renewed"
  switch (error.reason) {
    case "Internal":
      return "; until it is named there, it is taken to be yours already"
    case "Unauthorized":
    case "Denied":
      return "; it is private or does not exist"
    case "NotFound":
      return error.operation.endsWith("blob")
        ? "; the image is there, and this part of it is not: its registry has lost it"
        : ""
    case "RateLimited":
      return "; its registry gives no more for now: a login for it in DOCKER_CONFIG may be given more"
    case "Corrupt":
      return "; its registry's storage, or a proxy or cache on the way, has changed it"
    case "Policy":
      return "; a policy of its registry forbids to read it"
    case "Unreadable":
      return "; its registry may have it, and fail to read it"
    default:
      return ""
  }
}

/** The same at the backup. */
const adviceAtBackup = (error: RegistryError): string => {
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
      return error.operation === "GET blob"
        ? "; the backup has lost this part of the copy: image-cloner verify --repair sends it again"
        : "; the backup registry wants the repository or project created first"
    case "TooLarge":
      return error.status === 413
        ? "; what stands before the backup registry takes no request of that size: its limit is to be raised (nginx: " +
          "client_max_body_size, also as the annotation nginx.ingress.kubernetes.io/proxy-body-size)"
        : ""
    case "Quota":
      return "; the backup registry's quota is used up"
    case "RateLimited":
      return "; the backup registry takes no more for now"
    case "Incomplete":
      return "; the backup registry has lost a part that it had: it is sent again"
    case "Corrupt":
      return "; it was right when it was sent: the backup registry's storage, or something on the way, has changed it"
    case "Unreadable":
      return "; the backup registry may have it, and fail to read it: image-cloner verify tells"
    case "Immutable":
      return "; the backup registry does not let this tag be moved"
    default:
      return ""
  }
}

const advice = (error: RegistryError, side: Side): string => {
  // a cloud has said what is missing: no entry of a file would help
  if (error.cause instanceof CloudError) return ""
  if (isTokenServerGone(error)) return tokenServerGone
  // refused before anything was asked: the handshake of TLS has said what it takes
  if (error.cause !== undefined && error.reason === "Unauthorized") return ""
  if (error.reason === "Unauthorized" || error.reason === "Denied" || error.reason === "Policy") {
    const hint = hintOf(error.detail)
    if (hint !== undefined) return `. ${hint}`
  }
  return side === "source" ? adviceAtSource(error) : adviceAtBackup(error)
}

/** A registry's error as the reason why `image` was not cloned. */
export const fromRegistry = (image: string, side: Side) => (error: RegistryError): CloneError =>
  new CloneError({
    image,
    side,
    // whether it is private, or there, nobody has said
    reason: (side === "source" && isExpired(error)) || isTokenServerGone(error)
      ? "unavailable"
      // a right that we lack; what a scanner has yet to see is told by other statuses
      : side === "source" && error.reason === "Policy" && lacksRight.test(error.detail)
      ? "private"
      : (side === "source" ? atSource : atBackup)[error.reason],
    detail: `${error.message}${advice(error, side)}`,
    // what the manifest refers to was pushed just before: the registry has lost it, and gets it again
    retryable: error.retryable || error.reason === "Incomplete" || isTokenServerGone(error),
    retryAfter: error.retryAfter,
    silent: error.silent,
    cause: error
  })
