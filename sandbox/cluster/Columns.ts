// The columns `kubectl get` shows of each kind. Source: kubernetes pkg/printers/internalversion/printers.go.
import type { Json, JsonObject } from "../Json.ts"
import * as J from "../Json.ts"

export interface Column {
  readonly name: string
  readonly type: "string" | "integer"
  /** Only with `-o wide`. */
  readonly wide: boolean
  /** `now` in epoch milliseconds. */
  readonly cell: (object: JsonObject, now: number) => Json
}

const two = (value: number, unit: string, rest: number, below: string) =>
  `${value}${unit}${rest === 0 ? "" : `${rest}${below}`}`

/** Go's HumanDuration: two units at most, fewer the longer it is. */
export const humanDuration = (milliseconds: number): string => {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  const days = Math.floor(hours / 24)
  if (seconds < 120) return `${seconds}s`
  if (minutes < 10) return two(minutes, "m", seconds % 60, "s")
  if (hours < 3) return `${minutes}m`
  if (hours < 8) return two(hours, "h", minutes % 60, "m")
  if (hours < 48) return `${hours}h`
  if (days < 8) return two(days, "d", hours % 24, "h")
  return days < 730 ? `${days}d` : `${Math.floor(days / 365)}y`
}

const since = (time: string | undefined, now: number): string =>
  time === undefined ? "<unknown>" : humanDuration(now - Date.parse(time))

const text = (name: string, cell: Column["cell"], wide = false): Column => ({ name, type: "string", wide, cell })
const count = (name: string, ...path: ReadonlyArray<string>): Column => ({
  name,
  type: "integer",
  wide: false,
  cell: (object) => J.number(object, ...path) ?? 0
})
const field = (name: string, path: ReadonlyArray<string>, otherwise = "<none>", wide = false): Column =>
  text(name, (object) => J.text(object, ...path) || otherwise, wide)

const name: Column = field("Name", ["metadata", "name"])
const age: Column = text("Age", (object, now) => since(J.text(object, "metadata", "creationTimestamp"), now))

const containersOf = (object: JsonObject): ReadonlyArray<Json> => {
  for (const path of [["spec", "template"], ["spec", "jobTemplate", "spec", "template"]]) {
    const found = J.list(object, ...path, "spec", "containers")
    if (found.length > 0) return found
  }
  return []
}
const joined = (items: ReadonlyArray<Json>, key: string) => items.map((it) => J.text(it, key) ?? "").join(",")
const labelsText = (selector: Json | undefined): string => {
  const labels = J.at(selector, "matchLabels") === undefined ? J.texts(selector) : J.texts(selector, "matchLabels")
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(",") || "<none>"
}
const images = [
  text("Containers", (it) => joined(containersOf(it), "name"), true),
  text("Images", (it) => joined(containersOf(it), "image"), true)
]
const selector = text("Selector", (it) => labelsText(J.at(it, "spec", "selector")), true)

/** Waiting or terminated, and why. */
const reasonOf = (status: Json): string | undefined =>
  J.text(status, "state", "waiting", "reason") ?? J.text(status, "state", "terminated", "reason")

const podStatus = (pod: JsonObject): string => {
  let shown = J.text(pod, "status", "reason") ?? J.text(pod, "status", "phase") ?? "Unknown"
  const inits = J.list(pod, "status", "initContainerStatuses")
  const waiting = inits.findIndex((it) => J.text(it, "state", "terminated", "reason") !== "Completed")
  const reason = waiting < 0 ? undefined : reasonOf(inits[waiting] ?? null)
  const sidecar = J.text(pod, "spec", "initContainers", waiting, "restartPolicy") === "Always"
  if (waiting >= 0 && !(sidecar && J.at(inits[waiting], "started") === true)) {
    shown = reason === undefined || reason === "PodInitializing" ? `Init:${waiting}/${inits.length}` : `Init:${reason}`
  } else {
    for (const status of J.list(pod, "status", "containerStatuses").toReversed()) shown = reasonOf(status) ?? shown
  }
  return J.text(pod, "metadata", "deletionTimestamp") === undefined ? shown : "Terminating"
}

const restarts = (pod: JsonObject): number =>
  J.list(pod, "status", "containerStatuses").reduce((sum: number, it) => sum + (J.number(it, "restartCount") ?? 0), 0)

const jobState = (job: JsonObject): string => {
  const conditions = J.list(job, "status", "conditions").filter((it) => J.text(it, "status") === "True")
  const types = new Set(conditions.map((it) => J.text(it, "type")))
  return types.has("Complete")
    ? "Complete"
    : types.has("Failed")
    ? "Failed"
    : types.has("Suspended")
    ? "Suspended"
    : "Running"
}

const replicas = (ready: string) => (it: JsonObject) =>
  `${J.number(it, "status", ready) ?? 0}/${J.number(it, "spec", "replicas") ?? 0}`

const sets: ReadonlyArray<Column> = [
  name,
  count("Desired", "spec", "replicas"),
  count("Current", "status", "replicas"),
  count("Ready", "status", "readyReplicas"),
  age,
  ...images,
  selector
]

const internalAddress = (node: JsonObject): string =>
  J.text(J.list(node, "status", "addresses").find((it) => J.text(it, "type") === "InternalIP"), "address") ?? "<none>"

