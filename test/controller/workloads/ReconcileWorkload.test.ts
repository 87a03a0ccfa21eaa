import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Option, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { SourceTags } from "../../../src/clone/SourceTags.ts"
import { Decisions, outcomeOf, reasonsOf } from "../../../src/controller/Decisions.ts"
import { ImageQueue, WorkloadQueue } from "../../../src/controller/Queues.ts"
import * as ReconcileWorkload from "../../../src/controller/workloads/ReconcileWorkload.ts"
import type { Digest } from "../../../src/image/Digest.ts"
import type { ImageState } from "../../../src/image/ImageState.ts"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import { KubeError } from "../../../src/kube/KubeError.ts"
import { Pacing, type Request } from "../../../src/rewrite/Pacing.ts"
import { type Outcome, Rewriter } from "../../../src/rewrite/Rewriter.ts"
import { type Settings } from "../../../src/settings/Settings.ts"
import { SettingsRef } from "../../../src/settings/SettingsRef.ts"
import { Inventory } from "../../../src/store/Inventory.ts"
import { WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import type { Operation } from "../../../src/workload/Patch.ts"
import { controllerState } from "../../support/ControllerState.ts"
import { anyPulls, digestOf, ownedImage, pod, resources, unstarted, workload } from "../../support/Objects.ts"

const source = "docker.io/library/nginx:1.27"
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const annotated = { "image-cloner.io/original-images": "{\"app\":\"nginx:1.27\"}" }

const kubeError = (reason: KubeError["reason"], given: Partial<KubeError> = {}) =>
  new KubeError({
    operation: "PATCH /x",
    reason,
    status: 403,
    detail: "no",
    causes: [],
    retryAfter: undefined,
    retryable: false,
    outcomeUnknown: false,
    ...given
  })

interface Patched {
  readonly key: string
  readonly purpose: string
  readonly operations: ReadonlyArray<Operation>
}

/** The workload loop with a rewriter that answers what `answer` says. */
const loop = (
  answer: Effect.Effect<Outcome, KubeError>,
  settings: Partial<Settings> = {},
  named: (source: string) => Digest | undefined = () => undefined,
  sourceTakes: Duration.Input = "0 seconds"
) => {
  const patches: Array<Patched> = []
  const disowned: Array<string> = []
  const layer = Layer.mergeAll(
    Layer.mock(Rewriter, {
      apply: (it, operations, purpose) =>
        Effect.suspend(() => {
          patches.push({ key: it.key, purpose, operations })
          return answer
        }),
      disown: (it) =>
        Effect.sync(() => {
          disowned.push(it.key)
          return "done"
        })
    }),
    Layer.mock(KubeClient, { server: "https://127.0.0.1", request: () => Effect.succeed({ items: [] }) }),
    Layer.mock(SourceTags, {
      named: (of) => Effect.delay(Effect.sync(() => Option.fromNullishOr(named(of))), sourceTakes)
    }),
    controllerState({ BACKUP_PULL_BY: "nodes", ...settings })
  )
  const start = Effect.gen(function*() {
    const store = yield* WorkloadStore
    for (const resource of resources) store.markSynced(resource)
    store.putNamespace({ name: "shop", uid: "shop", marks: { ignore: undefined, rewrite: undefined } })
    const queue = yield* WorkloadQueue
    yield* Effect.forkScoped(queue.run("unbounded", yield* ReconcileWorkload.make({ ownNamespace: Option.none() })))
    return { store, inventory: yield* Inventory, decisions: yield* Decisions, queue }
  })
  return { patches, disowned, layer, start }
}

const backedUp = (digest: Digest = digestOf("a")): ImageState => ({
  _tag: "BackedUp",
  digest,
  contents: new Set([digest]),
  verifiedAt: 0
})

const tick = TestClock.adjust("1 second")

describe("the actor of a workload", () => {
  it.effect("wants its images, waits for nothing, and rewrites when they are there", () => {
    const it = loop(
      Effect.succeed({ _tag: "Applied", after: workload({ images: { app: copy }, templateAnnotations: annotated }) })
    )
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      const deployment = workload()
      store.putWorkload(deployment)
      store.putPod(pod({ owner: deployment, digest: digestOf("a") }))
      yield* queue.offer(deployment.key)
      yield* tick
      assert.deepStrictEqual(it.patches, [])
      assert.strictEqual(yield* (yield* ImageQueue).depth, 1)
      for (const user of inventory.set(source, backedUp())) yield* queue.offer(user)
      yield* tick
      assert.deepStrictEqual(it.patches.map(({ key, purpose }) => [key, purpose]), [[deployment.key, "rewritten"]])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is not pointed to the copy of a tag that has been pushed anew since: the copy is brought up to date before", () => {
    let pushed = digestOf("a")
    const it = loop(Effect.succeed({ _tag: "Gone" }), {}, () => pushed)
    return Effect.gen(function*() {
      const { decisions, inventory, queue, store } = yield* it.start
      const cronJob = workload({ kind: "CronJob" })
      store.putWorkload(cronJob)
      inventory.want(cronJob.key, [source])
      inventory.set(source, backedUp())
      pushed = digestOf("b")
      yield* queue.offer(cronJob.key)
      yield* tick
      assert.deepStrictEqual(it.patches, [])
      assert.strictEqual(inventory.state(source)?._tag, "Pending")
      assert.strictEqual(yield* (yield* ImageQueue).depth, 1)
      yield* tick
      const { verdict } = decisions.get(cronJob.key)!
      assert.include("detail" in verdict ? verdict.detail : "", "its tag has moved")
      inventory.set(source, backedUp(pushed))
      yield* queue.offer(cronJob.key)
      yield* tick
      assert.isNotEmpty(it.patches)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is not pointed to the copy of a tag that has moved to what cannot be copied, and the copy stays known", () => {
    const it = loop(Effect.succeed({ _tag: "Gone" }))
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      const cronJob = workload({ kind: "CronJob" })
      yield* TestClock.adjust("1 hour")
      inventory.want("Deployment/shop/first", [source])
      const [held, behind] = [digestOf("a"), digestOf("b")]
      inventory.set(source, { _tag: "BackedUp", digest: held, contents: new Set([held]), verifiedAt: 0, behind })
      store.putWorkload(cronJob)
      yield* queue.offer(cronJob.key)
      yield* tick
      assert.deepStrictEqual([it.patches, inventory.state(source)?._tag], [[], "BackedUp"])
      assert.isTrue(inventory.takeAsked(source))
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("has its tags compared when somebody changes its template, and not by its first look or a patch of ours", () => {
    const it = loop(Effect.succeed({ _tag: "Gone" }))
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      const rewritten = workload({ images: { app: copy }, templateAnnotations: annotated })
      const look = Effect.fnUntraced(function*(templateChangedAt: number, patchedAt: number) {
        store.putWorkload({ ...rewritten, templateChangedAt, patchedAt })
        yield* queue.offer(rewritten.key)
        yield* tick
        return inventory.takeAsked(source)
      })
      inventory.want(rewritten.key, [source])
      inventory.set(source, backedUp())
      assert.deepStrictEqual([yield* look(1, 1), yield* look(1, 2), yield* look(3, 2)], [false, false, true])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is pointed to the first digest of a tag that has moved, without a question, where TAG_POLICY keeps it", () => {
    const asked: Array<string> = []
    const it = loop(Effect.succeed({ _tag: "Gone" }), { TAG_POLICY: "keep" }, (tag) => {
      asked.push(tag)
      return digestOf("b")
    })
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      const cronJob = workload({ kind: "CronJob" })
      store.putWorkload(cronJob)
      inventory.want(cronJob.key, [source])
      inventory.set(source, backedUp())
      yield* queue.offer(cronJob.key)
      yield* tick
      assert.isNotEmpty(it.patches)
      assert.strictEqual(inventory.state(source)?._tag, "BackedUp")
      assert.isEmpty(asked)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("does not ask what a tag names where it is pinned to what its pods run", () => {
    const asked: Array<string> = []
    const it = loop(Effect.succeed({ _tag: "Gone" }), {}, (tag) => {
      asked.push(tag)
      return undefined
    })
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      const cronJob = workload({ kind: "CronJob", images: { app: `nginx:1.27@${digestOf("a")}` } })
      const pinned = `${source}@${digestOf("a")}`
      store.putWorkload(cronJob)
      inventory.want(cronJob.key, [pinned])
      inventory.set(pinned, backedUp())
      yield* queue.offer(cronJob.key)
      yield* tick
      assert.isNotEmpty(it.patches)
      assert.deepStrictEqual(asked, [])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("sends no patch that waited for a permit while DRY_RUN was switched on, or its plan changed", () => {
    const it = loop(Effect.delay(Effect.succeed({ _tag: "Gone" }), "30 seconds"))
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      for (let index = 0; index < 30; index++) {
        const cronJob = workload({ kind: "CronJob", name: `job-${index}` })
        store.putWorkload(cronJob)
        inventory.want(cronJob.key, [source])
        inventory.set(source, backedUp())
        yield* queue.offer(cronJob.key)
      }
      yield* tick
      const begun = it.patches.length
      assert.isBelow(begun, 30)
      const settings = yield* SettingsRef
      yield* SubscriptionRef.update(settings, (now) => ({ ...now, DRY_RUN: true }))
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(it.patches.length, begun)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect.each([{ DRY_RUN: true }, { REWRITE_MODE: "off" }, { NAMESPACES_TO_IGNORE: ["shop"] }] as const)(
    "sends no patch after $0 that was said while its source was asked with the permit in hand",
    (said) => {
      const it = loop(Effect.succeed({ _tag: "Gone" }), {}, () => undefined, "4 seconds")
      return Effect.gen(function*() {
        const { inventory, queue, store } = yield* it.start
        const cronJob = workload({ kind: "CronJob" })
        store.putWorkload(cronJob)
        inventory.want(cronJob.key, [source])
        inventory.set(source, backedUp())
        yield* queue.offer(cronJob.key)
        // four seconds for its turn, and two of four for what it is decided by
        yield* TestClock.adjust("6 seconds")
        const settings = yield* SettingsRef
        yield* SubscriptionRef.update(settings, (now) => ({ ...now, ...said }))
        yield* TestClock.adjust("5 minutes")
        assert.deepStrictEqual(it.patches, [])
      }).pipe(Effect.provide(it.layer))
    }
  )

  it.effect("begins no rollout that waited for a permit while their number was lowered", () => {
    const it = loop(Effect.delay(Effect.succeed({ _tag: "Gone" }), "30 seconds"), { MAX_CONCURRENT_ROLLOUTS: 20 })
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      store.putPod(pod({ name: "proof", images: { app: copy } }))
      yield* queue.offer("Pod/shop/proof")
      yield* tick
      for (let index = 0; index < 20; index++) {
        const deployment = workload({ name: `web-${index}` })
        store.putWorkload(deployment)
        store.putPod(pod({ owner: deployment, name: deployment.name, digest: digestOf("a") }))
        inventory.want(deployment.key, [source])
        inventory.set(source, backedUp())
        yield* queue.offer(deployment.key)
      }
      yield* tick
      const begun = it.patches.length
      assert.isBelow(begun, 20)
      assert.isAbove(begun, 1)
      const settings = yield* SettingsRef
      yield* SubscriptionRef.update(settings, (now) => ({ ...now, MAX_CONCURRENT_ROLLOUTS: 1 }))
      yield* TestClock.adjust("59 seconds")
      assert.isAtMost(it.patches.length, begun + 1)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("gives up what a patch made ours once the controller has seen it, or would have lost its word to us", () => {
    const it = loop(Effect.succeed({ _tag: "Gone" }))
    return Effect.gen(function*() {
      const { queue, store } = yield* it.start
      const done = { images: { app: copy }, templateAnnotations: annotated }
      const held = [{ manager: "image-cloner", operation: "Update", fieldsV1: ownedImage }]
      const cases = [
        { name: "seen", metadata: { managedFields: held } },
        { name: "unseen", metadata: { generation: 2, managedFields: held } },
        { name: "given", metadata: { managedFields: [] } },
        { name: "job", kind: "CronJob", metadata: { managedFields: held } }
      ] as const
      for (const given of cases) {
        const of = workload({ ...done, ...given })
        store.putWorkload(of)
        yield* queue.offer(of.key)
        yield* tick
      }
      assert.deepStrictEqual(it.disowned, ["Deployment/shop/seen", "CronJob/shop/job"])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("looks again after a patch that came too late, and gives its place back", () => {
    const it = loop(Effect.succeed({ _tag: "Changed" }), { MAX_CONCURRENT_ROLLOUTS: 1 })
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      for (const name of ["a", "b"]) {
        const deployment = workload({ name })
        store.putWorkload(deployment)
        store.putPod(pod({ owner: deployment, name, digest: digestOf("a") }))
        inventory.want(deployment.key, [source])
      }
      store.putPod(pod({ name: "proof", images: { app: copy } }))
      inventory.set(source, backedUp())
      for (const key of store.keys()) yield* queue.offer(key)
      yield* TestClock.adjust("3 seconds")
      assert.includeMembers(it.patches.map((patch) => patch.key), ["Deployment/shop/a", "Deployment/shop/b"])
    }).pipe(Effect.provide(it.layer))
  })

  // seen: 301 patches in five minutes
  it.effect("tries less and less often while others change it before each patch, though every change wakes it", () => {
    const it = loop(Effect.succeed({ _tag: "Changed" }))
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      const deployment = workload(unstarted)
      inventory.want(deployment.key, [source])
      inventory.set(source, backedUp())
      for (let change = 0; change < 1500; change++) {
        store.putWorkload({ ...deployment, generation: change })
        yield* queue.offer(deployment.key)
        yield* TestClock.adjust("200 millis")
      }
      assert.isAtMost(it.patches.length, 12)
      assert.isAtLeast(it.patches.length, 8)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("rests for minutes after a policy refused its patch", () => {
    const it = loop(Effect.fail(kubeError("Denied")))
    return Effect.gen(function*() {
      const { decisions, inventory, queue, store } = yield* it.start
      const deployment = workload(unstarted)
      store.putWorkload(deployment)
      inventory.want(deployment.key, [source])
      inventory.set(source, backedUp())
      yield* queue.offer(deployment.key)
      yield* TestClock.adjust("4 minutes")
      assert.strictEqual(it.patches.length, 1)
      // whoever looks is told, also when pods have had it looked at again
      for (const _ of [1, 2]) {
        const { verdict } = decisions.get(deployment.key)!
        assert.strictEqual(verdict._tag === "Held" && verdict.reason, "refused")
        assert.include(verdict._tag === "Held" ? verdict.detail : "", "PATCH /x")
        yield* queue.offer(deployment.key)
        yield* tick
      }
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(it.patches.length, 2)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is not sent again after a refusal because pods change, but at once when the workload does", () => {
    const it = loop(Effect.fail(kubeError("Denied")))
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      const deployment = workload(unstarted)
      store.putWorkload(deployment)
      inventory.want(deployment.key, [source])
      inventory.set(source, backedUp())
      for (let change = 0; change < 3; change++) {
        yield* queue.offer(deployment.key)
        yield* tick
      }
      assert.strictEqual(it.patches.length, 1)
      store.putWorkload({ ...deployment, generation: 2 })
      yield* queue.offer(deployment.key)
      yield* tick
      assert.strictEqual(it.patches.length, 2)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is not held up by another namespace whose patches take long", () => {
    const it = loop(Effect.delay(Effect.succeed({ _tag: "Gone" }), "30 seconds"))
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      store.putNamespace({ name: "other", uid: "other", marks: { ignore: undefined, rewrite: undefined } })
      const slow = Array.from({ length: 30 }, (_, index) => workload({ kind: "CronJob", name: `slow-${index}` }))
      const quick = workload({ kind: "CronJob", namespace: "other" })
      for (const cronJob of [...slow, quick]) {
        store.putWorkload(cronJob)
        inventory.want(cronJob.key, [source])
        inventory.set(source, backedUp())
        yield* queue.offer(cronJob.key)
      }
      yield* TestClock.adjust("31 seconds")
      assert.include(it.patches.map((patch) => patch.key), quick.key)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("waits as long as the API server asks", () => {
    const it = loop(Effect.fail(kubeError("TooManyRequests", { retryAfter: Duration.seconds(90), retryable: true })))
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      const deployment = workload(unstarted)
      store.putWorkload(deployment)
      inventory.want(deployment.key, [source])
      inventory.set(source, backedUp())
      yield* queue.offer(deployment.key)
      yield* TestClock.adjust("85 seconds")
      assert.strictEqual(it.patches.length, 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(it.patches.length, 2)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("that is gone wants nothing any more", () => {
    const it = loop(Effect.succeed({ _tag: "Gone" }))
    return Effect.gen(function*() {
      const { decisions, inventory, queue, store } = yield* it.start
      const deployment = workload()
      store.putWorkload(deployment)
      yield* queue.offer(deployment.key)
      yield* tick
      assert.strictEqual(inventory.all.length, 1)
      store.remove("workload", deployment.key)
      yield* queue.offer(deployment.key)
      yield* tick
      assert.deepStrictEqual([inventory.all, [...decisions.all]], [[], []])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("that newly uses a tag has it compared with its source, which may have moved since", () => {
    const it = loop(Effect.succeed({ _tag: "Changed" }))
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      inventory.want("Deployment/shop/old", [source])
      inventory.set(source, backedUp())
      const images = yield* ImageQueue
      yield* TestClock.adjust("11 minutes")
      const owner = workload({ kind: "Job" })
      for (const user of [pod({ owner }).workload, workload({ kind: "CronJob" })]) {
        if (user.kind === "Pod") store.putPod(pod({ owner }))
        else store.putWorkload(user)
        yield* queue.offer(user.key)
        yield* tick
        const compared = inventory.state(source)?._tag === "Pending" && (yield* images.depth) === 1
        assert.strictEqual(compared, user.kind === "CronJob")
      }
      assert.deepStrictEqual(it.patches, [])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("waits for its namespace, which may opt it out", () => {
    const it = loop(Effect.succeed({ _tag: "Changed" }))
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      const deployment = workload({ namespace: "new" })
      store.putWorkload(deployment)
      yield* queue.offer(deployment.key)
      yield* tick
      assert.deepStrictEqual(inventory.all, [])
      const namespace = { name: "new", uid: "new", marks: { ignore: undefined, rewrite: undefined } }
      for (const key of store.putNamespace(namespace)) yield* queue.offer(key)
      yield* tick
      assert.strictEqual(inventory.all.length, 1)
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("keeps its turn while its copies are looked at again", () => {
    const it = loop(Effect.succeed({ _tag: "Changed" }), { MAX_CONCURRENT_ROLLOUTS: 1 })
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      const pacing = yield* Pacing
      store.putPod(pod({ name: "proof", images: { app: copy } }))
      const other = workload({ name: "other" })
      const request: Request = { as: "rollout", limit: 1, ...anyPulls }
      yield* queue.offer("Pod/shop/proof")
      yield* tick
      yield* pacing.admit(other, request)
      for (const name of ["a", "b"]) {
        const deployment = workload({ name })
        store.putWorkload(deployment)
        store.putPod(pod({ owner: deployment, name, digest: digestOf("a") }))
        inventory.want(deployment.key, [source])
        inventory.set(source, backedUp())
        yield* queue.offer(deployment.key)
        yield* tick
      }
      yield* TestClock.adjust("11 minutes")
      yield* queue.offer("Deployment/shop/a")
      yield* tick
      yield* pacing.release(other.key)
      assert.deepStrictEqual(yield* pacing.next(1), ["Deployment/shop/a"])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("touches nothing while DRY_RUN is on, and says what it would do", () => {
    const it = loop(Effect.succeed({ _tag: "Changed" }), { DRY_RUN: true })
    return Effect.gen(function*() {
      const { decisions, queue, store } = yield* it.start
      const deployment = workload(unstarted)
      store.putWorkload(deployment)
      yield* queue.offer(deployment.key)
      yield* tick
      const decision = decisions.get(deployment.key)
      assert.deepStrictEqual(it.patches, [])
      assert.deepStrictEqual(decision?.verdict, {
        _tag: "Held",
        reason: "dry-run",
        detail: `it would be rewritten: app nginx:1.27 → ${copy}`
      })
      assert.deepStrictEqual(decision === undefined ? [] : [outcomeOf(decision), ...reasonsOf(decision)], [
        "held",
        "dry-run"
      ])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("what somebody rolled back rests until its pods have been ready for fifteen minutes, and is then rewritten", () => {
    const it = loop(Effect.succeed({ _tag: "Gone" }))
    return Effect.gen(function*() {
      const { decisions, inventory, queue, store } = yield* it.start
      const of = (number: number, history: object = {}) => ({
        metadata: { annotations: { "deployment.kubernetes.io/revision": String(number), ...history } }
      })
      const deployment = workload(of(3))
      const owner = { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: deployment.uid, controller: true }
      const replicaSet = (number: number, tag: string, history?: object) => {
        const { metadata } = of(number, history)
        const uid = `set-${number}`
        return workload({
          kind: "ReplicaSet",
          name: `web-${number}`,
          images: { app: `nginx:${tag}` },
          metadata: { ...metadata, uid, ownerReferences: [owner] }
        })
      }
      const newest = replicaSet(3, "1.27", { "deployment.kubernetes.io/revision-history": "1" })
      for (const one of [deployment, replicaSet(2, "1.28"), newest]) store.putWorkload(one)
      store.putPod(pod({ owner: newest, digest: digestOf("a"), readySince: 0 }))
      inventory.want(deployment.key, [source])
      inventory.set(source, backedUp())
      yield* queue.offer(deployment.key)
      yield* tick
      const { verdict } = decisions.get(deployment.key)!
      assert.strictEqual(verdict._tag === "Held" && verdict.reason, "rollback")
      assert.include(verdict._tag === "Held" ? verdict.detail : "", "rollout undo deployment/web --to-revision=2")
      assert.deepStrictEqual(it.patches, [])
      // it wakes by itself
      const seenNow = { _tag: "BackedUp", digest: digestOf("a"), contents: new Set([digestOf("a")]) } as const
      yield* TestClock.adjust("898 seconds")
      inventory.set(source, { ...seenNow, verifiedAt: 898_000 })
      assert.deepStrictEqual(it.patches, [])
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(it.patches[0]?.key, deployment.key)
    }).pipe(Effect.provide(it.layer))
  })

  // the model: the backup lost a copy that nobody was pointed to any more, and no new node could pull it for ever
  it.effect("has the copy looked at again that its pods cannot pull", () => {
    const it = loop(Effect.succeed({ _tag: "Gone" }))
    return Effect.gen(function*() {
      const { inventory, queue, store } = yield* it.start
      const deployment = workload({ images: { app: copy }, templateAnnotations: annotated })
      store.putWorkload(deployment)
      inventory.want(deployment.key, [source])
      inventory.set(source, backedUp())
      store.putPod(pod({ owner: deployment, images: { app: copy }, digest: digestOf("a") }))
      yield* queue.offer(deployment.key)
      yield* tick
      assert.strictEqual(yield* (yield* ImageQueue).depth, 0)
      const waiting = { waiting: { reason: "ImagePullBackOff" } }
      store.putPod(pod({ owner: deployment, name: "new", images: { app: copy }, ready: false, state: waiting }))
      yield* queue.offer(deployment.key)
      yield* tick
      assert.strictEqual(yield* (yield* ImageQueue).depth, 1)
    }).pipe(Effect.provide(it.layer))
  })
})
