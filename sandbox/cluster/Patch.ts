// The patch types as functions from the stored object to the wanted one. Server-side apply is in Apply.ts.
// Source: apiserver pkg/endpoints/handlers/patch.go; RFC 6902, RFC 7396.
import { Effect } from "effect"
import { applyPatch, type Operation, Pointer } from "rfc6902"
import type { Json, JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import type { ApiError } from "./ApiError.ts"
import * as ApiErrors from "./ApiError.ts"
import { mergePatch, strategicMerge } from "./StrategicMerge.ts"

const json = "application/json-patch+json"
const merge = "application/merge-patch+json"
const strategic = "application/strategic-merge-patch+json"
const operations = new Set(["add", "remove", "replace", "move", "copy", "test"])

const isOperation = (value: Json): value is Json & Operation => {
  const op = J.text(value, "op")
  return op !== undefined && operations.has(op) && J.text(value, "path") !== undefined
}

/**
 * The server's library (evanphx/json-patch 4) is laxer than the RFC about a key that its object does not have: `replace`
 * adds it, and `test` with null holds.
 */
const lax = (operation: Operation, document: Json): Operation | undefined => {
  if (operation.op !== "replace" && operation.op !== "test") return operation
  const { key, parent, value } = Pointer.fromJSON(operation.path).evaluate(document)
  const absent = J.isObject(parent) && value === undefined && !Object.hasOwn(parent, key)
  if (!absent) return operation
  if (operation.op === "replace") return { ...operation, op: "add" }
  return operation.value === null ? undefined : operation
}

const jsonPatch = (patch: Json, current: JsonObject): Effect.Effect<JsonObject, ApiError> => {
  if (!Array.isArray(patch) || !patch.every(isOperation)) {
    return Effect.fail(ApiErrors.badRequest("error decoding patch: the body is no list of operations"))
  }
  if (patch.length > 10_000) {
    return Effect.fail(
      new ApiErrors.ApiError({
        code: 413,
        reason: "RequestEntityTooLarge",
        text: `The allowed maximum operations in a JSON patch is 10000, got ${patch.length}`
      })
    )
  }
  const copy: Json = J.clone(current)
  const failed = patch.some((it) => {
    const operation = lax(it, copy)
    return operation !== undefined && applyPatch(copy, [operation]).some((outcome) => outcome !== null)
  })
  return failed || !J.isObject(copy)
    ? Effect.fail(ApiErrors.unprocessable())
    : Effect.succeed(copy)
}

const asObject = (value: Json): Effect.Effect<JsonObject, ApiError> =>
  J.isObject(value)
    ? Effect.succeed(value)
    : Effect.fail(ApiErrors.badRequest("the patch makes no object of the object"))

/** What the patch of this media type makes of an object; 415 for types that are not known. */
export const decode = (
  contentType: string,
  body: Json | undefined
): Effect.Effect<(current: JsonObject) => Effect.Effect<JsonObject, ApiError>, ApiError> => {
  if (![json, merge, strategic].includes(contentType)) {
    return Effect.fail(ApiErrors.unsupportedMediaType(
      "the body of the request was in an unknown format - accepted media types include: " +
        `${json}, ${merge}, ${strategic}, application/apply-patch+yaml, application/apply-patch+cbor`
    ))
  }
  if (body === undefined) return Effect.fail(ApiErrors.badRequest("error decoding patch: the body is no JSON"))
  if (contentType === json) return Effect.succeed((current) => jsonPatch(body, current))
  if (!J.isObject(body)) return Effect.fail(ApiErrors.badRequest("error decoding patch: the body is no object"))
  return Effect.succeed((current) =>
    asObject(contentType === merge ? mergePatch(current, body) : strategicMerge(current, body))
  )
}
