// ProjectPod: what is kept of a pod: what it names, as of a workload, and what its containers do.
import { Option, Schema } from "effect"
import { PodObject } from "./ApiObjects.ts"
import { parseImageId } from "./ImageId.ts"
import { nothingWritten, projectBase, revisionOf, timeOf } from "./Project.ts"
import { type ContainerState, type ImageSlot, type Pod, volumePrefix, type Workload } from "./Workload.ts"

const decodePod = Schema.decodeUnknownOption(PodObject)

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

/** Projects a pod, as WireObjects.ts has read it: what it names as a workload, and what its containers do. */
export const readPod = (it: typeof PodObject.Type): Pod => {
  const spec = it.spec ?? {}
  const annotations = it.metadata.annotations ?? undefined
  const workload: Workload = {
    ...projectBase("Pod", it.metadata, spec, "/spec", annotations),
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
    unschedulable:
      it.status?.conditions?.find((condition) => condition.type === "PodScheduled" && condition.status === "False")
        ?.message ?? undefined,
    containers: [
      ...containerStates(workload.images, init, true),
      ...containerStates(workload.images, main, false),
      ...containerStates(workload.images, it.status?.ephemeralContainerStatuses ?? [], false),
      ...volumeStates(workload.images, [...init, ...main])
    ]
  }
}

/** Projects a pod from JSON; undefined when it is none. */
export const projectPod = (object: unknown): Pod | undefined =>
  Option.getOrUndefined(Option.map(decodePod(object), readPod))
