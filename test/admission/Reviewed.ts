// Reviews for tests: a namespace `shop` with a Deployment, its ReplicaSet and a copy of its image; each test says what is different.
import { Effect, Layer } from "effect"
import type { AdmissionRequest } from "../../src/admission/Review.ts"
import type { Puller, Surroundings } from "../../src/admission/Surroundings.ts"
import type { ImageState } from "../../src/image/ImageState.ts"
import { WatchStates } from "../../src/kube/watch/WatchStates.ts"
import { type Settings, settingsOf } from "../../src/settings/Settings.ts"
import { SettingsRef } from "../../src/settings/SettingsRef.ts"
import { Inventory } from "../../src/store/Inventory.ts"
import { type Workloads, WorkloadStore } from "../../src/store/WorkloadStore.ts"
import type { Namespace, Workload } from "../../src/workload/Workload.ts"
import { digestOf, podObject, resources, workload } from "../support/Objects.ts"

export const nginx = "docker.io/library/nginx:1.27"
export const copy = "backup.example/copies/docker.io/library/nginx:1.27"

export const web = workload({ name: "web" })
export const replicaSet = workload({
  kind: "ReplicaSet",
  name: "web-5d4f",
  metadata: { ownerReferences: [{ kind: "Deployment", name: "web", uid: web.uid, controller: true }] }
})

/** A pod as its controller asks for it: without name, node, uid and status. */
export const newPod = (
  given: {
    readonly owner?: Workload
    readonly images?: Record<string, string>
    readonly metadata?: Record<string, unknown>
    readonly spec?: Record<string, unknown>
  } = {}
): Record<string, unknown> => {
  const { metadata, spec } = podObject({
    ...(given.images === undefined ? {} : { images: given.images }),
    ...(given.owner === undefined ? {} : { owner: given.owner })
  }) as { metadata: Record<string, unknown>; spec: Record<string, unknown> } // what the fixture makes
  const { name: _, namespace: __, uid: ___, ...rest } = metadata
  const { nodeName: ____, ...bare } = spec
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: { generateName: "web-5d4f-", ...rest, ...given.metadata },
    spec: { ...bare, ...given.spec }
  }
}

export const request = (object: unknown, given: Partial<AdmissionRequest> = {}): AdmissionRequest => ({
  uid: "1",
  operation: "CREATE",
  resource: { group: "", version: "v1", resource: "pods" },
  subResource: undefined,
  namespace: "shop",
  name: "",
  dryRun: false,
  userName: "system:serviceaccount:kube-system:replicaset-controller",
  object,
  oldObject: undefined,
  ...given
})

export const shop: Namespace = { name: "shop", uid: "uid-shop", marks: { ignore: undefined, rewrite: undefined } }

export const backedUp = (character = "a"): ImageState => ({
  _tag: "BackedUp",
  digest: digestOf(character),
  contents: new Set([digestOf(character)]),
  verifiedAt: 0
})

/** What the handlers asked of their surroundings, and what these say. */
export interface Around extends Surroundings {
  readonly asked: Array<readonly [namespace: string, sources: ReadonlyArray<string>]>
  readonly pullers: Array<Puller>
}

export const around = (
  given: {
    readonly fails?: string
    readonly elsewhere?: string
    readonly unshown?: string
    readonly learning?: string
    readonly recreated?: string
  } = {}
): Around => {
  const asked: Around["asked"] = []
  const pullers: Around["pullers"] = []
  return {
    asked,
    pullers,
    backupFails: Effect.sync(() => given.fails),
    failsElsewhere: Effect.sync(() => given.elsewhere),
    learning: Effect.sync(() => given.learning),
    unshown: (puller) => Effect.sync(() => (pullers.push(puller), given.unshown)),
    recreated: () => Effect.sync(() => given.recreated),
    ask: (namespace, sources) => Effect.sync(() => void asked.push([namespace, sources]))
  }
}

/** The stores as they are once everything has been seen. */
export const stage = (settings: Partial<Settings> = {}) =>
  Layer.mergeAll(
    WatchStates.layer,
    Inventory.layer,
    WorkloadStore.layer,
    SettingsRef.layerOf(settingsOf("backup.example/copies", { MUTATING_WEBHOOK: "on", ...settings }))
  )

/** Puts everything there; answers the store. */
export const filled = Effect.gen(function*() {
  const store: Workloads = yield* WorkloadStore
  const inventory = yield* Inventory
  for (const it of resources) store.markSynced(it)
  store.putNamespace(shop)
  store.putWorkload(web)
  store.putWorkload(replicaSet)
  inventory.want(web.key, [nginx])
  inventory.set(nginx, backedUp())
  return store
})
