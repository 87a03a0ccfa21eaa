// ProjectPod: what is kept of a pod: what it names, as of a workload, and what its containers do.
import { Option, Schema } from "effect"
import { PodObject } from "./ApiObjects.ts"
import { parseImageId } from "./ImageId.ts"
import { ofNoKind, projectBase, revisionOf, timeOf } from "./Project.ts"
import { type ContainerState, type ImageSlot, type Pod, volumePrefix } from "./Workload.ts"

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
const volumeStates = (volumes: ReadonlyArray<ImageSlot>, statuses: Statuses): ReadonlyArray<ContainerState> => {
  const refs = new Map(
    statuses.flatMap((it) => it.volumeMounts ?? []).map((it) => [it.name ?? "", it.volumeStatus?.image?.imageRef ?? ""])
  )
  const states = containerStates([], statuses, false)
  return volumes.map((slot) => ({
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

/** What the status says of everything that the pod runs. */
const statesOf = (
  slots: ReadonlyArray<ImageSlot>,
  { containerStatuses, ephemeralContainerStatuses, initContainerStatuses }: NonNullable<typeof PodObject.Type["status"]>
): ReadonlyArray<ContainerState> => {
  const main = containerStatuses ?? []
  const init = initContainerStatuses ?? []
  const volumes = slots.filter((it) => it.container.startsWith(volumePrefix))
  return [
    ...containerStates(slots, init, true),
    ...containerStates(slots, main, false),
    ...containerStates(slots, ephemeralContainerStatuses ?? [], false),
    ...(volumes.length === 0 ? [] : volumeStates(volumes, [...init, ...main]))
  ]
}

/** Projects a pod, as WireObjects.ts has read it: what it names as a workload, and what its containers do. */
export const readPod = (it: typeof PodObject.Type): Pod => {
  const spec = it.spec ?? {}
  const annotations = it.metadata.annotations ?? undefined
  const workload = projectBase("Pod", it.metadata, spec, { at: "/spec", originalsOn: annotations }, {
    ...ofNoKind,
    templateMetadata: annotations === undefined ? "metadata" : "annotations",
    revision: revisionOf("Pod", it.metadata, undefined)
  })
  const status = it.status ?? {}
  const readiness = status.conditions?.find((it) => it.type === "Ready")
  const unscheduled = status.conditions?.find((it) => it.type === "PodScheduled" && it.status === "False")
  return {
    workload,
    node: spec.nodeName ?? undefined,
    createdAt: timeOf(it.metadata.creationTimestamp),
    finished: status.phase === "Succeeded" || status.phase === "Failed",
    ready: readiness?.status === "True",
    readySince: timeOf(readiness?.lastTransitionTime),
    unschedulable: unscheduled?.message ?? undefined,
    containers: statesOf(workload.images, status)
  }
}

/** Projects a pod from JSON; undefined when it is none. */
export const projectPod = (object: unknown): Pod | undefined =>
  Option.getOrUndefined(Option.map(decodePod(object), readPod))
