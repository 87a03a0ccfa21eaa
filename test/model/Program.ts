// The program over the model: the real stores, queues, actors and pacing, with the model's API server, registries and clock. A
// restart is a new one of these over the same cluster.
import { Duration, Effect, Layer, Logger, Option } from "effect"
import { TestClock } from "effect/testing"
import { CloneError, type CloneReason } from "../../src/clone/CloneError.ts"
import { Cloner } from "../../src/clone/Cloner.ts"
import { SourceTags } from "../../src/clone/SourceTags.ts"
import { Decisions } from "../../src/controller/Decisions.ts"
import { pullSetOfSeen } from "../../src/controller/PullSets.ts"
import { ImageQueue, offerAll, WorkloadQueue } from "../../src/controller/Queues.ts"
import * as ReconcileImage from "../../src/controller/images/ReconcileImage.ts"
import { timesAt } from "../../src/controller/RolloutsSeen.ts"
import * as Glance from "../../src/controller/workloads/Glance.ts"
import * as ReconcileWorkload from "../../src/controller/workloads/ReconcileWorkload.ts"
import type { Backup } from "../../src/image/BackupName.ts"
import { backupOf } from "../../src/image/BackupName.ts"
import type { Digest } from "../../src/image/Digest.ts"
import { format, type ImageReference } from "../../src/image/ImageReference.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { Pacing } from "../../src/rewrite/Pacing.ts"
import { Rewriter } from "../../src/rewrite/Rewriter.ts"
import { type Workloads, WorkloadStore } from "../../src/store/WorkloadStore.ts"
import { uptime } from "../../src/telemetry/Uptime.ts"
import { kindOf } from "../../src/workload/Kinds.ts"
import { projectTemplated } from "../../src/workload/Project.ts"
import { projectPod } from "../../src/workload/ProjectPod.ts"
import { controllerState } from "../support/ControllerState.ts"
import { resources } from "../support/Objects.ts"
import { podObject } from "./Pods.ts"
import { present } from "./Present.ts"
import { backupPrefix } from "./Registries.ts"
import type { ModelCluster } from "./ModelCluster.ts"

const target: Backup = { registry: "backup.example", prefix: "copies", layout: "nested" }

const failed = (image: string, reason: CloneReason, side: "source" | "backup", retryable: boolean) =>
  new CloneError({ image, reason, side, detail: "the model says so", retryable, retryAfter: undefined })

/** What copies: both sides have to answer, and a tag of the backup that a rollout uses stays where it is. */
const cloner = (cluster: ModelCluster) => {
  const { registries } = cluster
  const nameOf = (reference: ImageReference) => format(backupOf(target, reference))
  const tagOf = ({ registry, repository, tag }: ImageReference) => nameOf({ registry, repository, tag })
  const clone: Cloner["Service"]["clone"] = Effect.fnUntraced(function*(reference, request) {
    const source = format(reference)
    if (!(yield* request?.wanted ?? Effect.succeed(true))) return yield* failed(source, "unwanted", "source", true)
    yield* Effect.sleep("1 second")
    if (!registries.sourceUp) return yield* failed(source, "unavailable", "source", true)
    if (!registries.backupUp) return yield* failed(source, "unavailable", "backup", true)
    let digest = registries.atSource(source)
    if (digest === undefined) return yield* failed(source, "not-found", "source", false)
    const before = registries.atBackup(tagOf(reference)) ?? request?.last
    if (before !== undefined && before !== digest && (yield* request?.tagInUse ?? Effect.succeed(false))) {
      const last = request?.last
      const lost = registries.atBackup(tagOf(reference)) === undefined
      // what was lost comes back as what it was, if its source still has it
      if (!lost || last === undefined || registries.atSource(`${source}@${last}`) === undefined) {
        return yield* failed(source, "tag-in-use", "backup", true)
      }
      digest = last
    }
    registries.store(nameOf(reference), digest)
    registries.note(cluster.now)
    const nothing = { uploaded: 0, mounted: 0, present: 0 }
    return {
      source: reference,
      backup: backupOf(target, reference),
      digest,
      contents: new Set([digest]),
      verifiedAt: yield* uptime,
      blobs: nothing,
      bytes: nothing,
      manifests: 1,
      upToDate: false,
      seconds: 0
    }
  })
  const verify = Effect.fnUntraced(function*(reference: ImageReference, digest: Digest) {
    const source = format(reference)
    if (!registries.backupUp) return yield* failed(source, "unavailable", "backup", true)
    const there = registries.atBackup(nameOf({ ...reference, digest })) === digest
    const named = reference.digest !== undefined || registries.atBackup(tagOf(reference)) === digest
    return there && named ? yield* uptime : yield* failed(source, "not-found", "backup", true)
  })
  return Layer.mock(Cloner, {
    stepOut: () => Effect.void,
    isInLine: () => false,
    clone,
    verify,
    silenceOf: () => Effect.undefined,
    silences: Effect.succeed(new Map()),
    inFlight: Effect.succeed([]),
    waiting: Effect.succeed(0)
  })
}

