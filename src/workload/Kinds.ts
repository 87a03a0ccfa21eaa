// Kinds: the table of workload kinds and where their pod templates sit. Adding a kind is adding a line here. Edge: kinds of
// EXTRA_KINDS are all one more, "Extra", and have a record of their own each (ProjectExtra.ts).
// What may change after creation: apiserver's validation of pods and jobs (pkg/apis/core/validation, pkg/apis/batch/validation).

export type WorkloadKind =
  | "Deployment"
  | "DaemonSet"
  | "StatefulSet"
  | "ReplicaSet"
  | "ReplicationController"
  | "CronJob"
  | "Job"
  | "Pod"

/** What decisions ask of a kind. */
export interface Traits {
  /** Whether the images of its template may be changed after creation. */
  readonly mutable: boolean
  /** Whether a change of its template replaces running pods, and so takes one of the places for rollouts. */
  readonly rolls: boolean
}

export interface Kind extends Traits {
  readonly kind: WorkloadKind | "Extra"
  /** Plural name in the API. */
  readonly resource: string
  /** API group and version as they stand in `apiVersion`. */
  readonly apiVersion: string
  /** JSON pointer of the object that holds the originals annotation in its `metadata`; "" for the object itself. */
  readonly template: "" | "/spec/template" | "/spec/jobTemplate/spec/template"
  /** Of a kind of EXTRA_KINDS, what it is called and where its pod spec is. */
  readonly extra?: {
    /** `Kind.group`: no kind of this table has a dot. */
    readonly name: string
    /** Names of fields from the object's root. */
    readonly podSpec: ReadonlyArray<string>
  }
}

/** A kind of this table. */
export type BuiltInKind = Kind & { readonly kind: WorkloadKind }

export const kinds: ReadonlyArray<BuiltInKind> = [
  {
    kind: "Deployment",
    resource: "deployments",
    apiVersion: "apps/v1",
    template: "/spec/template",
    mutable: true,
    rolls: true
  },
  {
    kind: "DaemonSet",
    resource: "daemonsets",
    apiVersion: "apps/v1",
    template: "/spec/template",
    mutable: true,
    rolls: true
  },
  {
    kind: "StatefulSet",
    resource: "statefulsets",
    apiVersion: "apps/v1",
    template: "/spec/template",
    mutable: true,
    rolls: true
  },
  {
    kind: "ReplicaSet",
    resource: "replicasets",
    apiVersion: "apps/v1",
    template: "/spec/template",
    mutable: true,
    rolls: false
  },
  {
    kind: "ReplicationController",
    resource: "replicationcontrollers",
    apiVersion: "v1",
    template: "/spec/template",
    mutable: true,
    rolls: false
  },
  {
    kind: "CronJob",
    resource: "cronjobs",
    apiVersion: "batch/v1",
    template: "/spec/jobTemplate/spec/template",
    mutable: true,
    rolls: false
  },
  { kind: "Job", resource: "jobs", apiVersion: "batch/v1", template: "/spec/template", mutable: false, rolls: false },
  { kind: "Pod", resource: "pods", apiVersion: "v1", template: "", mutable: false, rolls: false }
]

const byKind: ReadonlyMap<string, BuiltInKind> = new Map(kinds.map((it) => [it.kind, it]))

export const isWorkloadKind = (text: string): text is WorkloadKind => byKind.has(text)

/** Kinds of EXTRA_KINDS: their own controllers roll them, and nobody else knows how. */
const extraTraits: Traits = { mutable: true, rolls: false }

/** A kind of this table; of "Extra" what decisions ask, since only an object tells which one it is. */
export function kindOf(kind: WorkloadKind): BuiltInKind
export function kindOf(kind: Kind["kind"]): Traits
export function kindOf(kind: Kind["kind"]): Traits {
  return byKind.get(kind) ?? extraTraits
}

/**
 * Whether an object is made by one of another kind here, as ReplicaSets and pods are: its images and its template are that one's. What
 * rolls pods out is somebody's workload, whoever made it.
 */
