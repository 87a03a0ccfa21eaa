// Review: the AdmissionReview of admission.k8s.io/v1, decoded into what we need of a request, and the answer encoded. Edges: what
// is not known passes, null counts as absent; objects are handed on as they came, and no text of a request is ever repeated in
// an error, since an object may hold secrets. Source: k8s.io/api/admission/v1/types.go, apiserver pkg/admission/plugin/webhook.
import { Data, Option, Result, Schema } from "effect"
import { Buffer } from "node:buffer"
import type { Operation } from "../workload/Patch.ts"
import { limitWarnings } from "./AnswerWarnings.ts"

const apiVersion = "admission.k8s.io/v1"
const kind = "AdmissionReview"
const mostUid = 128 // the API server's is a UUID of 36 characters; what is echoed must have an end

export interface AdmissionRequest {
  readonly uid: string
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT"
  /** What was asked for, after the API server's conversion: "", "v1", "pods". */
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string }
  /** "ephemeralcontainers"; undefined where the object itself is meant. */
  readonly subResource: string | undefined
  /** Counts more than the object's own, which controllers leave empty. Empty for what lives in no namespace. */
  readonly namespace: string
  /** Empty where the API server is still to make one of generateName. */
  readonly name: string
  /** Nothing will be stored, and nothing must be done beside the answer. */
  readonly dryRun: boolean
  readonly userName: string
  /** As received: null or undefined for DELETE. */
  readonly object: unknown
  /** As received: null or undefined for CREATE and CONNECT. */
  readonly oldObject: unknown
}

export interface AdmissionAnswer {
  /** JSON Patch of the very object that was received; none or empty: the object stays as it is. */
  readonly patch?: ReadonlyArray<Operation>
  /** Shown to whoever asked; cut to what the API server takes. */
  readonly warnings?: ReadonlyArray<string>
  /** The API server puts the webhook's name before each key. */
  readonly auditAnnotations?: Readonly<Record<string, string>>
  /** The request is refused, whatever else is said; `code` is an HTTP status from 400 on. */
  readonly denied?: { readonly code: number; readonly reason: string; readonly message: string }
}

/** The request is none that can be answered. */
export class InvalidReview extends Data.TaggedError("InvalidReview")<{
  readonly reason: "NoReview" | "WrongVersion" | "NoRequest" | "NoUid" | "UidTooLong" | "Malformed"
}> {
  override get message() {
    return texts[this.reason]
  }
}

const texts = {
  NoReview: `the body is no ${kind}`,
  WrongVersion: `only ${kind} of ${apiVersion} is understood: admissionReviewVersions of the webhook must be ["v1"]`,
  NoRequest: `the ${kind} has no request`,
  NoUid: "the request has no uid",
  UidTooLong: `the request's uid is longer than ${mostUid} characters`,
  Malformed:
    `the request is not as ${apiVersion} has it: operation, resource or a text in it is missing or of a wrong type`
} as const

const text = Schema.optional(Schema.NullOr(Schema.String))

const decodeEnvelope = Schema.decodeUnknownOption(Schema.Struct({
  kind: text,
  apiVersion: text,
  request: Schema.optional(Schema.Unknown)
}))

const decodeUid = Schema.decodeUnknownOption(Schema.Struct({ uid: text }))

const decodeRequest = Schema.decodeUnknownOption(Schema.Struct({
  operation: Schema.Literals(["CREATE", "UPDATE", "DELETE", "CONNECT"]),
  resource: Schema.Struct({ group: text, version: Schema.String, resource: Schema.String }),
  subResource: text,
  namespace: text,
  name: text,
  dryRun: Schema.optional(Schema.NullOr(Schema.Boolean)),
  userInfo: Schema.optional(Schema.NullOr(Schema.Struct({ username: text }))),
  object: Schema.optional(Schema.Unknown),
  oldObject: Schema.optional(Schema.Unknown)
}))

const invalid = (reason: InvalidReview["reason"]) => Result.fail(new InvalidReview({ reason }))

/** The request of a parsed body, or why there is none. */
export const decodeReview = (body: unknown): Result.Result<AdmissionRequest, InvalidReview> => {
  const envelope = Option.getOrUndefined(decodeEnvelope(body))
  if (envelope === undefined || envelope.kind !== kind) return invalid("NoReview")
  if (envelope.apiVersion !== apiVersion) return invalid("WrongVersion")
  if (envelope.request === undefined || envelope.request === null) return invalid("NoRequest")
  const uid = Option.getOrUndefined(decodeUid(envelope.request))?.uid ?? ""
  if (uid === "") return invalid("NoUid")
  if (uid.length > mostUid) return invalid("UidTooLong")
  const request = Option.getOrUndefined(decodeRequest(envelope.request))
  if (request === undefined) return invalid("Malformed")
  const { dryRun, name, namespace, object, oldObject, operation, resource, subResource, userInfo } = request
  return Result.succeed({
    uid,
    operation,
    resource: { group: resource.group ?? "", version: resource.version, resource: resource.resource },
    subResource: subResource === null || subResource === "" ? undefined : subResource,
    namespace: namespace ?? "",
    name: name ?? "",
    dryRun: dryRun ?? false,
    userName: userInfo?.username ?? "",
    object,
    oldObject
  })
}

/** What the API server refuses is neither a patch without its type nor an empty text, so those are left out. */
const responseOf = (uid: string, { auditAnnotations, denied, patch = [], warnings = [] }: AdmissionAnswer) => {
  const shown = limitWarnings(warnings)
  return {
    uid,
    allowed: denied === undefined,
    ...(denied === undefined ? {} : {
      status: { code: denied.code, reason: denied.reason, message: denied.message }
    }),
    // a refused object is not stored, and a patch of it would be an error of the whole answer
    ...(denied !== undefined || patch.length === 0 ? {} : {
      patchType: "JSONPatch",
      patch: Buffer.from(JSON.stringify(patch)).toString("base64")
    }),
    ...(shown.length === 0 ? {} : { warnings: shown }),
    ...(auditAnnotations === undefined ? {} : { auditAnnotations })
  }
}

/** The body of the answer to the request of this uid. */
export const encodeReview = (uid: string, answer: AdmissionAnswer): string =>
  JSON.stringify({ apiVersion, kind, response: responseOf(uid, answer) })
