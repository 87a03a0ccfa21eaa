// Project: API objects in, projections out. What does not decode is not kept; what is not read is dropped at once,
// so that ten thousand pods fit into memory.
import { Option, Schema } from "effect"
import { type ObjectMeta, PodObject, type PodSpec, Templated } from "./ApiObjects.ts"
import { heldAnnotation, readHeld } from "./HeldMark.ts"
import { parseImageId } from "./ImageId.ts"
import { type Kind, kindOf, type WorkloadKind } from "./Kinds.ts"
import { imagesSetByOf, managerOf, marksOf, patchedAtOf, rewriteAnnotation, templateChangedAtOf } from "./Marks.ts"
import { originalsAnnotation } from "./Originals.ts"
import { ownsImages } from "./Ownership.ts"
import { shapeOf } from "./Shape.ts"
import { restoredAnnotation } from "./RestoredMark.ts"
import { type ContainerState, type ImageSlot, type Pod, type Workload } from "./Workload.ts"
import { type RolloutStatus, volumePrefix, workloadKey } from "./Workload.ts"

type Meta = typeof ObjectMeta.Type
type Spec = typeof PodSpec.Type

const decodeTemplated = Schema.decodeUnknownOption(Templated)
const decodePod = Schema.decodeUnknownOption(PodObject)

const slotsOf = (spec: Spec, at: string): ReadonlyArray<ImageSlot> => {
  const slots: Array<ImageSlot> = []
  for (const list of ["initContainers", "containers", "ephemeralContainers"] as const) {
    spec[list]?.forEach((it, index) =>
      slots.push({
        container: it.name ?? "",
        path: `${at}/${list}/${index}/image`,
        namePath: `${at}/${list}/${index}/name`,
        image: it.image ?? "",
        pullPolicy: it.imagePullPolicy ?? undefined
      })
    )
  }
  spec.volumes?.forEach((it, index) => {
    if (it.image === undefined || it.image === null) return
    slots.push({
      container: `${volumePrefix}${it.name ?? ""}`,
      path: `${at}/volumes/${index}/image/reference`,
      namePath: `${at}/volumes/${index}/name`,
      image: it.image.reference ?? "",
      pullPolicy: it.image.pullPolicy ?? undefined
    })
  })
  return slots
}

const ownerOf = (metadata: Meta) => {
  const owner = metadata.ownerReferences?.find((it) => it.controller === true)
  return owner === undefined
    ? undefined
    : {
      ...(owner.apiVersion ? { apiVersion: owner.apiVersion } : {}),
      kind: owner.kind ?? "",
      name: owner.name ?? "",
      uid: owner.uid ?? ""
    }
}

/** Names in a list of references. */
export const namesOf = (references: Spec["imagePullSecrets"]): ReadonlyArray<string> =>
  (references ?? []).map((it) => it.name ?? "").filter((it) => it !== "")

const writable = [rewriteAnnotation, heldAnnotation, restoredAnnotation]
/** What most objects have: shared, because there are many. */
const nothingWritten: Workload["written"] = {}
/** Kinds whose pods a change of the template replaces. */
const rolling: ReadonlySet<WorkloadKind> = new Set(["Deployment", "StatefulSet", "DaemonSet"])

const writtenOf = (annotations: Readonly<Record<string, string>>): Workload["written"] => {
  const found = writable.flatMap((name) => {
    const text = annotations[name]
    return text === undefined ? [] : [[name, text] as const]
  })
  return found.length === 0 ? nothingWritten : Object.fromEntries(found)
}

/** The part of a projection that comes from the object's metadata and its pod spec. */
const base = (
  kind: WorkloadKind,
  metadata: Meta,
  spec: Spec,
  at: string,
  templateAnnotations: Readonly<Record<string, string>> | undefined
) => {
  const labels = metadata.labels ?? {}
  const annotations = metadata.annotations ?? {}
  const namespace = metadata.namespace ?? "default"
  const name = metadata.name ?? ""
  return {
    key: workloadKey(kind, namespace, name),
    kind,
    namespace,
    name,
    uid: metadata.uid ?? "",
    generation: metadata.generation ?? undefined,
    deleting: metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null,
    owner: ownerOf(metadata),
    images: slotsOf(spec, at),
    originals: templateAnnotations?.[originalsAnnotation],
    marks: marksOf(labels, annotations),
    manager: managerOf(labels, annotations, metadata.managedFields ?? [], metadata.ownerReferences ?? []),
    priorityClass: spec.priorityClassName ?? undefined,
    mirror: annotations["kubernetes.io/config.mirror"] !== undefined,
    returned: (annotations["deployment.kubernetes.io/revision-history"] ?? "") !== "",
    pullSecrets: namesOf(spec.imagePullSecrets),
    serviceAccount: spec.serviceAccountName ?? undefined,
    patchedAt: patchedAtOf(metadata.managedFields ?? []),
    // a pod has no template, and there are many pods
    templateChangedAt: kind === "Pod" ? undefined : templateChangedAtOf(metadata.managedFields ?? []),
    annotated: metadata.annotations !== undefined && metadata.annotations !== null,
    imagesSetBy: kindOf(kind).mutable ? imagesSetByOf(metadata.managedFields ?? []) : undefined,
    written: writtenOf(annotations),
    held: readHeld(annotations[heldAnnotation]),
    ownsImages: kindOf(kind).mutable &&
      ownsImages(metadata.managedFields ?? [], templateAnnotations?.[originalsAnnotation] !== undefined)
  }
}

