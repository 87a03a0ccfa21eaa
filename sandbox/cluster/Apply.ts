// Server-side apply: the fields a manager names become as it says, unless others hold them with another value.
// Source: apiserver pkg/endpoints/handlers/patch.go, structured-merge-diff; answers as a 1.36 server gave them.
import { Effect } from "effect"
import { parse } from "yaml"
import type { Json, JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import type { Api, Target } from "./Api.ts"
import { timestamp } from "./Api.ts"
import type { ApiError } from "./ApiError.ts"
import * as ApiErrors from "./ApiError.ts"
import * as ManagedFields from "./ManagedFields.ts"
import { strategicMerge } from "./StrategicMerge.ts"
import * as Write from "./Write.ts"

export interface ApplyRequest {
  readonly subresource: string
  readonly force: boolean
  /** "" when the request names none: it must. */
  readonly manager: string
  /** YAML, of which JSON is a part. */
  readonly body: string
}

export const isApply = (mediaType: string): boolean => mediaType === "application/apply-patch+yaml"

const refuse = (why: string): Effect.Effect<never, ApiError> => Effect.fail(ApiErrors.badRequest(why))

const decode = (text: string): Effect.Effect<JsonObject, ApiError> => {
  let value: Json
  try {
    value = parse(text)
  } catch (cause) {
    return refuse(`error decoding YAML: ${String(cause)}`)
  }
  if (!J.isObject(value) || J.text(value, "apiVersion") === undefined || J.text(value, "kind") === undefined) {
    return refuse("invalid object type: /, Kind=")
  }
  if (J.at(value, "metadata", "managedFields") !== undefined) return refuse("metadata.managedFields must be nil")
  return Effect.succeed(value)
}

const conflict = (conflicts: ReadonlyArray<ManagedFields.Conflict>): ApiError => {
  const causes = conflicts.map((it) => ({
    reason: "FieldManagerConflict",
    message: `conflict with ${JSON.stringify(it.manager)}${
      it.apiVersion === undefined ? "" : ` using ${it.apiVersion}`
    }`,
    field: it.field
  }))
  const [first] = causes
  const said = causes.length === 1
    ? `1 conflict: ${first?.message}: ${first?.field}`
    : `${causes.length} conflicts: ${causes.map((it) => `${it.message}:\n- ${it.field}`).join("\n")}`
  return new ApiErrors.ApiError({
    code: 409,
    reason: "Conflict",
    text: `Apply failed with ${said}`,
    details: { causes }
  })
}

export interface Applied {
  readonly object: JsonObject
  readonly created: boolean
}

/** Changes the object, or makes it when it is not there. Fails with 409 when others hold what is to change. */
export const apply = Effect.fnUntraced(function*(
  api: Api,
  target: Target,
  request: ApplyRequest
): Effect.fn.Return<Applied, ApiError> {
  if (request.manager === "") {
    return yield* ApiErrors.invalid("PatchOptions", "meta.k8s.io", "", [
      ApiErrors.fault("FieldValueRequired", "fieldManager", "is required for apply patch")
    ])
  }
  const sent = yield* decode(request.body)
  const writer = Write.writerOf(target, request.subresource, yield* timestamp)
  let entries: Write.Fields = ManagedFields.application(undefined, sent, writer).entries
  const changed = Write.update(
    api,
    target,
    { subresource: request.subresource, patched: true, fields: (next) => entries(next) },
    (current) => {
      const application = ManagedFields.application(current, sent, writer)
      if (application.conflicts.length > 0 && !request.force) return Effect.fail(conflict(application.conflicts))
      entries = application.entries
      const merged = strategicMerge(application.pruned, sent)
      return J.isObject(merged) ? Effect.succeed(merged) : Effect.fail(ApiErrors.badRequest("the body is no object"))
    }
  )
  // What is not there is made; a subresource of nothing is not.
  return yield* Effect.map(changed, (object): Applied => ({ object, created: false })).pipe(
    Effect.catchIf(
      (error) => error.code === 404 && request.subresource === "",
      () => Effect.map(Write.create(api, target, sent, entries), (object) => ({ object, created: true }))
    )
  )
})
