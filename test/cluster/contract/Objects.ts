// Objects the contract creates, and paths to them.
import type { JsonObject } from "../../../sandbox/Json.ts"

export const paths = (namespace: string) => ({
  deployments: `/apis/apps/v1/namespaces/${namespace}/deployments`,
  replicaSets: `/apis/apps/v1/namespaces/${namespace}/replicasets`,
  daemonSets: `/apis/apps/v1/namespaces/${namespace}/daemonsets`,
  statefulSets: `/apis/apps/v1/namespaces/${namespace}/statefulsets`,
  jobs: `/apis/batch/v1/namespaces/${namespace}/jobs`,
  cronJobs: `/apis/batch/v1/namespaces/${namespace}/cronjobs`,
  replicationControllers: `/api/v1/namespaces/${namespace}/replicationcontrollers`,
  pods: `/api/v1/namespaces/${namespace}/pods`,
  secrets: `/api/v1/namespaces/${namespace}/secrets`,
  configMaps: `/api/v1/namespaces/${namespace}/configmaps`,
  events: `/api/v1/namespaces/${namespace}/events`,
  serviceAccounts: `/api/v1/namespaces/${namespace}/serviceaccounts`
})

export const jsonPatch = "application/json-patch+json"
export const mergePatch = "application/merge-patch+json"
export const strategicPatch = "application/strategic-merge-patch+json"

const template = (app: string, image: string, spec: JsonObject): JsonObject => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: "app", image }], terminationGracePeriodSeconds: 1, ...spec }
})

export const deployment = (name: string, image: string, spec: JsonObject = {}, pod: JsonObject = {}): JsonObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, labels: { app: name } },
  spec: { replicas: 2, selector: { matchLabels: { app: name } }, template: template(name, image, pod), ...spec }
})

export const daemonSet = (name: string, image: string): JsonObject => ({
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name },
  spec: { selector: { matchLabels: { app: name } }, template: template(name, image, {}) }
})

export const statefulSet = (name: string, image: string, replicas = 2): JsonObject => ({
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name },
  spec: { replicas, serviceName: name, selector: { matchLabels: { app: name } }, template: template(name, image, {}) }
})

export const replicationController = (name: string, image: string): JsonObject => ({
  apiVersion: "v1",
  kind: "ReplicationController",
  metadata: { name },
  spec: { replicas: 1, selector: { app: name }, template: template(name, image, {}) }
})

export const job = (name: string, image: string): JsonObject => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name },
  spec: { template: template(name, image, { restartPolicy: "Never" }) }
})

export const cronJob = (name: string, image: string): JsonObject => ({
  apiVersion: "batch/v1",
  kind: "CronJob",
  metadata: { name },
  spec: {
    schedule: "0 0 1 1 *",
    jobTemplate: { spec: { template: template(name, image, { restartPolicy: "OnFailure" }) } }
  }
})

export const pod = (name: string, image: string, spec: JsonObject = {}): JsonObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels: { app: name } },
  spec: { containers: [{ name: "app", image }], terminationGracePeriodSeconds: 1, ...spec }
})

export const configMap = (name: string, labels: JsonObject = {}): JsonObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, labels },
  data: { key: "value" }
})
