// GET of one object and LIST, with pages and the rules of resourceVersion. Source: research/kubernetes.md §1.1, §1.3;
// apimachinery pkg/apis/meta/internalversion/validation.
import { Clock, Effect } from "effect"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import type { Api, Target } from "./Api.ts"
import type { ApiError } from "./ApiError.ts"
import * as ApiErrors from "./ApiError.ts"
import * as Present from "./Present.ts"
import * as Selectors from "./Selector.ts"
import * as Store from "./Store.ts"

export const one = Effect.fnUntraced(function*(
  api: Api,
  target: Target,
  form: Present.Form
): Effect.fn.Return<JsonObject, ApiError> {
  const found = api.store.get(target.resource.storage, target.namespace, target.name)
  if (found === undefined) return yield* ApiErrors.notFound(target.resource, target.name)
  return Present.single(form, target.resource, found, yield* Clock.currentTimeMillis)
})

/** What both selectors of the query, and the name if there is one, leave. */
export const selectorOf = Effect.fnUntraced(function*(target: Target, query: URLSearchParams) {
  const labels = yield* Selectors.labels(query.get("labelSelector"))
  const fields = yield* Selectors.fields(target.resource, query.get("fieldSelector"))
  return (object: JsonObject): boolean =>
    (target.namespace === "" || Store.namespaceOf(object) === target.namespace) &&
    (target.name === "" || Store.nameOf(object) === target.name) && labels(object) && fields(object)
})

const listOptions = (detail: string): ApiError =>
  ApiErrors.invalid("ListOptions", "meta.k8s.io", "", [
    ApiErrors.fault("FieldValueForbidden", "resourceVersionMatch", detail)
  ])

interface Continuation {
  readonly revision: number
  /** Key of the last object that was given. */
  readonly after: string
}

const keyOf = (object: JsonObject): string => `${Store.namespaceOf(object)}/${Store.nameOf(object)}`

const encode = (it: Continuation): string =>
  Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: it.revision, start: it.after })).toString("base64url")

const decode = (token: string): Effect.Effect<Continuation, ApiError> => {
  const parsed = J.parse(Buffer.from(token, "base64url").toString("utf8"))
  const [revision, after] = [J.number(parsed, "rv"), J.text(parsed, "start")]
  return revision === undefined || after === undefined
    ? Effect.fail(ApiErrors.badRequest("continue key is not valid: it is none of this server's"))
    : Effect.succeed({ revision, after })
}

/** The revision to list at; undefined for now. */
const revisionOf = Effect.fnUntraced(function*(api: Api, query: URLSearchParams) {
  const version = query.get("resourceVersion") ?? ""
  const match = query.get("resourceVersionMatch") ?? ""
  if (query.has("continue") && query.get("continue") !== "") {
    if (match !== "") return yield* listOptions("resourceVersionMatch is forbidden when continue is provided")
    if (version !== "" && version !== "0") {
      return yield* ApiErrors.badRequest("specifying resource version is not allowed when using continue")
    }
    return undefined
  }
  if (match !== "" && version === "") {
    return yield* listOptions("resourceVersionMatch is forbidden unless resourceVersion is provided")
  }
  if (version === "" || version === "0") {
    if (match === "Exact") {
      return yield* listOptions(`resourceVersionMatch "exact" is forbidden for resourceVersion "0"`)
    }
    return undefined
  }
  if (!/^[0-9]+$/.test(version)) return yield* ApiErrors.badRequest(`Invalid resource version ${version}`)
  if (Number(version) > api.store.revision()) {
    return yield* new ApiErrors.ApiError({
      code: 504,
      reason: "Timeout",
      text: `Timeout: Too large resource version: ${version}, current: ${api.store.revision()}`,
      details: {
        causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
        retryAfterSeconds: 1
      }
    })
  }
  return match === "Exact" ? Number(version) : undefined
})

const tooOld =
  "The provided continue parameter is too old to display a consistent list result. You can start a new list without the " +
  "continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing " +
  "with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the " +
  "time the first chunk was returned and now may show up in the list."

export const list = Effect.fnUntraced(function*(
  api: Api,
  target: Target,
  query: URLSearchParams,
  form: Present.Form
): Effect.fn.Return<JsonObject, ApiError> {
  const selected = yield* selectorOf(target, query)
  const exact = yield* revisionOf(api, query)
  const token = query.get("continue") ?? ""
  const start = token === "" ? undefined : yield* decode(token)
  const revision = start?.revision ?? exact ?? api.store.revision()
  const namespace = target.namespace === "" ? undefined : target.namespace
  // An inconsistent token (revision 0) goes on with what there is now.
  const all = revision === 0 || (start === undefined && exact === undefined)
    ? api.store.list(target.resource.storage, namespace)
    : api.store.listAt(target.resource.storage, revision, namespace)
  if (all === undefined) {
    return yield* start === undefined
      ? ApiErrors.expired(`The resourceVersion for the provided list is too old.`)
      : ApiErrors.expired(tooOld, encode({ revision: 0, after: start.after }))
  }
  const rest = all.filter((it) => selected(it) && (start === undefined || keyOf(it) > start.after))
  // "Any version will do" is answered from the cache, which does not page.
  const asked = query.get("resourceVersion") === "0" ? 0 : Number(query.get("limit") ?? 0)
  const limit = asked > 0 ? asked : Infinity
  const items = rest.slice(0, limit)
  const last = items.at(-1)
  const metadata: JsonObject = { resourceVersion: String(revision === 0 ? api.store.revision() : revision) }
  if (last !== undefined && rest.length > items.length) {
    metadata["continue"] = encode({ revision, after: keyOf(last) })
    const counted = !query.has("labelSelector") && !query.has("fieldSelector")
    if (counted) metadata["remainingItemCount"] = rest.length - items.length
  }
  return Present.many(form, target.resource, items, metadata, yield* Clock.currentTimeMillis)
})
