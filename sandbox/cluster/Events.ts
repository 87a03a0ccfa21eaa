// One Event, two groups: kept as core/v1, shown as events.k8s.io/v1 to who asks there.
// Source: kubernetes pkg/apis/events/v1/conversion.go.
import type { Json, JsonObject } from "../Json.ts"
import type { Resource } from "./Resources.ts"

const toNew: Readonly<Record<string, string>> = {
  involvedObject: "regarding",
  message: "note",
  source: "deprecatedSource",
  firstTimestamp: "deprecatedFirstTimestamp",
  lastTimestamp: "deprecatedLastTimestamp",
  count: "deprecatedCount",
  reportingComponent: "reportingController"
}
const toCore = Object.fromEntries(Object.entries(toNew).map(([core, other]) => [other, core]))

const renamed = (object: JsonObject, names: Readonly<Record<string, string>>, apiVersion: string): JsonObject => {
  const result: JsonObject = {}
  for (const [key, value] of Object.entries(object)) result[names[key] ?? key] = value
  const version: Json = apiVersion
  return { ...result, apiVersion: version }
}

/** As the resource's group shows it. */
export const shown = (resource: Resource, object: JsonObject): JsonObject =>
  resource.group === "events.k8s.io" ? renamed(object, toNew, "events.k8s.io/v1") : object

/** As it is kept, from what was sent to the resource's group. */
export const kept = (resource: Resource, object: JsonObject): JsonObject =>
  resource.group === "events.k8s.io" ? renamed(object, toCore, "v1") : object
