// How objects leave the server: whole, as metadata alone, or as rows of a table, by what the client accepts.
// Source: apiserver pkg/endpoints/handlers/response.go; meta.k8s.io/v1 Table and PartialObjectMetadata.
import type { IncomingHttpHeaders } from "node:http"
import type { JsonObject } from "../Json.ts"
import { columnsOf } from "./Columns.ts"
import * as Events from "./Events.ts"
import type { Resource } from "./Resources.ts"
import * as Resources from "./Resources.ts"

export type Form = "Object" | "Table" | "PartialObjectMetadata"

/** The first form of the Accept header that is served; whole objects for all else. */
export const formOf = (headers: IncomingHttpHeaders): Form => {
  for (const type of (headers.accept ?? "").split(",")) {
    const parameters = new Set(type.split(";").map((it) => it.trim()))
    if (!parameters.has("application/json")) continue
    if (parameters.has("as=Table")) return "Table"
    if (parameters.has("as=PartialObjectMetadata") || parameters.has("as=PartialObjectMetadataList")) {
      return "PartialObjectMetadata"
    }
    return "Object"
  }
  return "Object"
}

const partial = (object: JsonObject): JsonObject => ({
  kind: "PartialObjectMetadata",
  apiVersion: "meta.k8s.io/v1",
  metadata: object["metadata"] ?? {}
})

const table = (
  resource: Resource,
  objects: ReadonlyArray<JsonObject>,
  metadata: JsonObject,
  now: number,
  withColumns: boolean
): JsonObject => {
  const columns = columnsOf(resource.kind)
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata,
    columnDefinitions: !withColumns ? null : columns.map((it) => ({
      name: it.name,
      type: it.type,
      format: it.name === "Name" ? "name" : "",
      description: "",
      priority: it.wide ? 1 : 0
    })),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, now)),
      object: partial(object)
    }))
  }
}

/** One object; of a watch's table only the first event has columns. */
export const single = (
  form: Form,
  resource: Resource,
  object: JsonObject,
  now: number,
  withColumns = true
): JsonObject => {
  if (form === "Object") return Events.shown(resource, object)
  if (form === "PartialObjectMetadata") return partial(object)
  const metadata = object["metadata"]
  const version = typeof metadata === "object" && metadata !== null && !Array.isArray(metadata)
    ? metadata["resourceVersion"] ?? ""
    : ""
  return table(resource, [object], { resourceVersion: version }, now, withColumns)
}

/** Items of a list carry neither kind nor version: the list says both. */
const asItem = (object: JsonObject): JsonObject => {
  const { apiVersion: _version, kind: _kind, ...rest } = object
  return rest
}

export const many = (
  form: Form,
  resource: Resource,
  objects: ReadonlyArray<JsonObject>,
  metadata: JsonObject,
  now: number
): JsonObject => {
  if (form === "Table") return table(resource, objects, metadata, now, true)
  if (form === "PartialObjectMetadata") {
    return {
      kind: "PartialObjectMetadataList",
      apiVersion: "meta.k8s.io/v1",
      metadata,
      items: objects.map(partial)
    }
  }
  return {
    kind: `${resource.kind}List`,
    apiVersion: Resources.apiVersionOf(resource),
    metadata,
    items: objects.map((it) => asItem(Events.shown(resource, it)))
  }
}
