// From an answer to a decision: body code first, status second, text third. Source: OCI distribution-spec "Error Codes"
// and the quirks of registries that use them differently.
import { Clock, Duration, Effect, Option, Schema } from "effect"
import { firstOf } from "../http/HeaderValues.ts"
import { pageOf } from "../http/WebPage.ts"
import { retryAfterOf } from "../http/RetryAfter.ts"
import { isDisguised, isExhausted, longestRest, retryAfterInText } from "./RateLimitHeaders.ts"
import { type LoginAdvice, quoted, type RegistryError, registryError, type RegistryReason } from "./RegistryError.ts"

const Body = Schema.fromJsonString(Schema.Struct({
  errors: Schema.Array(Schema.Struct({
    code: Schema.optionalKey(Schema.String),
    message: Schema.optionalKey(Schema.String)
  }))
}))
const decodeBody = Schema.decodeUnknownOption(Body)

/** What is known of a refused request. */
export interface Refusal {
  readonly operation: string
  readonly target: string
  readonly status: number
  readonly headers: Readonly<Record<string, string | Array<string> | undefined>>
  readonly body: Uint8Array
  /** Epoch milliseconds, for Retry-After as a date. */
  readonly now: number
  /** Another host than the registry's has answered: one that a redirect or an upload's Location led to. */
  readonly elsewhere?: boolean
  /** Who has answered, where that is known: a page of another place is named. */
  readonly url?: URL
  readonly advice?: LoginAdvice | undefined
}

const looks: ReadonlySet<string> = new Set(["HEAD manifest", "GET manifest", "HEAD blob", "GET blob"])
/** Of those that are not 5xx: what a proxy says for a moment. */
const transient: ReadonlySet<number> = new Set([408, 425, 499])

const byCode: Readonly<Record<string, RegistryReason>> = {
  TOOMANYREQUESTS: "RateLimited",
  UNAVAILABLE: "Unavailable",
  MANIFEST_BLOB_UNKNOWN: "Incomplete",
  TAG_IMMUTABLE: "Immutable",
  TAG_INVALID: "Immutable",
  // an upload's state is lost: the registry has been restarted, or is several that share no secret; another may do
  BLOB_UPLOAD_UNKNOWN: "Unavailable",
  BLOB_UPLOAD_INVALID: "Unavailable",
  RANGE_INVALID: "Unavailable"
}
/** What is sent of a blob was right here, to the last byte: it has changed on the way. */
const changed: ReadonlySet<string> = new Set(["DIGEST_INVALID", "SIZE_INVALID"])
// Artifact Registry, Artifactory and Nexus have no code of their own for it
const immutable = /immutab|overwr|cannot be (?:updated|redeployed)|does not allow updating/i
const policy =
  /polic|vulnerab|quarantin|severity|not scanned|unscanned|not signed|unsigned|is not authorized to perform/i
