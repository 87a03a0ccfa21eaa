// What the API server fills in of a pod's spec, in pods and in templates. Source: kubernetes pkg/apis/core/v1/defaults.go.
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"

/** Sets what is not there. */
export const fill = (target: JsonObject, defaults: JsonObject): void => {
  for (const [key, value] of Object.entries(defaults)) if (target[key] === undefined) target[key] = value
}

/** The kubelet's rule: a tag that moves is asked for each time. */
const pullPolicyOf = (image: string): string => {
  if (image.includes("@")) return "IfNotPresent"
  const last = image.slice(image.lastIndexOf("/") + 1)
  const colon = last.indexOf(":")
  return colon < 0 || last.slice(colon + 1) === "latest" ? "Always" : "IfNotPresent"
}

const probe = (container: JsonObject, name: string): void => {
  const found = container[name]
  if (!J.isObject(found)) return
  fill(found, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 })
  if (J.isObject(found["httpGet"])) fill(found["httpGet"], { path: "/", scheme: "HTTP" })
}

const container = (item: J.Json): void => {
  if (!J.isObject(item)) return
  fill(item, {
    resources: {},
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    imagePullPolicy: pullPolicyOf(J.text(item, "image") ?? "")
  })
  for (const port of J.list(item, "ports")) if (J.isObject(port)) fill(port, { protocol: "TCP" })
  for (const variable of J.list(item, "env")) {
    const field = J.at(variable, "valueFrom", "fieldRef")
    if (J.isObject(field)) fill(field, { apiVersion: "v1" })
  }
  // A request that is not given is the limit.
  const limits = J.object(item, "resources", "limits")
  if (Object.keys(limits).length > 0) fill(J.ensure(item, "resources", "requests"), { ...limits })
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"]) probe(item, name)
}

const volume = (item: J.Json): void => {
  if (!J.isObject(item)) return
  for (const source of ["configMap", "secret", "downwardAPI", "projected"]) {
    const found = item[source]
    if (J.isObject(found)) fill(found, { defaultMode: 420 })
  }
  for (const source of J.list(item, "projected", "sources")) {
    const token = J.at(source, "serviceAccountToken")
    if (J.isObject(token)) fill(token, { expirationSeconds: 3600 })
  }
  const image = item["image"]
  if (J.isObject(image)) fill(image, { pullPolicy: pullPolicyOf(J.text(image, "reference") ?? "") })
  const path = item["hostPath"]
  if (J.isObject(path)) fill(path, { type: "" })
  const named = Object.keys(item).some((key) => key !== "name")
  if (!named) item["emptyDir"] = {}
}

/** Of a template's spec. */
export const template = (spec: JsonObject): void => {
  fill(spec, {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    securityContext: {},
    schedulerName: "default-scheduler"
  })
  const account = J.text(spec, "serviceAccountName") ?? J.text(spec, "serviceAccount")
  if (account !== undefined) fill(spec, { serviceAccountName: account, serviceAccount: account })
  for (const field of ["initContainers", "containers", "ephemeralContainers"]) J.list(spec, field).forEach(container)
  J.list(spec, "volumes").forEach(volume)
}

/** Of a pod's own spec: a template's, and what only a pod has. */
export const pod = (spec: JsonObject): void => {
  template(spec)
  fill(spec, { enableServiceLinks: true, priority: 0, preemptionPolicy: "PreemptLowerPriority" })
  const tolerations = J.list(spec, "tolerations")
  const tolerated = new Set(tolerations.map((it) => J.text(it, "key")))
  for (const key of ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]) {
    if (!tolerated.has(key)) {
      tolerations.push({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 })
    }
  }
  spec["tolerations"] = tolerations
}

/** Guaranteed, Burstable or BestEffort, from requests and limits of cpu and memory. */
export const qosClass = (spec: JsonObject): string => {
  const containers = [...J.list(spec, "initContainers"), ...J.list(spec, "containers")]
  const some = containers.some((it) =>
    Object.keys(J.object(it, "resources", "requests")).length > 0 ||
    Object.keys(J.object(it, "resources", "limits")).length > 0
  )
  if (!some) return "BestEffort"
  const guaranteed = containers.every((it) =>
    ["cpu", "memory"].every((name) => {
      const limit = J.at(it, "resources", "limits", name)
      return limit !== undefined && J.equal(limit, J.at(it, "resources", "requests", name))
    })
  )
  return guaranteed ? "Guaranteed" : "Burstable"
}
