// Project: API objects with a pod template in, projections out; pods are ProjectPod.ts. What does not decode is not kept; what is not read is dropped at once,
// so that ten thousand pods fit into memory.
import { Option, Schema } from "effect"
import { type ObjectMeta, type PodSpec, Templated } from "./ApiObjects.ts"
import { heldAnnotation, readHeld } from "./HeldMark.ts"
import { type BuiltInKind, isMade, type Kind, kindOf, type WorkloadKind } from "./Kinds.ts"
import { imagesSetByOf, managerOf, marksOf, patchedAtOf, rewriteAnnotation, templateChangedAtOf } from "./Marks.ts"
import { originalsAnnotation } from "./Originals.ts"
import { ownsImages } from "./Ownership.ts"
import { shapeOf } from "./Shape.ts"
import { sharedSlot } from "./SharedSlots.ts"
import { slotPath } from "./SlotPaths.ts"
import { restoredAnnotation } from "./RestoredMark.ts"
import { type ImageSlot, type Owner, type RolloutStatus, volumePrefix, type Workload, workloadKey } from "./Workload.ts"

type Meta = typeof ObjectMeta.Type
type Spec = typeof PodSpec.Type

const decodeTemplated = Schema.decodeUnknownOption(Templated)

const nowhere: ReadonlyArray<ImageSlot> = []

const slotsOf = (spec: Spec, at: string): ReadonlyArray<ImageSlot> => {
  let first: readonly [ImageSlot] | undefined
  let all: Array<ImageSlot> | undefined
  const put = (alone: readonly [ImageSlot]) => {
    if (first === undefined) {
      first = alone
      return
    }
    all ??= [first[0]]
    all.push(alone[0])
  }
  for (const list of ["initContainers", "containers", "ephemeralContainers"] as const) {
    const containers = spec[list] ?? []
    for (const [index, it] of containers.entries()) {
      const path = slotPath(at, list, index)
      put(sharedSlot(it.name ?? "", path, it.image ?? "", it.imagePullPolicy ?? undefined))
    }
  }
  for (const [index, { image, name }] of (spec.volumes ?? []).entries()) {
    if (image === undefined || image === null) continue
    const path = slotPath(at, "volumes", index)
    put(sharedSlot(`${volumePrefix}${name ?? ""}`, path, image.reference ?? "", image.pullPolicy ?? undefined))
  }
  // a copy has room for what is in it, and no more
  return all?.slice() ?? first ?? nowhere
}

const ownerOf = (metadata: Meta): Owner | undefined => {
  const owner = metadata.ownerReferences?.find((it) => it.controller === true)
  if (owner === undefined) return undefined
  const kind = owner.kind ?? ""
  const name = owner.name ?? ""
  const uid = owner.uid ?? ""
  return owner.apiVersion ? { apiVersion: owner.apiVersion, kind, name, uid } : { kind, name, uid }
}

const noNames: ReadonlyArray<string> = []

/** Names in a list of references. */
export const namesOf = (references: Spec["imagePullSecrets"]): ReadonlyArray<string> => {
  const names = (references ?? []).map((it) => it.name ?? "").filter((it) => it !== "")
  return names.length === 0 ? noNames : names
}

const writable = [rewriteAnnotation, heldAnnotation, restoredAnnotation]
/** What most objects have: shared, because there are many. */
const nothingWritten: Workload["written"] = {}
/** Kinds whose pods a change of the template replaces. */
const rolling: ReadonlySet<WorkloadKind> = new Set(["Deployment", "StatefulSet", "DaemonSet"])

const writtenOf = (annotations: Readonly<Record<string, string>>): Workload["written"] =>
  writable.every((name) => annotations[name] === undefined)
    ? nothingWritten
    : Object.fromEntries(writable.flatMap((name) => {
      const text = annotations[name]
      return text === undefined ? [] : [[name, text] as const]
    }))

/** What neither metadata nor pod spec tell, but the kind of object, its template and its status. */
export type OfKind = Pick<
  Workload,
  | "templateMetadata"
  | "replicas"
  | "paused"
  | "strategy"
  | "partition"
  | "maxUnavailable"
  | "maxSurge"
  | "deadlineSeconds"
  | "rollout"
  | "ordered"
  | "succeededAt"
  | "revision"
  | "podLabels"
  | "shape"
