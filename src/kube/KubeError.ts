// What went wrong between us and the API server, told apart so far that the caller knows what to do.
// Sources: apimachinery pkg/api/errors, API conventions "HTTP Status codes"; how patches fail: apiserver handlers/patch.go.
import { Data, Duration } from "effect"

export type Reason =
  /** 401, also after the credentials were read again. */
  | "Unauthorized"
  /** 403: a right is missing. */
  | "Forbidden"
  /** 404: no such object, or no such kind. */
  | "NotFound"
  /** 409: somebody else was faster; read again. */
  | "Conflict"
  /** 422: with causes the object is not valid, without causes a `test` of a JSON Patch did not hold. */
  | "Invalid"
  /** 410: the resourceVersion or the continue token is too old; list again. */
  | "Expired"
  | "TooManyRequests"
  /** 5xx: the server, or what is before it, cannot answer now. */
  | "Unavailable"
  /** No connection, or it broke. */
  | "Unreachable"
  /** An admission webhook or policy said no. */
  | "Denied"
  | "BadRequest"
  | "UnsupportedMediaType"
  /** No answer in time, ours or the server's. */
  | "Timeout"
  /** An answer that is not Kubernetes'. */
  | "Protocol"
  /** There are no credentials, or they cannot be read. */
  | "Credentials"

export interface Cause {
  readonly reason: string
  readonly message: string
  readonly field: string
}

const advice: Partial<Record<Reason, string>> = {
  Unauthorized: "the credentials are not valid (any more): renew them",
  Forbidden: "the right is missing: grant it in the ClusterRole",
  Unreachable: "is the API server running and reachable from here?",
  Protocol: "is this really a Kubernetes API server?"
}

export class KubeError extends Data.TaggedError("KubeError")<{
  /** The method and path, without the query. */
  readonly operation: string
  readonly reason: Reason
  /** The HTTP status, undefined when there was no answer. */
  readonly status: number | undefined
  readonly detail: string
  readonly causes: ReadonlyArray<Cause>
  /** How long the server asks us to wait. */
  readonly retryAfter: Duration.Duration | undefined
  /** The very same request can succeed later without anybody doing anything. */
  readonly retryable: boolean
  /** It was a change, and it may have been made: read before trying again. */
  readonly outcomeUnknown: boolean
}> {
  override get message() {
    // no request was made
    if (this.reason === "Credentials") return this.detail
    const hint = advice[this.reason]
    return `${this.operation}: ${this.status ?? this.reason} ${this.detail}${hint === undefined ? "" : `; ${hint}`}`
  }
}

/** Errors with one of these reasons, for whoever recovers from them alone. */
export const isReason = (...reasons: ReadonlyArray<Reason>) => (error: unknown): boolean =>
  error instanceof KubeError && reasons.includes(error.reason)

const reasonOfStatus: Readonly<Record<number, Reason>> = {
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  408: "Timeout",
  409: "Conflict",
  410: "Expired",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  504: "Timeout"
}

// Webhooks answer with any code they like (400 by default), policies with 422 or 403; the text is the server's own.
const denial = /^admission webhook "[^"]*" denied the request|ValidatingAdmissionPolicy '[^']*' .*denied request/

const reasonOf = (status: number, text: string): Reason => {
  if (status >= 400 && status < 500 && denial.test(text)) return "Denied"
  return reasonOfStatus[status] ?? (status >= 500 ? "Unavailable" : status >= 400 ? "BadRequest" : "Protocol")
}

const transient: ReadonlySet<Reason> = new Set(["TooManyRequests", "Unavailable", "Unreachable", "Timeout"])

