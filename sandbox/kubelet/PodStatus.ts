// A pod's status as a kubelet writes it, from what its containers are doing. Pure.
// Source: kubernetes pkg/kubelet/{kubelet_pods,status/generate}.go.
import type { Json, JsonObject } from "../Json.ts"
import * as J from "../Json.ts"

export type ContainerState =
  | { readonly _tag: "Waiting"; readonly reason: string; readonly message?: string | undefined }
  | { readonly _tag: "Running"; readonly startedAt: string }
  | { readonly _tag: "Terminated"; readonly startedAt: string; readonly finishedAt: string }

export interface Container {
  readonly name: string
  /** As the spec has it. */
  readonly image: string
  /** As the runtime has it; the spec's until it is pulled. */
  readonly shownImage: string
  /** "<repository>@<digest>"; "" until it is pulled. */
  readonly imageId: string
  readonly state: ContainerState
  readonly restarts: number
  readonly sidecar: boolean
  readonly ready: boolean
  /** It ran before: a container that waits after that does not make its pod Pending again. */
  readonly started: boolean
}

const stateOf = (state: ContainerState): JsonObject => {
  switch (state._tag) {
    case "Waiting":
      return {
        waiting: { reason: state.reason, ...(state.message === undefined ? {} : { message: state.message }) }
      }
    case "Running":
      return { running: { startedAt: state.startedAt } }
    case "Terminated":
      return {
        terminated: {
          exitCode: 0,
          reason: "Completed",
          startedAt: state.startedAt,
          finishedAt: state.finishedAt,
          containerID: "sandbox://terminated"
        }
      }
  }
}

const statusOf = (podUid: string, it: Container): JsonObject => ({
  name: it.name,
  image: it.shownImage,
  imageID: it.imageId,
  ready: it.ready,
  restartCount: it.restarts,
  started: it.state._tag === "Running",
  state: stateOf(it.state),
  lastState: {},
  ...(it.state._tag === "Waiting" ? {} : { containerID: `sandbox://${podUid}-${it.name}-${it.restarts}` })
})

const isDone = (it: Container): boolean => it.state._tag === "Terminated"
const isInitialized = (it: Container): boolean => it.sidecar ? it.state._tag === "Running" : isDone(it)

const phaseOf = (inits: ReadonlyArray<Container>, containers: ReadonlyArray<Container>): string => {
  if (!inits.every(isInitialized)) return "Pending"
  if (containers.every(isDone)) return "Succeeded"
  return containers.some((it) => it.state._tag === "Waiting" && !it.started) ? "Pending" : "Running"
}

/** Transition times stay where a condition did not change. */
const conditions = (pod: JsonObject, wanted: ReadonlyArray<readonly [string, boolean, string]>, now: string): Json => {
  const before = J.list(pod, "status", "conditions")
  const mine = wanted.map(([type, holds, reason]): JsonObject => {
    const old = before.find((it) => J.text(it, "type") === type)
    const status = holds ? "True" : "False"
    const same = J.text(old, "status") === status
    return {
      type,
      status,
      ...(holds || reason === "" ? {} : { reason }),
      lastProbeTime: null,
      lastTransitionTime: same ? J.text(old, "lastTransitionTime") ?? now : now
    }
  })
  const names = new Set(wanted.map(([type]) => type))
  return [...mine, ...before.filter((it) => !names.has(J.text(it, "type") ?? ""))]
}

export interface Observed {
  readonly inits: ReadonlyArray<Container>
  readonly containers: ReadonlyArray<Container>
  readonly ephemeral: ReadonlyArray<Container>
  readonly podIp: string
}

/** The whole status, to be merged over what the pod has (its qosClass stays). */
export const status = (pod: JsonObject, it: Observed, now: string): JsonObject => {
  const uid = J.text(pod, "metadata", "uid") ?? ""
  const initialized = it.inits.every(isInitialized)
  const done = it.containers.every(isDone)
  const ready = it.containers.every((one) => one.ready)
  const reason = done ? "PodCompleted" : "ContainersNotReady"
  const statuses = (list: ReadonlyArray<Container>): Json => list.map((one) => statusOf(uid, one))
  const generation = J.number(pod, "metadata", "generation")
  return {
    phase: phaseOf(it.inits, it.containers),
    hostIP: "127.0.0.1",
    hostIPs: [{ ip: "127.0.0.1" }],
    podIP: it.podIp,
    podIPs: [{ ip: it.podIp }],
    startTime: J.text(pod, "status", "startTime") ?? now,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: conditions(pod, [
      ["PodReadyToStartContainers", true, ""],
      ["Initialized", initialized, "ContainersNotInitialized"],
      ["Ready", ready, reason],
      ["ContainersReady", ready, reason],
      ["PodScheduled", true, ""]
    ], now),
    ...(it.inits.length === 0 ? {} : { initContainerStatuses: statuses(it.inits) }),
    ...(it.ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: statuses(it.ephemeral) }),
    containerStatuses: statuses(it.containers)
  }
}
