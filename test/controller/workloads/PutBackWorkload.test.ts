import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Layer, Option, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { SourceTags } from "../../../src/clone/SourceTags.ts"
import { Decisions } from "../../../src/controller/Decisions.ts"
import { Events } from "../../../src/controller/events/Events.ts"
import { WorkloadQueue } from "../../../src/controller/Queues.ts"
import * as ReconcileWorkload from "../../../src/controller/workloads/ReconcileWorkload.ts"
import type { Digest } from "../../../src/image/Digest.ts"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import { Pacing } from "../../../src/rewrite/Pacing.ts"
import { type Outcome, Rewriter } from "../../../src/rewrite/Rewriter.ts"
import { backup, type Settings, settingsOf } from "../../../src/settings/Settings.ts"
import { SettingsRef } from "../../../src/settings/SettingsRef.ts"
import { Inventory } from "../../../src/store/Inventory.ts"
import { WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import type { Operation } from "../../../src/workload/Patch.ts"
import { withoutSecrets } from "../../../src/workload/PullSet.ts"
import { controllerState } from "../../support/ControllerState.ts"
import { anyPulls, digestOf, type Given, ownedImage, pod, resources, workload } from "../../support/Objects.ts"

const one = digestOf("a")
const two = digestOf("b")
const nginx = "docker.io/library/nginx:1.27"
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const event = "pods \"web-0\" is forbidden: violates PodSecurity \"restricted\""

/** Rewritten by us when the test's clock begins; nothing of it is reached. */
const rewritten = (given: Given = {}) =>
  workload({
    images: { app: copy },
    templateAnnotations: { "image-cloner.io/original-images": "{\"app\":\"nginx:1.27\"}" },
    ...given,
    metadata: {
      managedFields: [{
        manager: "image-cloner",
        operation: "Update",
        time: "1970-01-01T00:00:00Z",
        fieldsV1: ownedImage
      }],
      ...given.metadata
    },
    status: {
      updatedReplicas: 0,
      currentRevision: "web-1",
      updateRevision: "web-2",
      conditions: [{ type: "Progressing", status: "True", reason: "ReplicaSetUpdated" }],
      ...given.status
    }
  })

const cannotPull = (owner: ReturnType<typeof workload>, reason = "ImagePullBackOff", message = "401 unauthorized") =>
  pod({
    owner,
    name: "web-new",
    images: { app: copy },
    ready: false,
    state: { waiting: { reason, message } }
  })

interface Sent {
  readonly purpose: string
  readonly operations: ReadonlyArray<Operation>
}

/** The workload loop with one workload, where sources name what `source` says. */
const stage = (
  source: Record<string, Digest>,
  settings: Partial<Settings> = {},
  sourceTakes: Duration.Input = "0 seconds",
  refusedAt = "2026-01-01T00:00:00Z"
) => {
  const sent: Array<Sent> = []
  const told: Array<string> = []
  const layer = Layer.mergeAll(
    Layer.succeed(Events, {
      tell: ({ reason }) => Effect.sync(() => void told.push(reason)),
      take: Effect.never,
      forget: () => Effect.void
    }),
    Layer.mock(Rewriter, {
      apply: (_, operations, purpose) =>
        Effect.sync((): Outcome => {
          sent.push({ purpose, operations })
          return { _tag: "Applied", after: workload({ metadata: { generation: 2 } }) }
        }),
      disown: () => Effect.succeed("done")
    }),
    Layer.mock(KubeClient, {
      server: "https://127.0.0.1",
      request: () => Effect.succeed({ items: [{ message: event, lastTimestamp: refusedAt }] })
    }),
    Layer.mock(SourceTags, {
      named: (of) => Effect.delay(Effect.sync(() => Option.fromNullishOr(source[of])), sourceTakes)
    }),
    controllerState(settings)
  )
  const start = Effect.gen(function*() {
    const store = yield* WorkloadStore
    for (const resource of resources) store.markSynced(resource)
    store.putNamespace({ name: "shop", uid: "shop", marks: { ignore: undefined, rewrite: undefined } })
    const queue = yield* WorkloadQueue
    yield* Effect.forkScoped(queue.run("unbounded", yield* ReconcileWorkload.make({ ownNamespace: Option.none() })))
    const inventory = yield* Inventory
    const look = (of: ReturnType<typeof workload>, pods: ReadonlyArray<ReturnType<typeof pod>>) =>
      Effect.gen(function*() {
        store.putWorkload(of)
        for (const it of pods) store.putPod(it)
        yield* queue.offer(of.key)
        yield* TestClock.adjust("500 millis")
        const verdict = (yield* Decisions).get(of.key)?.verdict
        return verdict !== undefined && "reason" in verdict ? verdict : undefined
      })
    const backedUp = (digest: Digest) => {
      inventory.want("somebody", [nginx])
      inventory.set(nginx, { _tag: "BackedUp", digest, contents: new Set([digest]), verifiedAt: 0 })
    }
    return { look, backedUp, pacing: yield* Pacing }
  })
  /** The image that the container was given, by each patch. */
  const images = () =>
    sent.flatMap((it) => it.operations.flatMap((op) => op.op === "replace" && "value" in op ? [op.value] : []))
  return { sent, told, images, layer, start }
}

describe("pods that cannot pull the copies are put back", () => {
  it.effect.each([{ DRY_RUN: true }, { REWRITE_MODE: "off" }, { NAMESPACES_TO_IGNORE: ["shop"] }] as const)(
    "but not after $0 that was said while the source was asked",
    (said) => {
      const it = stage({ [nginx]: one }, {}, "4 seconds")
      return Effect.gen(function*() {
        const { backedUp, look } = yield* it.start
        backedUp(one)
        const of = rewritten()
        yield* look(of, [cannotPull(of)])
        const settings = yield* SettingsRef
        yield* SubscriptionRef.update(settings, (now) => ({ ...now, ...said }))
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(it.sent, [])
      }).pipe(Effect.provide(it.layer))
    }
  )

  it.effect("to the original, where its tag still means what ran", () => {
    const it = stage({ [nginx]: one })
    return Effect.gen(function*() {
      const { backedUp, look } = yield* it.start
      backedUp(one)
      const of = rewritten()
      const verdict = yield* look(of, [cannotPull(of)])
      assert.deepStrictEqual(it.images(), ["nginx:1.27"])
      assert.deepStrictEqual(it.sent.map(({ purpose }) => purpose), ["restored"])
      assert.strictEqual(verdict?.reason, "pull-unproven")
      assert.deepStrictEqual(it.told, ["PutBack"])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("to the digest that ran, where the tag has moved and the source still has it", () => {
    const it = stage({ [nginx]: two, [`${nginx}@${one}`]: one })
    return Effect.gen(function*() {
      const { backedUp, look } = yield* it.start
      backedUp(one)
      const of = rewritten()
      yield* look(of, [cannotPull(of)])
      assert.deepStrictEqual(it.images(), [`${nginx}@${one}`])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("to what the pods of before still run, where nothing else tells what ran", () => {
    const it = stage({ [nginx]: one })
    return Effect.gen(function*() {
      const { look } = yield* it.start
      const of = rewritten()
      yield* look(of, [pod({ owner: of, name: "web-old", digest: one }), cannotPull(of)])
      assert.deepStrictEqual(it.images(), ["nginx:1.27"])
    }).pipe(Effect.provide(it.layer))
  })

  // six templates were pointed to a source that was gone, six seconds after a restart
  it.effect("nowhere, where the source is gone: they are stranded, and that is said", () => {
    const it = stage({})
    return Effect.gen(function*() {
      const { backedUp, look } = yield* it.start
      backedUp(one)
      const of = rewritten()
      const verdict = yield* look(of, [cannotPull(of)])
      assert.deepStrictEqual(it.sent, [])
      assert.strictEqual(verdict?.reason, "stranded")
      assert.deepStrictEqual(it.told, ["Held"])
      assert.include(verdict?.detail, "nginx:1.27, which container app ran, was not seen at its source")
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("nowhere, where nobody knows what ran", () => {
    const it = stage({ [nginx]: one })
    return Effect.gen(function*() {
      const { look } = yield* it.start
      const of = rewritten()
      assert.strictEqual((yield* look(of, [cannotPull(of)]))?.reason, "stranded")
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("nowhere, where others of them have pulled: it is an outage, and changes nothing", () => {
    const it = stage({ [nginx]: one })
    return Effect.gen(function*() {
      const { backedUp, look } = yield* it.start
      backedUp(one)
      const of = rewritten()
      const runs = pod({ owner: of, name: "web-runs", images: { app: copy }, digest: one })
      assert.strictEqual((yield* look(of, [runs, cannotPull(of)]))?.reason, "cannot-pull")
      assert.deepStrictEqual(it.sent, [])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("with the refusal that took the proof back, where the kubelet has said it only once", () => {
    const it = stage({ [nginx]: one })
    return Effect.gen(function*() {
      const { backedUp, look, pacing } = yield* it.start
      backedUp(one)
      const target = backup(settingsOf("backup.example/copies"))
      pacing.observePod(pod({ name: "other", images: { app: copy } }), withoutSecrets, target)
      const of = rewritten()
      yield* look(of, [cannotPull(of, "ErrImagePull")])
      assert.isTrue(yield* pacing.isProven(withoutSecrets))
      const verdict = yield* look(of, [cannotPull(of, "ImagePullBackOff", `Back-off pulling image "${copy}"`)])
      assert.deepStrictEqual(it.images(), ["nginx:1.27"])
      assert.include(verdict?.detail, "401 unauthorized")
      assert.isFalse(yield* pacing.isProven(withoutSecrets))
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("half a minute after the first failure, without any change in the cluster", () => {
    const it = stage({ [nginx]: one })
    return Effect.gen(function*() {
      const { backedUp, look } = yield* it.start
      backedUp(one)
      const of = rewritten()
      yield* look(of, [cannotPull(of, "ErrImagePull")])
      assert.deepStrictEqual(it.sent, [])
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(it.images(), ["nginx:1.27"])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("never by a cure that did not help: neither side works, and both are said", () => {
    const it = stage({ [nginx]: one })
    return Effect.gen(function*() {
      const { backedUp, look, pacing } = yield* it.start
      backedUp(one)
      const of = rewritten()
      yield* pacing.admit(of, { as: "cure", limit: 1, ...anyPulls })
      yield* pacing.patched(of, "cure")
      const verdict = yield* look(of, [cannotPull(of)])
      assert.deepStrictEqual(it.sent, [])
      assert.strictEqual(verdict?.reason, "stranded")
      assert.include(verdict?.detail, "neither its source could be pulled nor its copy")
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("but nothing is put back on what another controls, is opted out, or somebody else's to write", () => {
    const it = stage({ [nginx]: one })
    return Effect.gen(function*() {
      const { backedUp, look } = yield* it.start
      backedUp(one)
      const marks = [
        { labels: { "kustomize.toolkit.fluxcd.io/name": "apps" } },
        { labels: { "image-cloner.io/ignore": "true" } },
        { ownerReferences: [{ kind: "Deployment", name: "other", uid: "uid-other", controller: true }] }
      ]
      for (const [index, metadata] of marks.entries()) {
        const of = rewritten({ name: `web-${index}`, metadata })
        yield* look(of, [cannotPull(of)])
      }
      assert.deepStrictEqual(it.sent, [])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("and while DRY_RUN is on, nothing at all", () => {
    const it = stage({ [nginx]: one }, { DRY_RUN: true })
    return Effect.gen(function*() {
      const { backedUp, look } = yield* it.start
      backedUp(one)
      const of = rewritten()
      yield* look(of, [cannotPull(of)])
      assert.deepStrictEqual(it.sent, [])
    }).pipe(Effect.provide(it.layer))
  })
})

describe("what does not come up for another reason", () => {
  it.effect("is put back after two minutes without a pod, in the policy's words, and left alone for an hour", () => {
    const it = stage({ [nginx]: one })
    return Effect.gen(function*() {
      const { backedUp, look } = yield* it.start
      backedUp(one)
      const verdict = yield* look(rewritten({ kind: "StatefulSet" }), [])
      assert.deepStrictEqual([verdict, it.sent], [undefined, []])
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(it.images(), ["nginx:1.27"])
      const mark = it.sent[0]?.operations.find((op) =>
        op.op === "add" && op.path === "/metadata/annotations/image-cloner.io~1held"
      )
      const written = String(mark !== undefined && "value" in mark ? mark.value : "")
      assert.include(written, "violates PodSecurity")
      assert.include(written, "\"until\":\"1970-01-01T01:02:0")
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is not put back where pods are missing that nothing refuses: they come one after the other", () => {
    const it = stage({ [nginx]: one }, {}, "0 seconds", "1969-12-31T00:00:00Z")
    return Effect.gen(function*() {
      const { backedUp, look } = yield* it.start
      backedUp(one)
      yield* look(rewritten({ kind: "StatefulSet" }), [])
      yield* TestClock.adjust("9 minutes")
      assert.deepStrictEqual(it.sent, [])
      yield* TestClock.adjust("1 minutes")
      assert.deepStrictEqual(it.images(), ["nginx:1.27"])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("is put back past its deadline, and quarantined", () => {
    const it = stage({ [nginx]: one })
    return Effect.gen(function*() {
      const { backedUp, look } = yield* it.start
      backedUp(one)
      const late = [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }]
      const of = rewritten({ status: { conditions: late } })
      const crash = pod({
        owner: of,
        images: { app: copy },
        ready: false,
        state: { waiting: { reason: "CrashLoopBackOff" } },
        digest: one
      })
      const verdict = yield* look(of, [crash])
      assert.strictEqual(verdict?.reason, "quarantined")
      assert.deepStrictEqual(it.images(), ["nginx:1.27"])
      const mark = JSON.stringify({
        reason: "quarantined",
        detail: verdict?.detail,
        count: 1,
        images: { app: ["nginx:1.27", copy] }
      })
      const held = workload({ metadata: { annotations: { "image-cloner.io/held": mark } } })
      const after = yield* look(held, [pod({ owner: held, digest: one })])
      assert.strictEqual(after?.reason, "quarantined")
      assert.strictEqual(it.sent.length, 1)
      assert.deepStrictEqual(it.told, ["PutBack"])
    }).pipe(Effect.provide(it.layer))
  })
})
