// The API server's failures as data, and the Status they are answered with.
// Shapes and texts: apimachinery pkg/api/errors; research/kubernetes.md §3.3 and §7.4.
import { Data } from "effect"
import type { Reply } from "../server/Exchange.ts"
import * as Exchanges from "../server/Exchange.ts"
import type { Resource } from "./Resources.ts"
import * as Resources from "./Resources.ts"

export interface Cause {
  readonly reason: string
  readonly message: string
  readonly field?: string
}

export interface Details {
  readonly name?: string
  readonly group?: string
  readonly kind?: string
  readonly uid?: string
  readonly causes?: ReadonlyArray<Cause>
  readonly retryAfterSeconds?: number
}

export class ApiError extends Data.TaggedError("ApiError")<{
  readonly code: number
  readonly reason: string
  readonly text: string
  readonly details?: Details
  /** Of the Status' own metadata: the token that goes on without consistency. */
  readonly continuation?: string
}> {
  override get message() {
    return `${this.code} ${this.reason}: ${this.text}`
  }
}

export const statusOf = (error: ApiError): Record<string, unknown> => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: error.continuation === undefined ? {} : { continue: error.continuation },
  status: "Failure",
  message: error.text,
  ...(error.reason === "" ? {} : { reason: error.reason }),
  ...(error.details === undefined ? {} : { details: error.details }),
  code: error.code
})

export const replyOf = (error: ApiError): Reply => {
  const seconds = error.details?.retryAfterSeconds
  return Exchanges.json(error.code, statusOf(error), seconds === undefined ? {} : { "retry-after": String(seconds) })
}

const detailsOf = (resource: Resource, name: string): Details => ({
  ...(name === "" ? {} : { name }),
  ...(resource.group === "" ? {} : { group: resource.group }),
  kind: resource.plural
})

export const notFound = (resource: Resource, name: string): ApiError =>
  new ApiError({
    code: 404,
    reason: "NotFound",
    text: `${Resources.qualifiedName(resource)} "${name}" not found`,
    details: detailsOf(resource, name)
  })

/** No such path. */
export const unknownPath = (): ApiError =>
  new ApiError({
    code: 404,
    reason: "NotFound",
    text: "the server could not find the requested resource",
    details: {}
  })

export const alreadyExists = (resource: Resource, name: string): ApiError =>
  new ApiError({
    code: 409,
    reason: "AlreadyExists",
    text: `${Resources.qualifiedName(resource)} "${name}" already exists`,
    details: detailsOf(resource, name)
  })

export const conflict = (resource: Resource, name: string, problem: string, subresource = ""): ApiError =>
  new ApiError({
    code: 409,
    reason: "Conflict",
    text: `Operation cannot be fulfilled on ${Resources.qualifiedName(resource)}${subresource} "${name}": ${problem}`,
    details: { ...detailsOf(resource, name), kind: `${resource.plural}${subresource}` }
  })

export const modified = "the object has been modified; please apply your changes to the latest version and try again"

export const badRequest = (text: string): ApiError => new ApiError({ code: 400, reason: "BadRequest", text })

export const unauthorized = (): ApiError => new ApiError({ code: 401, reason: "Unauthorized", text: "Unauthorized" })

export const forbidden = (resource: Resource, name: string, problem: string, causes?: ReadonlyArray<Cause>): ApiError =>
  new ApiError({
    code: 403,
    reason: "Forbidden",
    text: `${Resources.qualifiedName(resource)}${name === "" ? "" : ` "${name}"`} is forbidden: ${problem}`,
    details: { ...detailsOf(resource, name), ...(causes === undefined ? {} : { causes }) }
  })

export const methodNotAllowed = (): ApiError =>
  new ApiError({
    code: 405,
    reason: "MethodNotAllowed",
    text: "the server does not allow this method on the requested resource",
    details: {}
  })

export const unsupportedMediaType = (text: string): ApiError =>
  new ApiError({ code: 415, reason: "UnsupportedMediaType", text })

/** What a failed `test`, or a patch that does not fit the object, is answered with: it says no more than this. */
export const unprocessable = (): ApiError =>
  new ApiError({
    code: 422,
    reason: "Invalid",
    text: "the server rejected our request due to an error in our request",
    details: {}
  })

const reasonTexts = {
  FieldValueRequired: "Required value",
  FieldValueInvalid: "Invalid value",
  FieldValueForbidden: "Forbidden",
  FieldValueDuplicate: "Duplicate value",
  FieldValueNotSupported: "Unsupported value"
}

/** One wrong field. `value` is quoted as Go does; `detail` says why. */
export const fault = (
  reason: keyof typeof reasonTexts,
  field: string,
  detail: string,
  value?: unknown
): Cause => {
  const said = value === undefined ? "" : `: ${JSON.stringify(value)}`
  return { reason, message: `${reasonTexts[reason]}${said}${detail === "" ? "" : `: ${detail}`}`, field }
}

export const invalid = (kind: string, group: string, name: string, causes: ReadonlyArray<Cause>): ApiError => {
  const texts = causes.map((it) => `${it.field}: ${it.message}`)
  const [first = ""] = texts
  const qualified = group === "" ? kind : `${kind}.${group}`
  return new ApiError({
    code: 422,
    reason: "Invalid",
    text: `${qualified} "${name}" is invalid: ${texts.length === 1 ? first : `[${texts.join(", ")}]`}`,
    details: { ...(name === "" ? {} : { name }), ...(group === "" ? {} : { group }), kind, causes }
  })
}

/** The resourceVersion (or what is after it) is no longer kept. */
export const expired = (text: string, continuation?: string): ApiError =>
  new ApiError({
    code: 410,
    reason: "Expired",
    text,
    ...(continuation === undefined ? {} : { continuation })
  })

export const tooManyRequests = (seconds: number): ApiError =>
  new ApiError({
    code: 429,
    reason: "TooManyRequests",
    text: "the server has received too many requests and has asked us to try again later",
    details: { retryAfterSeconds: seconds }
  })
