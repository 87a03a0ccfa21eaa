// Kubernetes objects as the API server answers them, with the fields that the controller reads.
import type { Facts } from "../../src/workload/Facts.ts"
import { kindOf, kinds, type WorkloadKind } from "../../src/workload/Kinds.ts"
import { projectTemplated } from "../../src/workload/Project.ts"
import { projectPod } from "../../src/workload/ProjectPod.ts"
import type { Pod, Workload } from "../../src/workload/Workload.ts"

export const digestOf = (character: string) => `sha256:${character.repeat(64)}` as const

/** What a field manager owns that has set the image of the container `app`, as an API server writes it. */
export const ownedImage = {
  "f:spec": {
    "f:template": { "f:spec": { "f:containers": { "k:{\"name\":\"app\"}": { ".": {}, "f:image": {}, "f:name": {} } } } }
  }
}

export interface Given {
  readonly kind?: WorkloadKind
  readonly name?: string
  readonly namespace?: string
  readonly images?: Record<string, string>
  readonly initImages?: Record<string, string>
  readonly volumes?: Record<string, string>
  readonly metadata?: Record<string, unknown>
  readonly templateAnnotations?: Record<string, string>
  readonly podSpec?: Record<string, unknown>
  readonly spec?: Record<string, unknown>
  readonly status?: Record<string, unknown>
}

const containers = (images: Record<string, string>) => Object.entries(images).map(([name, image]) => ({ name, image }))

const podSpec = (given: Given) => ({
  containers: containers(given.images ?? { app: "nginx:1.27" }),
  ...(given.initImages === undefined ? {} : { initContainers: containers(given.initImages) }),
  ...(given.volumes === undefined
    ? {}
    : { volumes: Object.entries(given.volumes).map(([name, reference]) => ({ name, image: { reference } })) }),
  ...given.podSpec
})

const metadata = (given: Given, kind: WorkloadKind) => ({
  name: given.name ?? "web",
  namespace: given.namespace ?? "shop",
  uid: `uid-${kind}-${given.namespace ?? "shop"}-${given.name ?? "web"}`,
  generation: 1,
  ...given.metadata
})

const settledStatus: Record<string, Record<string, unknown>> = {
  Deployment: {
    observedGeneration: 1,
    replicas: 1,
    updatedReplicas: 1,
    readyReplicas: 1,
    availableReplicas: 1,
    conditions: [{ type: "Progressing", status: "True", reason: "NewReplicaSetAvailable" }]
  },
  DaemonSet: {
    observedGeneration: 1,
    desiredNumberScheduled: 1,
    currentNumberScheduled: 1,
    updatedNumberScheduled: 1,
    numberAvailable: 1
  },
  StatefulSet: {
    observedGeneration: 1,
    replicas: 1,
    updatedReplicas: 1,
    availableReplicas: 1,
    currentRevision: "r1",
    updateRevision: "r1"
  }
}

/** What makes a workload one whose pods have not started. */
export const unstarted: Given = {
  status: { replicas: 0, updatedReplicas: 1, availableReplicas: 0, numberAvailable: 0 }
}

/** An object of any kind with a template, settled with one replica unless said otherwise. */
export const templated = (given: Given = {}): Record<string, unknown> => {
  const kind = given.kind ?? "Deployment"
  const template = {
    metadata: given.templateAnnotations === undefined ? {} : { annotations: given.templateAnnotations },
    spec: podSpec(given)
  }
  return {
    kind,
    apiVersion: kindOf(kind).apiVersion,
    metadata: metadata(given, kind),
    spec: kind === "CronJob" ? { jobTemplate: { spec: { template } }, ...given.spec } : { template, ...given.spec },
    status: { ...settledStatus[kind], ...given.status }
  }
}

export const workload = (given: Given = {}): Workload =>
  projectTemplated(kindOf(given.kind ?? "Deployment"))(templated(given))! // the fixture always decodes

export interface GivenPod {
  readonly name?: string
  readonly namespace?: string
  readonly owner?: Workload
  readonly images?: Record<string, string>
  readonly digest?: string | undefined
  readonly imageID?: string
  readonly ready?: boolean
  readonly readySince?: number
  readonly node?: string
  readonly phase?: string
  readonly state?: Record<string, unknown>
  readonly metadata?: Record<string, unknown>
  readonly podSpec?: Record<string, unknown>
}

/** A pod that runs, unless said otherwise. */
export const podObject = (given: GivenPod = {}): Record<string, unknown> => {
  const images = given.images ?? { app: "nginx:1.27" }
  const owner = given.owner
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: {
      name: given.name ?? "web-1",
      namespace: given.namespace ?? owner?.namespace ?? "shop",
      uid: `uid-Pod-${given.name ?? "web-1"}`,
      ...(owner === undefined
        ? {}
        : { ownerReferences: [{ kind: owner.kind, name: owner.name, uid: owner.uid, controller: true }] }),
      ...given.metadata
    },
    spec: { containers: containers(images), nodeName: given.node ?? "node-1", ...given.podSpec },
    status: {
      phase: given.phase ?? "Running",
      conditions: [{
        type: "Ready",
        status: given.ready ?? true ? "True" : "False",
        lastTransitionTime: new Date(given.readySince ?? 0).toISOString()
      }],
      containerStatuses: Object.keys(images).map((name) => ({
        name,
        restartCount: 0,
        imageID: given.imageID ?? (given.digest === undefined ? "" : `docker.io/library/nginx@${given.digest}`),
        state: given.state ?? { running: { startedAt: "2026-01-01T00:00:00Z" } }
      }))
    }
  }
}

export const pod = (given: GivenPod = {}): Pod => projectPod(podObject(given))! // the fixture always decodes

/** Facts in which everything is allowed and nothing is known. */
export const facts = (settings: Facts["settings"], given: Partial<Facts> = {}): Facts => ({
  settings,
  backup: { registry: "backup.example", prefix: "copies", layout: "nested" },
  ownNamespace: "image-cloner",
  now: 1_000_000_000,
  uptime: given.now ?? 1_000_000_000,
  namespace: undefined,
  owners: [],
  pods: [],
  newestPods: new Set(given.pods),
  pullFailsSince: () => given.now ?? 1_000_000_000,
  nodeReady: () => true,
  nodeHasPulled: () => true,
  state: () => undefined,
  assumeCopied: false,
  budgets: () => [],
  rolledBack: undefined,
  unseen: [],
  ...given
})

/** Of a request for a place: all that could hold it does not. */
export const anyPulls = { pulls: undefined, byNodes: true, asked: false, alone: true } as const

/** Names of all that must be seen of a cluster. */
export const resources: ReadonlyArray<string> = [...kinds.map((it) => it.resource), "namespaces", "nodes"]

/** The projection of an object of any kind; of a pod, what it names. */
export const projectManifest = (kind: WorkloadKind, object: unknown): Workload | undefined =>
  kind === "Pod" ? projectPod(object)?.workload : projectTemplated(kindOf(kind))(object)