const servicePorts = (service: JsonObject): string =>
  J.list(service, "spec", "ports").map((it) => `${J.number(it, "port") ?? 0}/${J.text(it, "protocol") ?? "TCP"}`).join(
    ","
  )

const byKind: Readonly<Record<string, ReadonlyArray<Column>>> = {
  Pod: [
    name,
    text("Ready", (it) => {
      const statuses = J.list(it, "status", "containerStatuses")
      const ready = statuses.filter((status) => J.at(status, "ready") === true).length
      return `${ready}/${J.list(it, "spec", "containers").length}`
    }),
    text("Status", podStatus),
    text("Restarts", (it) => String(restarts(it))),
    age,
    field("IP", ["status", "podIP"], "<none>", true),
    field("Node", ["spec", "nodeName"], "<none>", true),
    field("Nominated Node", ["status", "nominatedNodeName"], "<none>", true),
    text("Readiness Gates", () => "<none>", true)
  ],
  Deployment: [
    name,
    text("Ready", replicas("readyReplicas")),
    count("Up-to-date", "status", "updatedReplicas"),
    count("Available", "status", "availableReplicas"),
    age,
    ...images,
    selector
  ],
  ReplicaSet: sets,
  ReplicationController: sets,
  StatefulSet: [name, text("Ready", replicas("readyReplicas")), age, ...images],
  DaemonSet: [
    name,
    count("Desired", "status", "desiredNumberScheduled"),
    count("Current", "status", "currentNumberScheduled"),
    count("Ready", "status", "numberReady"),
    count("Up-to-date", "status", "updatedNumberScheduled"),
    count("Available", "status", "numberAvailable"),
    text("Node Selector", (it) => labelsText(J.at(it, "spec", "template", "spec", "nodeSelector"))),
    age,
    ...images,
    selector
  ],
  Job: [
    name,
    text("Status", jobState),
    text(
      "Completions",
      (it) => `${J.number(it, "status", "succeeded") ?? 0}/${J.number(it, "spec", "completions") ?? 1}`
    ),
    text("Duration", (it, now) => {
      const ended = J.text(it, "status", "completionTime")
      return since(J.text(it, "status", "startTime"), ended === undefined ? now : Date.parse(ended))
    }),
    age,
    ...images,
    selector
  ],
  CronJob: [
    name,
    field("Schedule", ["spec", "schedule"]),
    field("Timezone", ["spec", "timeZone"]),
    text("Suspend", (it) => J.at(it, "spec", "suspend") === true ? "True" : "False"),
    text("Active", (it) => String(J.list(it, "status", "active").length)),
    text("Last Schedule", (it, now) => {
      const last = J.text(it, "status", "lastScheduleTime")
      return last === undefined ? "<none>" : since(last, now)
    }),
    age,
    ...images,
    text("Selector", () => "<none>", true)
  ],
  Namespace: [name, field("Status", ["status", "phase"]), age],
  Node: [
    name,
    text("Status", (it) => {
      const ready = J.list(it, "status", "conditions").find((condition) => J.text(condition, "type") === "Ready")
      return J.text(ready, "status") === "True" ? "Ready" : "NotReady"
    }),
    text("Roles", () => "<none>"),
    age,
    field("Version", ["status", "nodeInfo", "kubeletVersion"], ""),
    text("Internal-IP", internalAddress, true),
    field("OS-Image", ["status", "nodeInfo", "osImage"], "<unknown>", true),
    field("Container-Runtime", ["status", "nodeInfo", "containerRuntimeVersion"], "<unknown>", true)
  ],
  Service: [
    name,
    field("Type", ["spec", "type"]),
    field("Cluster-IP", ["spec", "clusterIP"]),
    text("External-IP", () => "<none>"),
    text("Port(s)", servicePorts),
    age,
    selector
  ],
  Secret: [name, field("Type", ["type"]), text("Data", (it) => String(Object.keys(J.object(it, "data")).length)), age],
  ConfigMap: [name, text("Data", (it) => String(Object.keys(J.object(it, "data")).length)), age],
  ServiceAccount: [name, text("Secrets", (it) => String(J.list(it, "secrets").length)), age],
  Event: [
    text("Last Seen", (it, now) => since(J.text(it, "lastTimestamp") ?? J.text(it, "eventTime"), now)),
    field("Type", ["type"], ""),
    field("Reason", ["reason"], ""),
    text("Object", (it) => {
      const kind = J.text(it, "involvedObject", "kind") ?? ""
      return `${kind.toLowerCase()}/${J.text(it, "involvedObject", "name") ?? ""}`
    }),
    field("Source", ["source", "component"], "", true),
    field("Message", ["message"], "")
  ],
  Lease: [name, field("Holder", ["spec", "holderIdentity"], ""), age],
  ControllerRevision: [
    name,
    text("Controller", (it) => {
      const owner = J.list(it, "metadata", "ownerReferences")[0]
      return `${(J.text(owner, "kind") ?? "").toLowerCase()}/${J.text(owner, "name") ?? ""}`
    }),
    count("Revision", "revision"),
    age
  ]
}

export const columnsOf = (kind: string): ReadonlyArray<Column> => byKind[kind] ?? [name, age]