export const isMade = (
  { kind, owner }: { readonly kind: Kind["kind"]; readonly owner: { readonly kind: string } | undefined }
): boolean => owner !== undefined && isWorkloadKind(owner.kind) && !kindOf(kind).rolls

/** The kind of an object, with where it is. */
export const kindOfObject = ({ extra, kind }: { readonly kind: Kind["kind"]; readonly extra?: Kind }): Kind =>
  extra ?? byKind.get(kind)! // what is "Extra" has its kind with it (ProjectExtra.ts), and all others are in the table

/** What a kind is called where objects of any kind are named: in keys, metrics, logs and for people. */
export const kindName = ({ extra, kind }: Kind): string => extra?.name ?? kind

/** The name of the watch of a kind; plurals of custom resources may be anybody's. */
export const watchName = ({ extra, resource }: Kind): string => extra?.name ?? resource

/** As kubectl has them (`kubectl api-resources`). */
const shortNames: ReadonlyMap<string, WorkloadKind> = new Map([
  ["deploy", "Deployment"],
  ["ds", "DaemonSet"],
  ["sts", "StatefulSet"],
  ["rs", "ReplicaSet"],
  ["rc", "ReplicationController"],
  ["cj", "CronJob"],
  ["po", "Pod"]
])

/**
 * The kind that a person means by a word, as kubectl takes it: its name, its plural, its short name, with or without its group
 * (`deployments.apps`); undefined where there is none.
 */
export const kindNamed = (word: string): Kind | undefined => {
  const [name = "", ...group] = word.toLowerCase().split(".")
  const short = shortNames.get(name)
  const kind = short === undefined
    ? kinds.find((it) => it.kind.toLowerCase() === name || it.resource === name)
    : kindOf(short)
  return kind !== undefined && (group.length === 0 || group.join(".") === groupOf(kind.apiVersion)) ? kind : undefined
}

/** How kinds of EXTRA_KINDS are called in keys; which there are is the settings' to say. */
const extraShape = /^[A-Z][A-Za-z0-9]*(?:\.[a-z0-9-]+)+$/

/**
 * What keys call the kind that a person means by a word: one of this table as `kindNamed` reads it, or one of EXTRA_KINDS as `plan`
 * writes it (`Rollout.argoproj.io`), whether it is there or not; undefined for anything else.
 */
export const keyKindNamed = (word: string): string | undefined =>
  kindNamed(word)?.kind ?? (extraShape.test(word) ? word : undefined)

const root = (kind: Kind): string => kind.apiVersion === "v1" ? "/api/v1" : `/apis/${kind.apiVersion}`

/** Path of all objects of a kind in the cluster. */
export const collectionPath = (kind: Kind): string => `${root(kind)}/${kind.resource}`

/** Path of one object. */
export const objectPath = (kind: Kind, namespace: string, name: string): string =>
  `${root(kind)}/namespaces/${encodeURIComponent(namespace)}/${kind.resource}/${encodeURIComponent(name)}`

const groupOf = (apiVersion: string): string =>
  apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : ""

/** Groups that the kinds of this table were in before they were in theirs; no API server since 1.16 serves them. */
const formerGroups: Readonly<Record<string, ReadonlySet<WorkloadKind>>> = {
  extensions: new Set<WorkloadKind>(["Deployment", "DaemonSet", "ReplicaSet"])
}

/**
 * The workload kind that an object is of by its group and kind, as they stand in a manifest; undefined where it is none. The
 * group decides: others call theirs Deployment and StatefulSet as well.
 */
export const workloadKindOf = (apiVersion: string, kind: string): WorkloadKind | undefined => {
  if (!isWorkloadKind(kind)) return undefined
  const group = groupOf(apiVersion)
  return group === groupOf(kindOf(kind).apiVersion) || formerGroups[group]?.has(kind) === true ? kind : undefined
}

/** Whether a reference to an owner means a kind of this table: others call theirs Job and StatefulSet as well. */
export const isOf = (
  { apiVersion, kind }: Kind,
  owner: { readonly kind: string; readonly apiVersion?: string | undefined }
): boolean =>
  kind === owner.kind && (owner.apiVersion === undefined || groupOf(owner.apiVersion) === groupOf(apiVersion))
