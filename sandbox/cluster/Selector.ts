// Label and field selectors as query parameters: parsed once, then asked per object.
// Source: apimachinery pkg/labels and pkg/fields; the fields each kind supports: kubernetes pkg/registry/*/strategy.go.
import { Effect } from "effect"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import type { ApiError } from "./ApiError.ts"
import * as ApiErrors from "./ApiError.ts"
import type { Resource } from "./Resources.ts"

export type Selector = (object: JsonObject) => boolean

const setForm = /^([^\s!=,]+)\s+(in|notin)\s+\(([^)]*)\)$/
const equalForm = /^([^\s!=,]+)\s*(==|=|!=)\s*([^\s!=,]*)$/
const existsForm = /^(!?)\s*([^\s!=,()]+)$/

/** Splits at commas outside of parentheses. */
const requirements = (text: string): ReadonlyArray<string> =>
  text.split(/,(?![^(]*\))/).map((it) => it.trim()).filter((it) => it !== "")

type Labels = Record<string, string>

const labelRequirement = (text: string): ((labels: Labels) => boolean) | undefined => {
  const set = setForm.exec(text)
  if (set !== null) {
    const [, key = "", operator, list = ""] = set
    const values = new Set(list.split(",").map((it) => it.trim()))
    return operator === "in"
      ? (labels) => Object.hasOwn(labels, key) && values.has(labels[key] ?? "")
      : (labels) => !Object.hasOwn(labels, key) || !values.has(labels[key] ?? "")
  }
  const equal = equalForm.exec(text)
  if (equal !== null) {
    const [, key = "", operator, value] = equal
    return operator === "!=" ? (labels) => labels[key] !== value : (labels) => labels[key] === value
  }
  const exists = existsForm.exec(text)
  if (exists === null) return undefined
  const [, not, key = ""] = exists
  return (labels) => Object.hasOwn(labels, key) !== (not === "!")
}

export const labels = (text: string | null): Effect.Effect<Selector, ApiError> => {
  const checks: Array<(labels: Labels) => boolean> = []
  for (const requirement of requirements(text ?? "")) {
    const check = labelRequirement(requirement)
    if (check === undefined) {
      return Effect.fail(ApiErrors.badRequest(`unable to parse requirement: found '${requirement}'`))
    }
    checks.push(check)
  }
  return Effect.succeed((object) => {
    const found = J.texts(object, "metadata", "labels")
    return checks.every((check) => check(found))
  })
}

const podFields = [
  "spec.nodeName",
  "spec.restartPolicy",
  "spec.schedulerName",
  "spec.serviceAccountName",
  "spec.hostNetwork",
  "status.phase",
  "status.podIP",
  "status.nominatedNodeName"
]
const supported: Readonly<Record<string, ReadonlyArray<string>>> = {
  Pod: podFields,
  Node: ["spec.unschedulable"],
  Namespace: ["status.phase"],
  Secret: ["type"],
  ReplicaSet: ["status.replicas"],
  ReplicationController: ["status.replicas"],
  Job: ["status.successful"],
  Service: ["spec.clusterIP", "spec.type"],
  Event: [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "regarding.kind",
    "regarding.namespace",
    "regarding.name",
    "regarding.uid",
    "reason",
    "reportingComponent",
    "source",
    "type"
  ]
}

const fieldOf = (object: JsonObject, field: string): string => {
  // Events of both groups are kept in the core form.
  const path = field.replace(/^regarding\./, "involvedObject.").split(".")
  const value = J.at(object, ...(field === "source" ? ["source", "component"] : path))
  return value === undefined || value === null ? "" : String(value)
}

export const fields = (resource: Resource, text: string | null): Effect.Effect<Selector, ApiError> => {
  const checks: Array<Selector> = []
  for (const requirement of requirements(text ?? "")) {
    const match = /^([^!=]+?)\s*(!=|==|=)\s*(.*)$/.exec(requirement)
    if (match === null) {
      return Effect.fail(ApiErrors.badRequest(`invalid field selector: "${text}"; can't understand '${requirement}'`))
    }
    const [, field = "", operator, value = ""] = match
    const known = field === "metadata.name" || (resource.namespaced && field === "metadata.namespace") ||
      supported[resource.kind]?.includes(field) === true
    if (!known) {
      if (supported[resource.kind] === undefined) {
        return Effect.fail(ApiErrors.badRequest(
          `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`
        ))
      }
      return Effect.fail(ApiErrors.badRequest(
        `Unable to find "${
          resource.group === "" ? "" : `${resource.group}/`
        }${resource.version}, Resource=${resource.plural}" ` +
          `that match label selector "", field selector "${text}": field label not supported: ${field}`
      ))
    }
    checks.push((object) => (fieldOf(object, field) === value) === (operator !== "!="))
  }
  return Effect.succeed((object) => checks.every((check) => check(object)))
}

/** A LabelSelector of a spec (matchLabels, matchExpressions); one that is empty selects everything. */
export const ofSpec = (selector: J.Json | undefined): (labels: Labels) => boolean => {
  const expressions = J.list(selector, "matchExpressions")
  const wanted = Object.entries(J.texts(selector, "matchLabels"))
  return (found) =>
    wanted.every(([key, value]) => found[key] === value) &&
    expressions.every((expression) => {
      const key = J.text(expression, "key") ?? ""
      const values = new Set(J.list(expression, "values"))
      const here = Object.hasOwn(found, key)
      switch (J.text(expression, "operator")) {
        case "In":
          return here && values.has(found[key] ?? "")
        case "NotIn":
          return !here || !values.has(found[key] ?? "")
        case "Exists":
          return here
        default:
          return !here
      }
    })
}