const unknowns: ReadonlySet<string> = new Set(["BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "UPLOAD_UNKNOWN"])
const uploading: ReadonlySet<string> = new Set(["PATCH blob", "PUT blob"])
const aboutManifest = /invalid parameter|media ?type|manifest/i
// GHCR has a limit for chunks
const oversize = /too large|exceeds the maximum/i

/**
 * Storage that refuses us says that the registry's link is no good any more, and nothing of our rights: another link may
 * do. A further registry, which is one by its code or challenge, means what it says.
 */
const isStaleLink = ({ elsewhere, headers, status }: Refusal, codes: ReadonlyArray<string>): boolean =>
  elsewhere === true && !codes.includes("DENIED") && !codes.includes("UNAUTHORIZED") &&
  (status === 403 || (status === 401 && headers["www-authenticate"] === undefined))

const quota = /quota/i

/** Is this 403 about space, and not about who asks (Harbor, Quay)? */
export const saysQuota = ({ body, status }: { readonly status: number; readonly body: Uint8Array }): boolean =>
  status === 403 && body.length < 65_536 &&
  quota.test(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1"))

const byStatus = (
  refused: Refusal,
  codes: ReadonlyArray<string>,
  text: string
): RegistryReason => {
  const { operation, status } = refused
  if (status === 429) return "RateLimited"
  if (status === 403 && isDisguised(text)) return "RateLimited"
  if (status === 403 && quota.test(text)) return "Quota"
  // Harbor's says what scanners found (PROJECTPOLICYVIOLATION), AWS's which right nobody gave; neither is about the push
  if (looks.has(operation) && (status === 412 || (status === 403 && policy.test(text)))) return "Policy"
  if (operation === "PUT manifest" && (status === 400 || status === 403) && immutable.test(text)) return "Immutable"
  if (operation === "PUT blob" && codes.some((code) => changed.has(code))) return "Corrupt"
  if (status === 416 && oversize.test(text)) return "TooLarge"
  for (const code of codes) {
    const known = byCode[code]
    if (known !== undefined) return known
  }
  const unknown = codes.some((code) => unknowns.has(code))
  // on a push, "unknown" speaks of what the manifest refers to
  if (unknown && (status === 400 || (status === 404 && operation === "PUT manifest"))) return "Incomplete"
  // its POST was answered: the repository is there, and what is not is the upload (GHCR says BLOB_UNKNOWN)
  if (status === 404 && uploading.has(operation) && !codes.includes("NAME_UNKNOWN")) return "Unavailable"
  if (isStaleLink(refused, codes)) return "Unavailable"
  if (status === 401) return "Unauthorized"
  if (status === 403) return "Denied"
  if (status === 404) return "NotFound"
  if (status === 409 || status === 412) return "Immutable"
  if (status === 413) return "TooLarge"
  // ECR says 405 of a manifest whose type it does not take, with the parameter that it does not like
  if (status === 405 && operation === "PUT manifest" && aboutManifest.test(text)) return "Unsupported"
  // 501 is the one of the 5xx that no time will mend
  if (status === 405 || status === 501) return "NotAllowed"
  if (status === 406 || status === 415) return "Unsupported"
  // Distribution answers it to whoever asks for a manifest that it cannot parse any more
  if (status === 500 && looks.has(operation)) return "Unreadable"
  // proxies, CDNs and storage have 5xx of their own (507, 52x, 530, 598), all of which mean that it is not now
  if (transient.has(status) || status >= 500) return "Unavailable"
  return status >= 400 ? "Invalid" : "Protocol"
}

const restOf = (refusal: Refusal, reason: RegistryReason, text: string): Duration.Duration | undefined => {
  const told = retryAfterOf(firstOf(refusal.headers["retry-after"]), refusal.now, longestRest) ??
    retryAfterInText(text)
  if (told !== undefined || reason !== "RateLimited") return told
  if (isExhausted(text)) return Duration.minutes(15)
  // a secondary limit is told as "wait a few minutes"
  return refusal.status === 403 ? Duration.minutes(5) : undefined
}

/** The error for an answer that is not a success. */
export const classify = (refusal: Refusal): RegistryError => {
  const body = Buffer.from(refusal.body.buffer, refusal.body.byteOffset, refusal.body.byteLength).toString("utf8")
  const errors = Option.match(decodeBody(body), { onNone: () => [], onSome: (it) => it.errors })
  const codes = errors.flatMap((it) => it.code === undefined ? [] : [it.code.toUpperCase()])
  const page = errors.length === 0 ? pageOf(refusal) : undefined
  const text = errors.length === 0
    ? page !== undefined || body.trimStart().startsWith("<") ? "" : body
    : errors.map((it) => [it.code, it.message].filter((part) => part !== undefined && part !== "").join(" ")).join("; ")
  const reason = byStatus(refusal, codes, text)
  const said = page ?? text
  return registryError({
    operation: refusal.operation,
    target: refusal.target,
    reason,
    status: refusal.status,
    detail: quoted(`HTTP ${refusal.status}${said.trim() === "" ? "" : `: ${said}`}`),
    advice: refusal.advice,
    retryAfter: restOf(refusal, reason, text)
  })
}

/** Fails with the error for an answer that is not what was hoped for. */
export const refusal = (
  request: Pick<Refusal, "operation" | "target">,
  answer: Pick<Refusal, "status" | "headers" | "body" | "elsewhere" | "advice" | "url">
): Effect.Effect<never, RegistryError> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.fail(classify({ ...request, ...answer, now })))
