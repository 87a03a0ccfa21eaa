// One fake node that works against any API server: registers, binds what no scheduler has bound, pulls images for real
// and reports pods as a kubelet does. No container runs; everything else is as true as it can be.
import { Cause, Effect, Schedule } from "effect"
import type { Duration, Scope } from "effect"
import type { KubeClient } from "../../src/kube/KubeClient.ts"
import type { KubeError } from "../../src/kube/KubeError.ts"
import * as Caches from "../client/Cache.ts"
import * as Objects from "../client/Objects.ts"
import * as Workers from "../client/Workers.ts"
import { timestamp } from "../cluster/Api.ts"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import type { Backoff, Slots } from "./Containers.ts"
import * as Containers from "./Containers.ts"
import * as NodeObject from "./NodeObject.ts"
import * as PodStatus from "./PodStatus.ts"
import type { Puller, PullerOptions } from "./Puller.ts"
import * as Pullers from "./Puller.ts"
import * as PullSecrets from "./PullSecrets.ts"

/** A pod with this annotation set to "true" runs and never becomes ready: for rollouts that must fail. */
export const notReadyAnnotation = "sandbox.image-cloner.io/not-ready"

export interface KubeletOptions extends PullerOptions {
  /** Default "sandbox". */
  readonly node?: string
  /** Bind pending pods to this node; for clusters without a scheduler. Default true. */
  readonly bind?: boolean
  /** Between two pulls of one image for one pod. Default 200 ms doubled up to 2 s (a real one: 10 s to 5 min). */
  readonly backoff?: Backoff
  /** How long a pod takes to stop. Default nothing. */
  readonly stopping?: Duration.Input
  /** Pods worked on at once. Default 8. */
  readonly concurrency?: number
  /** Record Events on pods. Default true. */
  readonly events?: boolean
  /** Which digest stands in imageID: of what the reference resolved to (default), the platform's manifest, the config. */
  readonly imageId?: "resolved" | "manifest" | "config"
}

export interface Kubelet {
  readonly node: string
  readonly puller: Puller
}

const nameOf = (object: JsonObject): string => J.text(object, "metadata", "name") ?? ""
const namespaceOf = (object: JsonObject): string => J.text(object, "metadata", "namespace") ?? ""

const placeOf = (pod: JsonObject): Objects.Place => ({
  resource: Objects.resource("Pod"),
  namespace: namespaceOf(pod),
  name: nameOf(pod)
})