const layerOf = (cluster: ModelCluster, byNodes: boolean) =>
  Layer.mergeAll(
    Rewriter.layer.pipe(
      Layer.provideMerge(Layer.mock(KubeClient, { server: "https://model", request: (it) => cluster.request(it) }))
    ),
    cloner(cluster),
    Layer.mock(SourceTags, {
      compare: (source) =>
        Effect.sync(() => {
          if (!cluster.registries.sourceUp) return { _tag: "None", rest: Duration.zero, why: "it is down" }
          const digest = cluster.registries.atSource(source)
          return digest === undefined || digest === null ? { _tag: "Gone" } : { _tag: "Named", digest }
        }),
      named: (source) =>
        Effect.sync(() =>
          cluster.registries.sourceUp ? Option.fromNullishOr(cluster.registries.atSource(source)) : Option.none()
        )
    }),
    controllerState({
      MAX_CONCURRENT_ROLLOUTS: cluster.limit,
      BACKUP_PULL_BY: byNodes ? "nodes" : "auto"
    }, backupPrefix)
  ).pipe(Layer.provideMerge(Logger.layer([])))

/** Takes what the cluster is now into the store, as watches do; answers the keys that it concerns. */
const observe = (cluster: ModelCluster, store: Workloads) =>
  Effect.sync(() => {
    const keys: Array<string> = []
    const gone = new Set(store.held("pod", ""))
    for (const it of cluster.workloads) {
      const { own, sets } = present(it, cluster.nodes)
      for (const set of sets) {
        const projected = projectTemplated(kindOf("ReplicaSet"))(set)
        if (projected !== undefined) keys.push(...store.putWorkload(projected))
      }
      const projected = projectTemplated(kindOf(it.shape.kind))(own)
      if (projected !== undefined) keys.push(...store.putWorkload(projected))
      for (const one of it.pods) {
        const pod = projectPod(podObject(one))
        if (pod === undefined) continue
        gone.delete(pod.workload.key)
        keys.push(...store.putPod(pod))
      }
    }
    for (const key of gone) keys.push(...store.remove("pod", key))
    for (const node of cluster.nodes.objects()) store.putNode(node)
    return keys
  })

/** What of it is under way and proven is known before anything is rewritten, as in Controller.ts. */
const takeStock = Effect.gen(function*() {
  const store = yield* WorkloadStore
  const pacing = yield* Pacing
  for (const workload of store.all) yield* pacing.observe(workload, store.podsOf(workload), target, timesAt(0))
  for (const take of [pacing.notePod, pacing.observePod]) {
    for (const pod of store.pods) {
      const set = pullSetOfSeen(store, pod)
      if (set !== undefined) take(pod, set, target)
    }
  }
})

/** One life of the program: from its start until the scope ends. `pass` lets time go by. */
const start = (cluster: ModelCluster) =>
  Effect.gen(function*() {
    const store = yield* WorkloadStore
    const workloads = yield* WorkloadQueue
    const images = yield* ImageQueue
    const pacing = yield* Pacing
    const decisions = yield* Decisions
    for (const resource of resources) store.markSynced(resource)
    for (const name of ["shop", "bank"]) {
      store.putNamespace({ name, uid: name, marks: { ignore: undefined, rewrite: undefined } })
    }
    yield* observe(cluster, store)
    yield* takeStock
    const reconcileWorkload = yield* ReconcileWorkload.make({ ownNamespace: Option.none() })
    const reconcileImage = yield* ReconcileImage.make
    yield* Effect.forkScoped(
      workloads.run("unbounded", reconcileWorkload, yield* Glance.make({ ownNamespace: Option.none() }))
    )
    yield* Effect.forkScoped(images.run("unbounded", reconcileImage))
    yield* offerAll(workloads, store.keys())
    const pass = Effect.fnUntraced(function*(seconds: number, tick: number) {
      for (let passed = 0; passed < seconds; passed += tick) {
        yield* TestClock.adjust(tick * 1000)
        cluster.now += tick * 1000
        cluster.step()
        yield* offerAll(workloads, yield* observe(cluster, store))
        yield* offerAll(workloads, yield* pacing.next(cluster.limit))
        yield* TestClock.adjust(0)
      }
    })
    const said = (key: string): string => {
      const verdict = decisions.get(key)?.verdict
      return verdict !== undefined && "reason" in verdict
        ? `${verdict.reason}: ${verdict.detail}`
        : verdict?._tag ?? "nothing"
    }
    return { pass, said }
  })

export type Life = Effect.Success<ReturnType<typeof start>>

/** Lives from a start to an end. */
export const live = <A, E>(cluster: ModelCluster, byNodes: boolean, of: (life: Life) => Effect.Effect<A, E>) =>
  Effect.flatMap(start(cluster), of).pipe(Effect.scoped, Effect.provide(layerOf(cluster, byNodes), { local: true }))