>

/** Of what has neither a template nor a rollout. */
export const ofNoKind: OfKind = {
  templateMetadata: "metadata",
  replicas: undefined,
  paused: false,
  strategy: undefined,
  partition: 0,
  maxUnavailable: undefined,
  maxSurge: undefined,
  deadlineSeconds: undefined,
  rollout: undefined,
  ordered: false,
  succeededAt: undefined,
  revision: undefined,
  podLabels: nothingWritten,
  shape: undefined
}

/** Where the parts of a projection stand in an object. */
export interface Places {
  /** JSON pointer of the pod spec. */
  readonly at: string
  /** The annotations that the originals are among. */
  readonly originalsOn: Readonly<Record<string, string>> | undefined
}

/**
 * A projection, of the object's metadata, its pod spec and what its kind tells. Each field is named: an object that is spread into
 * another has no room for what follows and grows outside of itself, a quarter larger, and there are as many as objects.
 */
export const projectBase = (
  kind: Kind["kind"],
  metadata: Meta,
  spec: Spec,
  { at, originalsOn }: Places,
  of: OfKind
): Workload => {
  const labels = metadata.labels ?? {}
  const annotations = metadata.annotations ?? {}
  const namespace = metadata.namespace ?? "default"
  const name = metadata.name ?? ""
  const owner = ownerOf(metadata)
  const made = isMade({ kind, owner })
  return {
    key: workloadKey(kind, namespace, name),
    kind,
    namespace,
    name,
    uid: metadata.uid ?? "",
    generation: metadata.generation ?? undefined,
    deleting: metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null,
    owner,
    images: slotsOf(spec, at),
    originals: originalsOn?.[originalsAnnotation],
    marks: marksOf(labels, annotations),
    manager: managerOf(labels, annotations, metadata.managedFields ?? [], metadata.ownerReferences ?? []),
    priorityClass: spec.priorityClassName ?? undefined,
    mirror: annotations["kubernetes.io/config.mirror"] !== undefined,
    returned: (annotations["deployment.kubernetes.io/revision-history"] ?? "") !== "",
    pullSecrets: namesOf(spec.imagePullSecrets),
    serviceAccount: spec.serviceAccountName ?? undefined,
    patchedAt: patchedAtOf(metadata.managedFields ?? []),
    // of what has its template from another nobody asks, and there are many
    templateChangedAt: kind === "Pod" || made ? undefined : templateChangedAtOf(metadata.managedFields ?? []),
    annotated: metadata.annotations !== undefined && metadata.annotations !== null,
    imagesSetBy: kindOf(kind).mutable && !made
      ? imagesSetByOf(metadata.managedFields ?? [], kind === "Extra")
      : undefined,
    written: writtenOf(annotations),
    held: readHeld(annotations[heldAnnotation]),
    ownsImages: kindOf(kind).mutable &&
      ownsImages(kind, metadata.managedFields ?? [], originalsOn?.[originalsAnnotation] !== undefined),
    templateMetadata: of.templateMetadata,
    replicas: of.replicas,
    paused: of.paused,
    strategy: of.strategy,
    partition: of.partition,
    maxUnavailable: of.maxUnavailable,
    maxSurge: of.maxSurge,
    deadlineSeconds: of.deadlineSeconds,
    rollout: of.rollout,
    ordered: of.ordered,
    succeededAt: of.succeededAt,
    revision: of.revision,
    podLabels: of.podLabels,
    shape: of.shape
  }
}

/** Where a kind says which revision is its newest, or which it is itself; see `Workload.revision`. */
export const revisionOf = (
  kind: WorkloadKind,
  metadata: Meta,
  updateRevision: string | undefined
): string | undefined => {
  const label = (name: string) => metadata.labels?.[name]
  switch (kind) {
    case "Deployment":
    case "ReplicaSet":
      return metadata.annotations?.["deployment.kubernetes.io/revision"]
    case "StatefulSet":
      return updateRevision
    // its status names no revision; pods have the generation of their template beside the hash (daemon controller, update.go)
    case "DaemonSet":
      return metadata.annotations?.["deprecated.daemonset.template.generation"]
    case "Pod":
      return ownerOf(metadata)?.kind === "DaemonSet"
        ? label("pod-template-generation")
        : label("controller-revision-hash")
    default:
      return undefined
  }
}

