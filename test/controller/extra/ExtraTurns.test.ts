import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { WorkloadQueue } from "../../../src/controller/Queues.ts"
import { ExtraTurns, make } from "../../../src/controller/extra/ExtraTurns.ts"
import { Workloads, WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import { fieldManager } from "../../../src/workload/Marks.ts"
import { originalsAnnotation } from "../../../src/workload/Originals.ts"
import { held, type Verdict } from "../../../src/workload/Verdict.ts"
import { rolloutOf } from "../../support/ExtraObjects.ts"
import { pod, workload } from "../../support/Objects.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const patchedAt = Date.UTC(2026, 0, 1)
const hour = 3600 * 1000
const at = (now: number) => ({ now, uptime: now - patchedAt })

/** One that we have rewritten. */
const rewritten = (name: string, namespace = "shop") =>
  rolloutOf({
    name,
    namespace,
    images: { app: copy },
    metadata: {
      generation: 2,
      annotations: { [originalsAnnotation]: "{\"app\":\"nginx:1.27\"}" },
      managedFields: [{
        manager: fieldManager,
        operation: "Update",
        time: new Date(patchedAt).toISOString(),
        fieldsV1: { "f:metadata": { "f:annotations": { [`f:${originalsAnnotation}`]: {} } } }
      }]
    }
  })

const world = (...of: ReadonlyArray<ReturnType<typeof rolloutOf>>) => {
  const store = new Workloads()
  for (const it of of) store.putWorkload(it)
  return { store, turns: new ExtraTurns(store, backup) }
}

const next = rolloutOf({ name: "next" })

describe("of objects of EXTRA_KINDS in a namespace one", () => {
  it("waits until the pods of the one before are ready, and none is from before", () => {
    const before = rewritten("before")
    const { store, turns } = world(before, next)
    const old = pod({ name: "old", owner: before, images: { app: "nginx:1.27" } })
    store.putPod(old)
    assert.include(
      turns.take(next, at(patchedAt + 1000)),
      "Rollout.argoproj.io/shop/before was rewritten, and pods of it from before"
    )
    store.putPod(pod({ name: "new", owner: before, images: { app: copy }, ready: false }))
    assert.include(turns.take(next, at(patchedAt + 1000)), "its pod new is not ready yet")
    store.putPod(pod({ name: "new", owner: before, images: { app: copy } }))
    store.remove("pod", old.workload.key)
    assert.isUndefined(turns.take(next, at(patchedAt + 1000)))
  })

  it("waits for none that nobody rewrote, that is long ago, or that is in another namespace", () => {
    const cases = [rolloutOf({ name: "other" }), rewritten("before", "elsewhere"), rewritten("before")]
    for (const [index, before] of cases.entries()) {
      const { store, turns } = world(before, next)
      store.putPod(
        pod({ name: "late", owner: before, namespace: before.namespace, images: { app: copy }, ready: false })
      )
      assert.isUndefined(turns.take(next, at(patchedAt + (index === 2 ? 7 * hour : 1000))), before.key)
    }
  })

  it("waits for a patch that is on its way, and for one that the cluster does not show, half a minute", () => {
    const first = rolloutOf({ name: "first" })
    const { store, turns } = world(first, next)
    assert.isUndefined(turns.take(first, at(patchedAt)))
    assert.isUndefined(turns.take(first, at(patchedAt)))
    assert.include(turns.take(next, at(patchedAt + hour)), "first of EXTRA_KINDS is being rewritten")
    turns.leave(first, hour)
    assert.include(turns.take(next, at(patchedAt + hour + 29_000)), "first of EXTRA_KINDS is being rewritten")
    assert.isUndefined(turns.take(next, at(patchedAt + hour + 30_000)))
    turns.leave(next, 0)
    store.remove("workload", next.key)
    assert.isUndefined(turns.take(first, at(patchedAt)))
    turns.leave(first, 0)
    store.putWorkload(rewritten("first"))
    assert.isUndefined(turns.take(next, at(patchedAt + 1000)))
  })
})

describe("rewriting in turn", () => {
  const context = Layer.mergeAll(WorkloadStore.layer, WorkloadQueue.layer)
  const done: Verdict = { _tag: "Done" }

  it.effect("holds the next while a patch is made, and asks again; other kinds take no turn", () =>
    Effect.gen(function*() {
      const store = yield* WorkloadStore
      const queue = yield* WorkloadQueue
      const first = rolloutOf({ name: "first" })
      for (const it of [first, next]) store.putWorkload(it)
      const inTurn = yield* make(backup)
      const patch = yield* Deferred.make<Verdict>()
      const of = (it: typeof first) => ({ workload: it, ...at(patchedAt) })
      const making = yield* Effect.forkChild(inTurn(of(first), Deferred.await(patch)))
      yield* Effect.yieldNow
      const waits = yield* inTurn(of(next), Effect.die("it is not its turn"))
      assert.deepStrictEqual([waits._tag, "reason" in waits && waits.reason], ["Held", "paced"])
      assert.deepStrictEqual(yield* inTurn(of(workload()), Effect.succeed(done)), done)
      yield* TestClock.adjust("15 seconds")
      assert.strictEqual(yield* queue.depth, 1)
      yield* Deferred.succeed(patch, done)
      assert.deepStrictEqual(yield* Fiber.join(making), done)
      store.remove("workload", first.key)
      assert.deepStrictEqual(yield* inTurn(of(next), Effect.succeed(done)), done)
    }).pipe(Effect.provide(context)))

  it.effect("gives its turn up where it is held: no patch was made that the next would have to wait for", () =>
    Effect.gen(function*() {
      const store = yield* WorkloadStore
      const first = rolloutOf({ name: "first" })
      for (const it of [first, next]) store.putWorkload(it)
      const inTurn = yield* make(backup)
      const of = (it: typeof first) => ({ workload: it, ...at(patchedAt) })
      yield* inTurn(of(first), Effect.succeed(held("pull-unproven", "nothing has shown it")))
      assert.deepStrictEqual(yield* inTurn(of(next), Effect.succeed(done)), done)
      assert.strictEqual((yield* inTurn(of(first), Effect.die("it is not its turn")))._tag, "Held")
    }).pipe(Effect.provide(context)))

  it.effect("leaves its turn when it is interrupted", () =>
    Effect.gen(function*() {
      const store = yield* WorkloadStore
      const first = rolloutOf({ name: "first" })
      for (const it of [first, next]) store.putWorkload(it)
      const inTurn = yield* make(backup)
      const of = (it: typeof first) => ({ workload: it, now: patchedAt, uptime: 31_000 })
      const making = yield* Effect.forkChild(inTurn(of(first), Effect.never))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(making)
      assert.deepStrictEqual(yield* inTurn({ ...of(next), uptime: 3600_000 }, Effect.succeed(done)), done)
    }).pipe(Effect.provide(context)))
})
