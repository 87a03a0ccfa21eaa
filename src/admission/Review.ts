// Review: admission requests and answers as they are written (admission.k8s.io/v1). Pure. Lenient in what is read: unknown fields pass,
// null is absent. Exact in what is written, since the API server refuses an answer that is not.
import { Result, Schema } from "effect"
import type { Operation } from "../workload/Patch.ts"

export interface AdmissionRequest {
  readonly uid: string
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT"
  /** What was asked for, pods of "" and v1. */
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string }
  readonly subResource: string | undefined
  readonly namespace: string
  /** "" where the API server will make the name. */
  readonly name: string
  /** Nothing may be noted: whoever asks only tries. */
  readonly dryRun: boolean
  readonly userName: string
  readonly object: unknown
  readonly oldObject: unknown
}

/** What is answered: allowed, unless `denied` is there. */
export interface AdmissionAnswer {
  readonly patch?: ReadonlyArray<Operation>
  readonly warnings?: ReadonlyArray<string>
  readonly auditAnnotations?: Readonly<Record<string, string>>
  readonly denied?: { readonly code: number; readonly reason: string; readonly message: string }
}

const maybe = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))
const Text = maybe(Schema.String)

/** Its own are UUIDs; it is sent back, so it is bounded. */
const longestUid = 256

const Envelope = Schema.Struct({
  apiVersion: Text,
  kind: Text,
  request: maybe(Schema.Struct({
    uid: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(longestUid)),
    operation: Schema.Literals(["CREATE", "UPDATE", "DELETE", "CONNECT"]),
    resource: Schema.Struct({ group: Text, version: Text, resource: Text }),
    subResource: Text,
    namespace: Text,
    name: Text,
    dryRun: maybe(Schema.Boolean),
    userInfo: maybe(Schema.Struct({ username: Text })),
    object: maybe(Schema.Unknown),
    oldObject: maybe(Schema.Unknown)
  }))
})

const decode = Schema.decodeUnknownResult(Envelope)

const apiVersion = "admission.k8s.io/v1"
const kind = "AdmissionReview"

/** Reads a request, or says what is wrong with it in words that hold nothing of it. */
export const readReview = (json: unknown): Result.Result<AdmissionRequest, string> => {
  const read = decode(json)
  if (Result.isFailure(read)) return Result.fail("the body is no AdmissionReview")
  const { request } = read.success
  if (read.success.kind !== kind) return Result.fail(`the body is no ${kind}`)
  if (read.success.apiVersion !== apiVersion) return Result.fail(`only ${apiVersion} is understood`)
  if (request === undefined || request === null) return Result.fail(`the ${kind} has no request`)
  const { dryRun, name, namespace, object, oldObject, operation, resource, subResource, uid, userInfo } = request
  return Result.succeed({
    uid,
    operation,
    resource: { group: resource.group ?? "", version: resource.version ?? "", resource: resource.resource ?? "" },
    subResource: subResource === null || subResource === "" ? undefined : subResource,
    namespace: namespace ?? "",
    name: name ?? "",
    dryRun: dryRun ?? false,
    userName: userInfo?.username ?? "",
    object: object ?? undefined,
    oldObject: oldObject ?? undefined
  })
}

/** What the API server passes on of warnings; longer ones it cuts, and may drop (apiserver pkg/warning). In characters. */
const longestWarning = 256
const longestWarnings = 4096

// oxlint-disable-next-line no-control-regex -- they are what is looked for: a warning is a header
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g

const cut = (text: string): string =>
  text.length <= longestWarning ? text : `${text.slice(0, longestWarning - 1).replace(/[\ud800-\udbff]$/, "")}…`

/** The warnings as far as they are passed on; the last says how many are left out. */
const shownWarnings = (warnings: ReadonlyArray<string>): ReadonlyArray<string> => {
  const shown: Array<string> = []
  let left = longestWarnings - longestWarning
  for (const [at, text] of warnings.entries()) {
    const warning = cut(text.replaceAll(unprintable, " "))
    if (warning.length > left) return [...shown, `image-cloner: and ${warnings.length - at} more`]
    shown.push(warning)
    left -= warning.length
  }
  return shown
}

/** Writes an answer to the request of a uid. */
export const writeReview = (uid: string, { auditAnnotations, denied, patch, warnings }: AdmissionAnswer): string => {
  const shown = shownWarnings(warnings ?? [])
  return JSON.stringify({
    apiVersion,
    kind,
    response: {
      uid,
      allowed: denied === undefined,
      ...(denied === undefined ? {} : { status: denied }),
      ...(denied !== undefined || patch === undefined || patch.length === 0
        ? {}
        : { patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(patch)).toString("base64") }),
      ...(shown.length === 0 ? {} : { warnings: shown }),
      ...(auditAnnotations === undefined ? {} : { auditAnnotations })
    }
  })
}