/** Milliseconds since the epoch of a time in RFC 3339. */
export const timeOf = (text: string | null | undefined): number | undefined => {
  const time = Date.parse(text ?? "")
  return Number.isNaN(time) ? undefined : time
}

const rolloutOf = (kind: BuiltInKind, object: typeof Templated.Type): RolloutStatus | undefined => {
  if (!kind.rolls) return undefined
  const status = object.status ?? {}
  const daemon = kind.kind === "DaemonSet"
  return {
    observedGeneration: status.observedGeneration ?? 0,
    desired: daemon ? status.desiredNumberScheduled ?? 0 : object.spec?.replicas ?? 1,
    current: (daemon ? status.currentNumberScheduled : status.replicas) ?? 0,
    updated: (daemon ? status.updatedNumberScheduled : status.updatedReplicas) ?? 0,
    available: (daemon ? status.numberAvailable : status.availableReplicas) ?? 0,
    revisionReached: kind.kind !== "StatefulSet" || status.currentRevision === status.updateRevision,
    progress: status.conditions?.find((it) => it.type === "Progressing")?.reason ?? undefined,
    failure: status.conditions?.find((it) => it.type === "ReplicaFailure" && it.status === "True")?.message ?? undefined
  }
}

/** Kinds whose revisions are told apart from ours by what else a template has. */
const isShaped = ({ kind }: BuiltInKind): boolean => kind === "Deployment" || kind === "ReplicaSet"

/** What is read of an object with a pod template in Protocol Buffers. */
export type WireTemplated = typeof Templated.Type & {
  readonly spec?: { readonly template?: { readonly shape?: string } | null } | null
}

const templated = (kind: BuiltInKind, it: typeof Templated.Type, shape: string | undefined): Workload => {
  const template = kind.kind === "CronJob" ? it.spec?.jobTemplate?.spec?.template : it.spec?.template
  const metadata = template?.metadata ?? undefined
  const rollingUpdate = it.spec?.updateStrategy ?? it.spec?.strategy ?? undefined
  const annotations = metadata?.annotations ?? undefined
  return projectBase(kind.kind, it.metadata, template?.spec ?? {}, {
    at: `${kind.template}/spec`,
    originalsOn: annotations
  }, {
    templateMetadata: metadata === undefined ? "none" : annotations === undefined ? "metadata" : "annotations",
    replicas: it.spec?.replicas ?? undefined,
    paused: it.spec?.paused ?? false,
    strategy: rollingUpdate?.type ?? undefined,
    partition: rollingUpdate?.rollingUpdate?.partition ?? 0,
    maxUnavailable: rollingUpdate?.rollingUpdate?.maxUnavailable ?? undefined,
    maxSurge: rollingUpdate?.rollingUpdate?.maxSurge ?? undefined,
    deadlineSeconds: it.spec?.progressDeadlineSeconds ?? undefined,
    rollout: rolloutOf(kind, it),
    ordered: kind.kind === "StatefulSet"
      ? it.spec?.podManagementPolicy !== "Parallel"
      : it.spec?.concurrencyPolicy === "Forbid",
    succeededAt: timeOf(it.status?.lastSuccessfulTime),
    revision: revisionOf(kind.kind, it.metadata, it.status?.updateRevision ?? undefined),
    podLabels: rolling.has(kind.kind) ? metadata?.labels ?? {} : nothingWritten,
    shape
  })
}

/** Projects an object with a pod template; undefined when it is none of that kind's shape. */
export const projectTemplated = (kind: BuiltInKind) => (object: unknown): Workload | undefined =>
  Option.getOrUndefined(
    Option.map(decodeTemplated(object), (it) => templated(kind, it, isShaped(kind) ? shapeOf(object) : undefined))
  )

/** The same of what WireObjects.ts has read, which is nothing else than what the Schema lets through, and the template's shape. */
export const readTemplated = (kind: BuiltInKind) => (object: WireTemplated): Workload =>
  templated(kind, object, isShaped(kind) ? object.spec?.template?.shape : undefined)
