// The objects of a model's workload as the API server shows them: with a status, and a Deployment's with its ReplicaSets.
import * as J from "../../sandbox/Json.ts"
import type { JsonObject } from "../../sandbox/Json.ts"
import type { ModelWorkload } from "./ModelWorkload.ts"
import type { Nodes } from "./Pods.ts"

const statusOf = (it: ModelWorkload, nodes: Nodes): JsonObject => {
  const updated = it.current.length
  const available = it.pods.filter((it) => it.state === "running").length
  const reached = it.reached === it.newest.number
  switch (it.shape.kind) {
    case "Deployment":
      return {
        observedGeneration: it.observed,
        replicas: it.pods.length,
        updatedReplicas: updated,
        availableReplicas: available,
        conditions: [{
          type: "Progressing",
          status: "True",
          reason: reached ? "NewReplicaSetAvailable" : "ReplicaSetUpdated"
        }]
      }
    case "StatefulSet":
      return {
        observedGeneration: it.observed,
        replicas: it.pods.length,
        updatedReplicas: updated,
        availableReplicas: available,
        currentRevision: String(reached ? it.newest.number : it.reached),
        updateRevision: String(it.newest.number)
      }
    case "DaemonSet":
      return {
        observedGeneration: it.observed,
        desiredNumberScheduled: it.desired(nodes),
        currentNumberScheduled: it.pods.length,
        updatedNumberScheduled: updated,
        numberAvailable: available
      }
    case "CronJob":
      return {}
  }
}

/** The object with its status, and its ReplicaSets, as the API has them. */
export const present = (
  of: ModelWorkload,
  nodes: Nodes
): { readonly own: JsonObject; readonly sets: ReadonlyArray<JsonObject> } => {
  const { kind, name, namespace } = of.shape
  const number = of.newest.number
  const revision: JsonObject = kind === "Deployment"
    ? { "deployment.kubernetes.io/revision": String(number) }
    : kind === "DaemonSet"
    ? { "deprecated.daemonset.template.generation": String(number) }
    : {}
  const own = structuredClone(of.object)
  const metadata = J.object(own, "metadata")
  if (Object.keys(revision).length > 0) {
    metadata["annotations"] = { ...J.object(metadata, "annotations"), ...revision }
  }
  own["status"] = statusOf(of, nodes)
  if (kind === "CronJob") own["spec"] = { jobTemplate: { spec: { template: J.at(own, "spec", "template") ?? {} } } }
  if (kind !== "Deployment") return { own, sets: [] }
  const owner = { apiVersion: "apps/v1", kind, name, uid: of.uid, controller: true }
  const sets = of.revisions.map((it): JsonObject => ({
    metadata: {
      name: `${name}-${it.uid}`,
      namespace,
      uid: it.uid,
      generation: 1,
      ownerReferences: [owner],
      annotations: {
        "deployment.kubernetes.io/revision": String(it.number),
        ...(it.history === "" ? {} : { "deployment.kubernetes.io/revision-history": it.history })
      }
    },
    spec: {
      replicas: of.pods.filter((pod) => pod.revision === it.number).length,
      template: structuredClone(it.object)
    }
  }))
  return { own, sets }
}
