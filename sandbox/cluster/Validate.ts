// What the API server refuses: names, selectors, containers without an image, and changes to what may not change.
// A subset: the rules that a controller of images meets. Texts: kubernetes pkg/apis/{core,apps,batch}/validation.
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import type { Cause } from "./ApiError.ts"
import { fault } from "./ApiError.ts"
import type { Resource } from "./Resources.ts"
import * as Selectors from "./Selector.ts"

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const subdomainText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and " +
  "end with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const labelText =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with " +
  "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

const nameFaults = (kind: string, object: JsonObject): ReadonlyArray<Cause> => {
  const name = J.text(object, "metadata", "name") ?? ""
  if (name === "") return [fault("FieldValueRequired", "metadata.name", "name or generateName is required")]
  const asLabel = kind === "Namespace" || kind === "Service"
  if (!(asLabel ? label : subdomain).test(name)) {
    return [fault("FieldValueInvalid", "metadata.name", asLabel ? labelText : subdomainText, name)]
  }
  const limit = asLabel ? 63 : 253
  return name.length > limit
    ? [fault("FieldValueInvalid", "metadata.name", `must be no more than ${limit} characters`, name)]
    : []
}

const keyText =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " +
  "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is " +
  "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
const valueText =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end " +
  "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is " +
  "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
const qualifiedKey = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/

const mapFaults = (object: JsonObject): ReadonlyArray<Cause> => [
  ...Object.keys(J.object(object, "metadata", "annotations")).filter((it) => !qualifiedKey.test(it))
    .map((it) => fault("FieldValueInvalid", "metadata.annotations", keyText, it)),
  ...Object.entries(J.texts(object, "metadata", "labels")).flatMap(([name, value]) => [
    ...(qualifiedKey.test(name) ? [] : [fault("FieldValueInvalid", "metadata.labels", keyText, name)]),
    ...(labelValue.test(value) ? [] : [fault("FieldValueInvalid", "metadata.labels", valueText, value)])
  ])
]

const containerFaults = (path: string, containers: ReadonlyArray<J.Json>, pod: boolean): ReadonlyArray<Cause> => {
  const faults: Array<Cause> = []
  const seen = new Set<string>()
  for (const [index, container] of containers.entries()) {
    const at = `${path}[${index}]`
    const name = J.text(container, "name") ?? ""
    const image = J.text(container, "image") ?? ""
    if (name === "") faults.push(fault("FieldValueRequired", `${at}.name`, ""))
    else if (!label.test(name)) faults.push(fault("FieldValueInvalid", `${at}.name`, labelText, name))
    else if (seen.has(name)) faults.push(fault("FieldValueDuplicate", `${at}.name`, "", name))
    seen.add(name)
    if (image === "") faults.push(fault("FieldValueRequired", `${at}.image`, ""))
    else if (pod && image.trim() !== image) {
      faults.push(fault("FieldValueInvalid", `${at}.image`, "must not have leading or trailing whitespace", image))
    }
  }
  return faults
}

const podSpecFaults = (path: string, spec: JsonObject, pod: boolean): ReadonlyArray<Cause> => {
  const containers = J.list(spec, "containers")
  return [
    ...(containers.length === 0 ? [fault("FieldValueRequired", `${path}.containers`, "")] : []),
    ...containerFaults(`${path}.containers`, containers, pod),
    ...containerFaults(`${path}.initContainers`, J.list(spec, "initContainers"), pod)
  ]
}