/** Where a kind says which revision is its newest, or which it is itself; see `Workload.revision`. */
const revisionOf = (kind: WorkloadKind, metadata: Meta, updateRevision: string | undefined): string | undefined => {
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

const timeOf = (text: string | null | undefined): number | undefined => {
  const time = Date.parse(text ?? "")
  return Number.isNaN(time) ? undefined : time
}

const rolloutOf = (kind: Kind, object: typeof Templated.Type): RolloutStatus | undefined => {
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

/** Projects an object with a pod template; undefined when it is none of that kind's shape. */
export const projectTemplated = (kind: Kind) => (object: unknown): Workload | undefined =>
  Option.getOrUndefined(Option.map(decodeTemplated(object), (it) => {
    const template = kind.kind === "CronJob" ? it.spec?.jobTemplate?.spec?.template : it.spec?.template
    const metadata = template?.metadata ?? undefined
    const rollingUpdate = it.spec?.updateStrategy ?? it.spec?.strategy ?? undefined
    return {
      ...base(
        kind.kind,
        it.metadata,
        template?.spec ?? {},
        `${kind.template}/spec`,
        metadata?.annotations ?? undefined
      ),
      templateMetadata: metadata === undefined
        ? "none"
        : metadata.annotations === undefined || metadata.annotations === null
        ? "metadata"
        : "annotations",
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
      shape: kind.kind === "Deployment" || kind.kind === "ReplicaSet" ? shapeOf(object) : undefined
    }
  }))

type Statuses = NonNullable<NonNullable<(typeof PodObject.Type)["status"]>["containerStatuses"]>

const isPresent = (value: unknown): boolean => value !== undefined && value !== null

const containerStates = (slots: ReadonlyArray<ImageSlot>, statuses: Statuses, init: boolean) =>
  statuses.map((it): ContainerState => {
    const running = isPresent(it.state?.running)
    return {
      container: it.name ?? "",
      image: slots.find((slot) => slot.container === it.name)?.image ?? "",
      init,
      imageId: parseImageId(it.imageID ?? ""),
      running,
      startedAt: timeOf(it.state?.running?.startedAt),
      started: running || isPresent(it.state?.terminated) || isPresent(it.lastState?.terminated) ||
        (it.restartCount ?? 0) > 0,
      waiting: it.state?.waiting?.reason ?? undefined,
      message: it.state?.waiting?.message ?? undefined
    }
  })

/** Image volumes as containers that start with the first: most runtimes do not say what was mounted (KEP-5365 does). */
const volumeStates = (slots: ReadonlyArray<ImageSlot>, statuses: Statuses): ReadonlyArray<ContainerState> => {
  const refs = new Map(
    statuses.flatMap((it) => it.volumeMounts ?? []).map((it) => [it.name ?? "", it.volumeStatus?.image?.imageRef ?? ""])
  )
  const states = containerStates([], statuses, false)
  return slots.filter((it) => it.container.startsWith(volumePrefix)).map((slot) => ({
    container: slot.container,
    image: slot.image,
    init: false,
    imageId: parseImageId(refs.get(slot.container.slice(volumePrefix.length)) ?? ""),
    running: states.some((it) => it.running),
    startedAt: states.find((it) => it.running)?.startedAt,
    started: states.some((it) => it.started),
    waiting: undefined,
    message: undefined
  }))
}

/** Projects a pod: what it names as a workload, and what its containers do. */
export const projectPod = (object: unknown): Pod | undefined =>
  Option.getOrUndefined(Option.map(decodePod(object), (it) => {
    const spec = it.spec ?? {}
    const annotations = it.metadata.annotations ?? undefined
    const workload: Workload = {
      ...base("Pod", it.metadata, spec, "/spec", annotations),
      templateMetadata: annotations === undefined ? "metadata" : "annotations",
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
      revision: revisionOf("Pod", it.metadata, undefined),
      podLabels: nothingWritten,
      shape: undefined
    }
    const phase = it.status?.phase
    const readiness = it.status?.conditions?.find((condition) => condition.type === "Ready")
    const main = it.status?.containerStatuses ?? []
    const init = it.status?.initContainerStatuses ?? []
    return {
      workload,
      node: spec.nodeName ?? undefined,
      createdAt: timeOf(it.metadata.creationTimestamp),
      finished: phase === "Succeeded" || phase === "Failed",
      ready: readiness?.status === "True",
      readySince: timeOf(readiness?.lastTransitionTime),
      unschedulable: it.status?.conditions?.find((condition) =>
        condition.type === "PodScheduled" && condition.status === "False"
      )?.message ?? undefined,
      containers: [
        ...containerStates(workload.images, init, true),
        ...containerStates(workload.images, main, false),
        ...containerStates(workload.images, it.status?.ephemeralContainerStatuses ?? [], false),
        ...volumeStates(workload.images, [...init, ...main])
      ]
    }
  }))

/** Projects an object of a kind from its manifest, as `plan -f` reads it. */
export const projectManifest = (kind: WorkloadKind, object: unknown): Workload | undefined =>
  kind === "Pod" ? projectPod(object)?.workload : projectTemplated(kindOf(kind))(object)