/** May this pod be bound to the node by who is not its scheduler? A daemon's pod names its node. */
const isForUs = (pod: JsonObject, node: string): boolean => {
  if ((J.text(pod, "spec", "schedulerName") ?? "default-scheduler") !== "default-scheduler") return false
  if (J.list(pod, "spec", "schedulingGates").length > 0) return false
  const affinity = J.object(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
  const fields = J.list(affinity, "nodeSelectorTerms").flatMap((it) => J.list(it, "matchFields"))
  return fields.every((it) => J.text(it, "key") !== "metadata.name" || J.list(it, "values").includes(node))
}

/** Warnings once per text and pod are enough: a failing API server would fill the log. */
const report = (what: string) => (error: KubeError): Effect.Effect<void> =>
  error.reason === "NotFound" || error.reason === "Conflict"
    ? Effect.void
    : Effect.logWarning(`kubelet: ${what}: ${error.message}`)

const nothing: Duration.Input | undefined = undefined
const later = (error: KubeError): Duration.Input | undefined => error.reason === "NotFound" ? undefined : "1 second"

const imageIdOf = (form: KubeletOptions["imageId"]) => (pulled: Pullers.Pulled): string =>
  form === "config" ? pulled.config : `${pulled.repository}@${form === "manifest" ? pulled.manifest : pulled.digest}`

/** Registers the node and does its work until the scope closes. Fails only when the node cannot be registered. */
export const make = Effect.fnUntraced(function*(
  options: KubeletOptions = {}
): Effect.fn.Return<Kubelet, KubeError, KubeClient | Scope.Scope> {
  const node = options.node ?? "sandbox"
  const context = yield* Effect.context<KubeClient>()
  const puller = yield* Pullers.make(options)
  const slots = new Map<string, Slots>()
  const written = new Map<string, string>()
  const addresses = new Map<string, string>()
  const told = new Map<string, Set<string>>()
  let events = 0

  yield* NodeObject.register(node)
  yield* NodeObject.renewLease(node)
  yield* NodeObject.renewLease(node).pipe(
    Effect.catch(report("the lease")),
    Effect.schedule(Schedule.spaced("10 seconds")),
    Effect.forkScoped
  )

  const record: Containers.Runtime["record"] = Effect.fnUntraced(
    function*(pod, type, reason, message) {
      if (options.events === false) return
      const uid = Caches.uidOf(pod)
      const before = told.get(uid) ?? new Set<string>()
      // Said once a pod: a real kubelet would count it up, again and again.
      if (before.has(`${reason} ${message}`)) return
      told.set(uid, before.add(`${reason} ${message}`))
      const now = yield* timestamp
      events++
      yield* Objects.create(NodeObject.manager, Objects.resource("Event"), namespaceOf(pod), {
        metadata: { name: `${nameOf(pod)}.${uid.slice(0, 8)}.${events}`, namespace: namespaceOf(pod) },
        involvedObject: { kind: "Pod", apiVersion: "v1", namespace: namespaceOf(pod), name: nameOf(pod), uid },
        type,
        reason,
        message: message.slice(0, 1024),
        source: { component: "kubelet", host: node },
        firstTimestamp: now,
        lastTimestamp: now,
        count: 1
      })
    },
    // An event that is lost is no failure of the pod.
    Effect.ignore,
    Effect.provideContext(context)
  )
  const runtime: Containers.Runtime = {
    puller,
    backoff: options.backoff ?? { initial: "200 millis", max: "2 seconds" },
    imageIdOf: imageIdOf(options.imageId),
    record
  }

  const addressOf = (uid: string): string => {
    const found = addresses.get(uid)
    if (found !== undefined) return found
    const next = addresses.size + 2
    const address = `10.${88 + (next >> 16)}.${(next >> 8) & 255}.${next & 255}`
    addresses.set(uid, address)
    return address
  }

  const stop = Effect.fnUntraced(function*(pod: JsonObject) {
    if (options.stopping !== undefined) yield* Effect.sleep(options.stopping)
    yield* record(pod, "Normal", "Killing", "Stopping the pod's containers")
    yield* Objects.remove(placeOf(pod), Caches.uidOf(pod), 0)
  })

  const writeStatus = Effect.fnUntraced(function*(pod: JsonObject, progress: Containers.Progress) {
    const uid = Caches.uidOf(pod)
    const observed = { ...progress, podIp: addressOf(uid) }
    const status = PodStatus.status(pod, observed, yield* timestamp)
    const text = JSON.stringify({ ...status, startTime: "" })
    if (written.get(uid) === text) return
    pods.store(yield* Objects.patch(NodeObject.manager, placeOf(pod), { metadata: { uid }, status }, "status"))
    written.set(uid, text)
  })

  const sync = Effect.fnUntraced(function*(
    pod: JsonObject
  ): Effect.fn.Return<Duration.Input | undefined, KubeError, KubeClient> {
    const uid = Caches.uidOf(pod)
    if (J.text(pod, "metadata", "deletionTimestamp") !== undefined) {
      yield* stop(pod)
      return undefined
    }
    const phase = J.text(pod, "status", "phase")
    if (phase === "Succeeded" || phase === "Failed") return undefined
    const known: Slots = slots.get(uid) ?? new Map()
    slots.set(uid, known)
    const progress = yield* Containers.advance(runtime, pod, known, yield* PullSecrets.of(pod), {
      ready: J.text(pod, "metadata", "annotations", notReadyAnnotation) !== "true",
      completes: (J.text(pod, "spec", "restartPolicy") ?? "Always") !== "Always"
    })
    yield* writeStatus(pod, progress)
    const failed = [...known.values()].some((it) => it.state._tag === "Waiting" && it.state.reason === "ErrImagePull")
    // ErrImagePull is shown once, then the back-off it led to.
    return failed ? 20 : progress.due
  })

  const bind = Effect.fnUntraced(function*(pod: JsonObject) {
    if (!isForUs(pod, node) || J.text(pod, "metadata", "deletionTimestamp") !== undefined) return
    yield* Objects.post(placeOf(pod), "binding", {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: nameOf(pod), namespace: namespaceOf(pod), uid: Caches.uidOf(pod) },
      target: { apiVersion: "v1", kind: "Node", name: node }
    })
  })

  const work = Effect.fnUntraced(
    function*(key: string): Effect.fn.Return<Duration.Input | undefined, KubeError, KubeClient> {
      const slash = key.indexOf("/")
      const pod = pods.get(key.slice(0, slash), key.slice(slash + 1))
      if (pod === undefined) return undefined
      const bound = J.text(pod, "spec", "nodeName") ?? ""
      if (bound === node) return yield* sync(pod)
      if (bound === "" && options.bind !== false) yield* bind(pod)
      return undefined
    },
    (effect, key) =>
      effect.pipe(
        Effect.catch((error) => Effect.as(report(key)(error), later(error))),
        // A defect here must neither kill the node nor be forgotten.
        Effect.catchCauseIf(
          (cause) => !Cause.hasInterruptsOnly(cause),
          (cause) => Effect.as(Effect.logError("kubelet died on a pod", cause), nothing)
        )
      )
  )

  const workers = yield* Workers.make(options.concurrency ?? 8, work)
  const pods: Caches.Cache = yield* Caches.make("kubelet-pods", Objects.resource("Pod"), (after, before) => {
    if (after !== undefined) return workers.add(Caches.keyOf(after))
    if (before === undefined) return
    slots.delete(Caches.uidOf(before))
    written.delete(Caches.uidOf(before))
    told.delete(Caches.uidOf(before))
  })
  return { node, puller }
})
