// The kinds the embedded API server knows: names, scope, subresources. Everything else asks this table.

export interface Resource {
  /** "" for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly singular: string
  readonly kind: string
  readonly shortNames: ReadonlyArray<string>
  readonly namespaced: boolean
  readonly subresources: ReadonlyArray<
    "status" | "scale" | "binding" | "eviction" | "ephemeralcontainers" | "finalize" | "token"
  >
  /** metadata.generation counts changes of spec. */
  readonly generation: boolean
  /** In `kubectl get all`. */
  readonly all: boolean
  /** Where objects are kept; events of both groups are the same objects. */
  readonly storage: string
}

const define = (
  apiVersion: string,
  kind: string,
  shortNames: ReadonlyArray<string>,
  subresources: Resource["subresources"],
  options: {
    readonly clusterWide?: boolean
    readonly generation?: boolean
    readonly all?: boolean
    readonly storage?: string
  } = {}
): Resource => {
  const [version = "", group = ""] = apiVersion.split("/").toReversed()
  const singular = kind.toLowerCase()
  const plural = `${singular}s`
  return {
    group,
    version,
    plural,
    singular,
    kind,
    shortNames,
    namespaced: options.clusterWide !== true,
    subresources,
    generation: options.generation === true,
    all: options.all === true,
    storage: options.storage ?? (group === "" ? plural : `${plural}.${group}`)
  }
}

const workload = { generation: true, all: true }

export const resources: ReadonlyArray<Resource> = [
  define("v1", "Namespace", ["ns"], ["status", "finalize"], { clusterWide: true }),
  define("v1", "Node", ["no"], ["status"], { clusterWide: true }),
  define("v1", "Pod", ["po"], ["status", "binding", "eviction", "ephemeralcontainers"], workload),
  define("v1", "ServiceAccount", ["sa"], ["token"]),
  define("v1", "Secret", [], []),
  define("v1", "ConfigMap", ["cm"], []),
  define("v1", "Service", ["svc"], ["status"], { all: true }),
  define("v1", "Event", ["ev"], []),
  define("v1", "ReplicationController", ["rc"], ["status", "scale"], workload),
  define("apps/v1", "Deployment", ["deploy"], ["status", "scale"], workload),
  define("apps/v1", "ReplicaSet", ["rs"], ["status", "scale"], workload),
  define("apps/v1", "DaemonSet", ["ds"], ["status"], workload),
  define("apps/v1", "StatefulSet", ["sts"], ["status", "scale"], workload),
  define("apps/v1", "ControllerRevision", [], []),
  define("batch/v1", "Job", [], ["status"], workload),
  define("batch/v1", "CronJob", ["cj"], ["status"], workload),
  define("policy/v1", "PodDisruptionBudget", ["pdb"], ["status"], { generation: true }),
  define("coordination.k8s.io/v1", "Lease", [], []),
  define("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", [], [], { clusterWide: true }),
  define("events.k8s.io/v1", "Event", ["ev"], [], { storage: "events" })
]

/** "v1", "apps/v1". */
export const apiVersionOf = (resource: Resource): string =>
  resource.group === "" ? resource.version : `${resource.group}/${resource.version}`

/** "pods", "deployments.apps": as error messages name them. */
export const qualifiedName = (resource: Resource): string =>
  resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`

export const find = (group: string, version: string, plural: string): Resource | undefined =>
  resources.find((it) => it.group === group && it.version === version && it.plural === plural)

/** The resource of a kind, by its preferred group. */
export const byKind = (kind: string): Resource | undefined => resources.find((it) => it.kind === kind)

/** The path of a collection, or of one object in it. */
export const pathOf = (resource: Resource, namespace?: string, name?: string): string =>
  [
    resource.group === "" ? "/api" : `/apis/${resource.group}`,
    resource.version,
    ...(resource.namespaced && namespace !== undefined ? ["namespaces", namespace] : []),
    resource.plural,
    ...(name === undefined ? [] : [name])
  ].join("/")
