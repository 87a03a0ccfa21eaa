// What one pod's containers do next: images, starts, restarts, back-off. Asked again and again by the kubelet; what it
// remembers between two times are slots, one a container.
// Source: kubernetes pkg/kubelet/images/image_manager.go, kuberuntime_manager.go; times are shorter here.
import { Clock, Duration, Effect } from "effect"
import { timestamp } from "../cluster/Api.ts"
import type { Json, JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import type { Container, ContainerState } from "./PodStatus.ts"
import type { Login, Puller } from "./Puller.ts"
import * as Pullers from "./Puller.ts"

export interface Backoff {
  readonly initial: Duration.Input
  readonly max: Duration.Input
}

export interface Slot {
  image: string
  shownImage: string
  imageId: string
  state: ContainerState
  restarts: number
  started: boolean
  attempts: number
  /** Epoch milliseconds; no pull before. */
  retryAt: number
  failure: string
}

export type Slots = Map<string, Slot>

export interface Runtime {
  readonly puller: Puller
  readonly backoff: Backoff
  readonly imageIdOf: (pulled: Pullers.Pulled) => string
  readonly record: (pod: JsonObject, type: "Normal" | "Warning", reason: string, message: string) => Effect.Effect<void>
}

interface Wanted {
  /** Of the slot: volumes have slots too. */
  readonly slot: string
  readonly name: string
  readonly image: string
  readonly policy: string
}

const waiting = (reason: string, message?: string): ContainerState => ({ _tag: "Waiting", reason, message })

const slotOf = (slots: Slots, wanted: Wanted): Slot => {
  const found = slots.get(wanted.slot)
  if (found !== undefined) return found
  const created: Slot = {
    image: wanted.image,
    shownImage: wanted.image,
    imageId: "",
    state: waiting("ContainerCreating"),
    restarts: 0,
    started: false,
    attempts: 0,
    retryAt: 0,
    failure: ""
  }
  slots.set(wanted.slot, created)
  return created
}

type Logins = (host: string, repository: string) => ReadonlyArray<Login>

const pulled = Effect.fnUntraced(function*(runtime: Runtime, pod: JsonObject, wanted: Wanted, logins: Logins) {
  const known = runtime.puller.present(wanted.image)
  if (known !== undefined && wanted.policy !== "Always") {
    const message = `Container image "${wanted.image}" already present on machine`
    yield* runtime.record(pod, "Normal", "Pulled", message)
    return known
  }
  yield* runtime.record(pod, "Normal", "Pulling", `Pulling image "${wanted.image}"`)
  const image = yield* runtime.puller.pull(wanted.image, logins)
  yield* runtime.record(pod, "Normal", "Pulled", `Successfully pulled image "${wanted.image}" (${image.bytes} bytes)`)
  return image
})

/** Gets the image for a slot if it is time; the slot says how that went. True when the image is there. */
const acquire = Effect.fnUntraced(function*(
  runtime: Runtime,
  pod: JsonObject,
  wanted: Wanted,
  slot: Slot,
  logins: Logins
) {
  const now = yield* Clock.currentTimeMillis
  if (Pullers.parse(wanted.image) === undefined) {
    slot.state = waiting("InvalidImageName", `couldn't parse image name "${wanted.image}": invalid reference format`)
    return false
  }
  if (wanted.policy === "Never" && runtime.puller.present(wanted.image) === undefined) {
    slot.state = waiting(
      "ErrImageNeverPull",
      `Container image "${wanted.image}" is not present with pull policy of Never`
    )
    return false
  }
  if (now < slot.retryAt) {
    slot.state = waiting("ImagePullBackOff", `Back-off pulling image "${wanted.image}": ErrImagePull: ${slot.failure}`)
    return false
  }
  const image = yield* pulled(runtime, pod, wanted, logins).pipe(
    Effect.catch((error) =>
      Effect.gen(function*() {
        const { initial, max } = runtime.backoff
        const delay = Duration.min(
          Duration.times(Duration.fromInputUnsafe(initial), 2 ** slot.attempts),
          Duration.fromInputUnsafe(max)
        )
        slot.attempts++
        slot.failure = error.message
        slot.retryAt = (yield* Clock.currentTimeMillis) + Duration.toMillis(delay)
        slot.state = waiting("ErrImagePull", error.message)
        yield* runtime.record(pod, "Warning", "Failed", `Failed to pull image "${wanted.image}": ${error.message}`)
        yield* runtime.record(pod, "Warning", "Failed", "Error: ErrImagePull")
        return undefined
      })
    )
  )
  if (image === undefined) return false
  slot.attempts = 0
  slot.retryAt = 0
  slot.shownImage = image.reference
  slot.imageId = runtime.imageIdOf(image)
  return true
})

/** Runs a container, or completes it at once; another image than before restarts it. */
const start = Effect.fnUntraced(function*(
  runtime: Runtime,
  pod: JsonObject,
  wanted: Wanted,
  slots: Slots,
  logins: Logins,
  completes: boolean
) {
  const slot = slotOf(slots, wanted)
  if (slot.image !== wanted.image) {
    if (slot.state._tag !== "Waiting") {
      yield* runtime.record(pod, "Normal", "Killing", `Container ${wanted.name} definition changed, will be restarted`)
    }
    Object.assign(slot, { image: wanted.image, attempts: 0, retryAt: 0, state: waiting("ContainerCreating") })
  }
  if (slot.state._tag !== "Waiting") return slot
  if (!(yield* acquire(runtime, pod, wanted, slot, logins))) return slot
  const now = yield* timestamp
  if (slot.started) slot.restarts++
  slot.started = true
  slot.state = completes ? { _tag: "Terminated", startedAt: now, finishedAt: now } : { _tag: "Running", startedAt: now }
  yield* runtime.record(pod, "Normal", "Started", `Container ${wanted.name} started`)
  return slot
})

const wantedOf = (kind: string, item: Json): Wanted => ({
  slot: `${kind}/${J.text(item, "name") ?? ""}`,
  name: J.text(item, "name") ?? "",
  image: J.text(item, "image") ?? "",
  policy: J.text(item, "imagePullPolicy") ?? "IfNotPresent"
})

const shown = (wanted: Wanted, slot: Slot, sidecar: boolean, readiness: boolean): Container => ({
  name: wanted.name,
  image: wanted.image,
  shownImage: slot.shownImage,
  imageId: slot.imageId,
  state: slot.state,
  restarts: slot.restarts,
  started: slot.started,
  sidecar,
  ready: slot.state._tag === "Running" ? readiness : slot.state._tag === "Terminated" && wanted.slot.startsWith("init/")
})

export interface Progress {
  readonly inits: ReadonlyArray<Container>
  readonly containers: ReadonlyArray<Container>
  readonly ephemeral: ReadonlyArray<Container>
  /** Milliseconds until a pull is due again; undefined when nothing waits for one. */
  readonly due: number | undefined
}

/** Does what can be done now. `ready` says whether what runs is ready, `completes` whether it ends by itself. */
export const advance = Effect.fnUntraced(function*(
  runtime: Runtime,
  pod: JsonObject,
  slots: Slots,
  logins: Logins,
  options: { readonly ready: boolean; readonly completes: boolean }
) {
  const inits: Array<Container> = []
  let blocked: ContainerState | undefined
  for (const item of J.list(pod, "spec", "initContainers")) {
    const wanted = wantedOf("init", item)
    const sidecar = J.text(item, "restartPolicy") === "Always"
    const slot = blocked === undefined
      ? yield* start(runtime, pod, wanted, slots, logins, !sidecar)
      : slotOf(slots, wanted)
    if (slot.state._tag === "Waiting") {
      if (blocked !== undefined) slot.state = waiting("PodInitializing")
      blocked = waiting("PodInitializing")
    }
    inits.push(shown(wanted, slot, sidecar, options.ready))
  }
  for (const item of blocked === undefined ? J.list(pod, "spec", "volumes") : []) {
    const image = J.text(item, "image", "reference")
    if (image === undefined) continue
    const policy = J.text(item, "image", "pullPolicy") ?? "IfNotPresent"
    const wanted = { slot: `volume/${J.text(item, "name") ?? ""}`, name: J.text(item, "name") ?? "", image, policy }
    const slot = slotOf(slots, wanted)
    if (slot.imageId === "" && !(yield* acquire(runtime, pod, wanted, slot, logins))) blocked = slot.state
  }
  const containers: Array<Container> = []
  const ephemeral: Array<Container> = []
  for (const [kind, into] of [["containers", containers], ["ephemeralContainers", ephemeral]] as const) {
    for (const item of J.list(pod, "spec", kind)) {
      const wanted = wantedOf(kind, item)
      const slot = slotOf(slots, wanted)
      if (blocked === undefined) yield* start(runtime, pod, wanted, slots, logins, options.completes)
      else if (slot.state._tag === "Waiting") slot.state = blocked
      into.push(shown(wanted, slot, false, options.ready))
    }
  }
  const now = yield* Clock.currentTimeMillis
  const waits = [...slots.values()].filter((it) => it.retryAt > 0).map((it) => Math.max(1, it.retryAt - now))
  const progress: Progress = { inits, containers, ephemeral, due: waits.length === 0 ? undefined : Math.min(...waits) }
  return progress
})
