// What the API server fills in of each kind. Source: kubernetes pkg/apis/{core,apps,batch}/v1/defaults.go and strategy.go.
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import { fill } from "./PodDefaults.ts"
import * as PodDefaults from "./PodDefaults.ts"

const template = (owner: JsonObject): void => {
  if (!J.isObject(owner["template"])) return
  J.ensure(owner, "template", "metadata")
  PodDefaults.template(J.ensure(owner, "template", "spec"))
}

const jobSpec = (spec: JsonObject): void => {
  fill(spec, {
    completionMode: "NonIndexed",
    suspend: false,
    backoffLimit: 6,
    podReplacementPolicy: "TerminatingOrFailed",
    manualSelector: false
  })
  if (spec["completions"] === undefined && spec["parallelism"] === undefined) spec["completions"] = 1
  fill(spec, { parallelism: 1 })
}

type Defaulter = (object: JsonObject, spec: JsonObject) => void

const byKind: Readonly<Record<string, Defaulter>> = {
  Pod: (_, spec) => PodDefaults.pod(spec),
  Namespace: (object, spec) => {
    const labels = J.ensure(object, "metadata", "labels")
    labels["kubernetes.io/metadata.name"] = J.text(object, "metadata", "name") ?? ""
    fill(spec, { finalizers: ["kubernetes"] })
  },
  Secret: (object) => {
    fill(object, { type: "Opaque" })
    for (const [key, value] of Object.entries(J.texts(object, "stringData"))) {
      J.ensure(object, "data")[key] = Buffer.from(value).toString("base64")
    }
    delete object["stringData"]
  },
  Service: (_, spec) => {
    fill(spec, { type: "ClusterIP", sessionAffinity: "None", internalTrafficPolicy: "Cluster" })
    for (const port of J.list(spec, "ports")) {
      if (J.isObject(port)) fill(port, { protocol: "TCP", targetPort: port["port"] ?? 0 })
    }
  },
  ReplicationController: (object, spec) => {
    template(spec)
    const labels = J.texts(spec, "template", "metadata", "labels")
    if (Object.keys(labels).length > 0) {
      fill(spec, { selector: { ...labels } })
      fill(J.ensure(object, "metadata"), { labels: { ...labels } })
    }
    fill(spec, { replicas: 1 })
  },
  ReplicaSet: (object, spec) => {
    template(spec)
    const labels = J.texts(spec, "template", "metadata", "labels")
    if (Object.keys(labels).length > 0) fill(J.ensure(object, "metadata"), { labels: { ...labels } })
    fill(spec, { replicas: 1 })
  },
  Deployment: (_, spec) => {
    template(spec)
    fill(spec, { replicas: 1, strategy: {}, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 })
    const strategy = J.ensure(spec, "strategy")
    fill(strategy, { type: "RollingUpdate" })
    if (strategy["type"] === "RollingUpdate") {
      fill(J.ensure(strategy, "rollingUpdate"), { maxUnavailable: "25%", maxSurge: "25%" })
    }
  },
  DaemonSet: (_, spec) => {
    template(spec)
    fill(spec, { updateStrategy: {}, revisionHistoryLimit: 10 })
    const strategy = J.ensure(spec, "updateStrategy")
    fill(strategy, { type: "RollingUpdate" })
    if (strategy["type"] === "RollingUpdate") {
      fill(J.ensure(strategy, "rollingUpdate"), { maxUnavailable: 1, maxSurge: 0 })
    }
  },
  StatefulSet: (_, spec) => {
    template(spec)
    fill(spec, {
      replicas: 1,
      podManagementPolicy: "OrderedReady",
      updateStrategy: {},
      revisionHistoryLimit: 10,
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
      serviceName: ""
    })
    const strategy = J.ensure(spec, "updateStrategy")
    fill(strategy, { type: "RollingUpdate" })
    if (strategy["type"] === "RollingUpdate") fill(J.ensure(strategy, "rollingUpdate"), { partition: 0 })
  },
  Job: (_, spec) => {
    template(spec)
    jobSpec(spec)
  },
  CronJob: (_, spec) => {
    fill(spec, {
      concurrencyPolicy: "Allow",
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1
    })
    J.ensure(spec, "jobTemplate", "metadata")
    template(J.ensure(spec, "jobTemplate", "spec"))
  },
  ServiceAccount: () => {},
  Lease: () => {},
  Node: (_, spec) => void spec
}

/** Fills in the object itself: it must be the caller's own copy. */
export const apply = (kind: string, object: JsonObject): void => {
  const withSpec = !["Secret", "ConfigMap", "ServiceAccount", "Event", "ControllerRevision"].includes(kind)
  byKind[kind]?.(object, withSpec ? J.ensure(object, "spec") : {})
}

/** The status an object of the kind is created with, whatever the client sent. */
export const initialStatus = (kind: string, object: JsonObject): JsonObject | undefined => {
  switch (kind) {
    case "Pod":
      return { phase: "Pending", qosClass: PodDefaults.qosClass(J.object(object, "spec")) }
    case "Namespace":
      return { phase: "Active" }
    case "Service":
      return { loadBalancer: {} }
    case "Node":
      return J.object(object, "status")
    case "ReplicaSet":
    case "ReplicationController":
      return { replicas: 0 }
    case "StatefulSet":
      return { replicas: 0, availableReplicas: 0 }
    case "DaemonSet":
      return { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 }
    case "Deployment":
    case "Job":
    case "CronJob":
      return {}
    default:
      return undefined
  }
}

/** What a Job's selector and template are given by the server: the labels that tell its pods from all others. */
export const jobSelector = (job: JsonObject): void => {
  if (J.at(job, "spec", "manualSelector") === true) return
  const uid = J.text(job, "metadata", "uid") ?? ""
  const name = J.text(job, "metadata", "name") ?? ""
  const spec = J.ensure(job, "spec")
  spec["selector"] = { matchLabels: { "batch.kubernetes.io/controller-uid": uid } }
  const labels = {
    "batch.kubernetes.io/controller-uid": uid,
    "batch.kubernetes.io/job-name": name,
    "controller-uid": uid,
    "job-name": name
  }
  for (const owner of [J.ensure(spec, "template", "metadata"), J.ensure(job, "metadata")]) {
    Object.assign(J.ensure(owner, "labels"), labels)
  }
}

/** Counts that a status always has; the others are left out when they are nothing. */
const keptCounts: Readonly<Record<string, ReadonlyArray<string>>> = {
  Deployment: [],
  ReplicaSet: ["replicas"],
  ReplicationController: ["replicas"],
  StatefulSet: ["replicas", "availableReplicas", "collisionCount"],
  DaemonSet: ["currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"],
  Job: ["ready"]
}

/** A status as it is kept: Go's `omitempty` for counts. */
export const pruneStatus = (kind: string, object: JsonObject): void => {
  const kept = keptCounts[kind]
  const status = object["status"]
  if (kept === undefined || !J.isObject(status)) return
  for (const [key, value] of Object.entries(status)) if (value === 0 && !kept.includes(key)) delete status[key]
}