const podSpecsOf = (
  kind: string,
  object: JsonObject
): { readonly path: string; readonly spec: JsonObject } | undefined => {
  if (kind === "Pod") return { path: "spec", spec: J.object(object, "spec") }
  if (kind === "CronJob") {
    return {
      path: "spec.jobTemplate.spec.template.spec",
      spec: J.object(object, "spec", "jobTemplate", "spec", "template", "spec")
    }
  }
  if (!["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "ReplicationController", "Job"].includes(kind)) {
    return undefined
  }
  return { path: "spec.template.spec", spec: J.object(object, "spec", "template", "spec") }
}

const selectorFaults = (kind: string, object: JsonObject): ReadonlyArray<Cause> => {
  if (!["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "ReplicationController"].includes(kind)) return []
  const selector = J.object(object, "spec", "selector")
  const labels = J.texts(object, "spec", "template", "metadata", "labels")
  if (kind === "ReplicationController") {
    const fits = Object.entries(selector).every(([key, value]) => labels[key] === value)
    return fits ? [] : [
      fault("FieldValueInvalid", "spec.template.metadata.labels", "`selector` does not match template `labels`", labels)
    ]
  }
  if (Object.keys(selector).length === 0) return [fault("FieldValueRequired", "spec.selector", "")]
  return Selectors.ofSpec(selector)(labels) ? [] : [
    fault("FieldValueInvalid", "spec.template.metadata.labels", "`selector` does not match template `labels`", labels)
  ]
}

const restartFaults = (kind: string, object: JsonObject): ReadonlyArray<Cause> => {
  const pod = podSpecsOf(kind, object)
  const policy = J.text(pod?.spec, "restartPolicy")
  if (pod === undefined || kind === "Pod" || policy === undefined) return []
  const supported = kind === "Job" || kind === "CronJob" ? ["OnFailure", "Never"] : ["Always"]
  return supported.includes(policy) ? [] : [
    fault(
      "FieldValueNotSupported",
      `${pod.path}.restartPolicy`,
      `supported values: ${supported.map((it) => `"${it}"`).join(", ")}`,
      policy
    )
  ]
}

/** What is wrong with an object that is to be created, or stored instead of another. */
export const object = (resource: Resource, value: JsonObject): ReadonlyArray<Cause> => {
  const pod = podSpecsOf(resource.kind, value)
  return [
    ...nameFaults(resource.kind, value),
    ...mapFaults(value),
    ...selectorFaults(resource.kind, value),
    ...(pod === undefined ? [] : podSpecFaults(pod.path, pod.spec, resource.kind === "Pod")),
    ...restartFaults(resource.kind, value)
  ]
}

const podUpdateText = "pod updates may not change fields other than " +
  "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`," +
  "`spec.tolerations` (only additions to existing tolerations)," +
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"

/** A pod's spec without what may change. */
const fixedPart = (spec: JsonObject): JsonObject => {
  const { activeDeadlineSeconds: _deadline, tolerations: _tolerations, ...rest } = J.clone(spec)
  for (const field of ["containers", "initContainers"]) {
    for (const container of J.list(rest, field)) if (J.isObject(container)) delete container["image"]
  }
  return rest
}

const podUpdateFaults = (spec: JsonObject, before: JsonObject): ReadonlyArray<Cause> => {
  const kept = J.list(before, "tolerations").every((it) => J.list(spec, "tolerations").some((has) => J.equal(has, it)))
  return kept && J.equal(fixedPart(spec), fixedPart(before))
    ? []
    : [fault("FieldValueForbidden", "spec", podUpdateText)]
}

const statefulSetMutable = new Set([
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds"
])

const changed = (spec: JsonObject, before: JsonObject): ReadonlyArray<string> =>
  [...new Set([...Object.keys(spec), ...Object.keys(before)])].filter((key) => !J.equal(spec[key], before[key]))

/** The real server looks at what is below the template too, where the Job is suspended. */
const templateFaults = (spec: JsonObject, before: JsonObject): ReadonlyArray<Cause> => {
  if (J.equal(spec["template"], before["template"])) return []
  const path = before["suspend"] === true ? ["template", "spec"] : ["template"]
  return [fault("FieldValueInvalid", `spec.${path.join(".")}`, "field is immutable", J.object(spec, ...path))]
}

/** What is wrong with a change, beyond what is wrong with the object itself. */
export const change = (resource: Resource, value: JsonObject, previous: JsonObject): ReadonlyArray<Cause> => {
  const spec = J.object(value, "spec")
  const before = J.object(previous, "spec")
  const immutable = (field: string) =>
    J.equal(spec[field], before[field]) ? [] : [
      fault("FieldValueInvalid", `spec.${field}`, "field is immutable", spec[field] ?? null)
    ]
  switch (resource.kind) {
    case "Pod":
      return podUpdateFaults(spec, before)
    case "Deployment":
    case "ReplicaSet":
    case "DaemonSet":
      return immutable("selector")
    case "Job":
      return [...immutable("completionMode"), ...immutable("selector"), ...templateFaults(spec, before)]
    case "StatefulSet":
      return changed(spec, before).every((it) => statefulSetMutable.has(it)) ? [] : [
        fault(
          "FieldValueForbidden",
          "spec",
          "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', " +
            "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        )
      ]
    default:
      return []
  }
}