/** The parts of a `Status` object that we use; everything is optional because proxies answer as well. */
interface Status {
  readonly message?: unknown
  readonly code?: unknown
  readonly details?: { readonly causes?: unknown; readonly retryAfterSeconds?: unknown }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const statusOf = (value: unknown): Status => isObject(value) ? value : {}

const text = (value: unknown): string => typeof value === "string" ? value : ""

const causesOf = (status: Status): ReadonlyArray<Cause> => {
  const causes = isObject(status.details) ? status.details.causes : undefined
  return Array.isArray(causes)
    ? causes.filter(isObject).map((it) => ({
      reason: text(it["reason"]),
      message: text(it["message"]),
      field: text(it["field"])
    }))
    : []
}

/** The error of an answer: `body` is a `Status` or, from something that is no API server, its text. */
export const fromStatus = (answer: {
  readonly operation: string
  readonly mutation: boolean
  readonly status: number
  readonly body: unknown
  readonly retryAfter: Duration.Duration | undefined
}): KubeError => {
  const status = statusOf(answer.body)
  const said = (text(status.message) || text(answer.body)).trim().slice(0, 2000)
  const reason = reasonOf(answer.status, said)
  const seconds = isObject(status.details) ? status.details.retryAfterSeconds : undefined
  const retryAfter = answer.retryAfter ?? (typeof seconds === "number" ? Duration.seconds(seconds) : undefined)
  // overload protection answers before anything is done; a webhook that cannot be called stops the change
  const untouched = retryAfter !== undefined || said.includes("failed calling webhook")
  return new KubeError({
    operation: answer.operation,
    reason,
    status: answer.status,
    detail: said === "" ? reason : said,
    causes: causesOf(status),
    retryAfter,
    retryable: transient.has(reason),
    outcomeUnknown: answer.mutation && answer.status >= 500 && !untouched
  })
}

/** The error of an `ERROR` event in a watch, whose object is a `Status`. */
export const fromEvent = (operation: string, object: unknown): KubeError => {
  const { code } = statusOf(object)
  return fromStatus({
    operation,
    mutation: false,
    status: typeof code === "number" ? code : 500,
    body: object,
    retryAfter: undefined
  })
}

/** The server does not know a resourceVersion yet (apiserver pkg/storage/errors.go, NewTooLargeResourceVersionError). */
export const isTooLargeResourceVersion = (error: KubeError): boolean =>
  error.causes.some((it) => it.reason === "ResourceVersionTooLarge") ||
  error.detail.includes("Too large resource version")

const codeOf = (cause: unknown): string => isObject(cause) ? text(cause["code"]) : ""

const beforeWriting = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT"
])
const timeouts = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"])
const untrusted =
  /^(CERT_|ERR_TLS|ERR_SSL|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA|ERR_OSSL|UND_ERR_PRX)/

/** The error of a request that got no (whole) answer. */
export const fromTransport = (operation: string, mutation: boolean, cause: unknown): KubeError => {
  const code = codeOf(cause)
  const refused = untrusted.test(code)
  const detail = cause instanceof Error && cause.message !== "" ? cause.message : code || "no answer"
  return new KubeError({
    operation,
    reason: timeouts.has(code) ? "Timeout" : code === "UND_ERR_RES_EXCEEDED_MAX_SIZE" ? "Protocol" : "Unreachable",
    status: undefined,
    detail: code === "" || detail.includes(code) ? detail : `${detail} (${code})`,
    causes: [],
    retryAfter: undefined,
    retryable: !refused && code !== "UND_ERR_RES_EXCEEDED_MAX_SIZE",
    outcomeUnknown: mutation && !refused && !beforeWriting.has(code)
  })
}

/** An answer that cannot be understood. */
export const protocolError = (operation: string, detail: string): KubeError =>
  new KubeError({
    operation,
    reason: "Protocol",
    status: undefined,
    detail,
    causes: [],
    retryAfter: undefined,
    retryable: false,
    outcomeUnknown: false
  })

/** No answer within a time of the caller's own. */
export const timedOut = (operation: string, patience: string, mutation: boolean): KubeError =>
  new KubeError({
    operation,
    reason: "Timeout",
    status: undefined,
    detail: `no answer within ${patience}`,
    causes: [],
    retryAfter: undefined,
    retryable: true,
    outcomeUnknown: mutation
  })

/**
 * Whether an object was changed between our look and our patch. A failed `test` of a JSON Patch is a 422 without causes:
 * apimachinery's NewGenericServerResponse drops the message.
 */
export const isLost = (error: KubeError): boolean =>
  error.reason === "Conflict" || (error.reason === "Invalid" && error.causes.length === 0)

/** Credentials that are missing or cannot be read. */
export const credentialsError = (detail: string): KubeError =>
  new KubeError({
    operation: "credentials",
    reason: "Credentials",
    status: undefined,
    detail,
    causes: [],
    retryAfter: undefined,
    retryable: false,
    outcomeUnknown: false
  })
