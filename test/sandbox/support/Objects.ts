// Objects that the sandbox's tests create: the least that an API server takes.

const labels = (app: string) => ({ app })
const template = (app: string, image: string, spec: Record<string, unknown> = {}) => ({
  metadata: { labels: labels(app) },
  spec: { containers: [{ name: "app", image }], ...spec }
})

export const deployment = (name: string, image: string, spec: Record<string, unknown> = {}) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name },
  spec: { replicas: 2, selector: { matchLabels: labels(name) }, template: template(name, image), ...spec }
})

export const daemonSet = (name: string, image: string) => ({
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name },
  spec: { selector: { matchLabels: labels(name) }, template: template(name, image) }
})

export const statefulSet = (name: string, image: string, replicas = 2) => ({
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name },
  spec: { replicas, serviceName: name, selector: { matchLabels: labels(name) }, template: template(name, image) }
})

export const job = (name: string, image: string) => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name },
  spec: { template: template(name, image, { restartPolicy: "Never" }) }
})

export const pod = (name: string, image: string, spec: Record<string, unknown> = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels: labels(name) },
  spec: { containers: [{ name: "app", image }], terminationGracePeriodSeconds: 1, ...spec }
})
