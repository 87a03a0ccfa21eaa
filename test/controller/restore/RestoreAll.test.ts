import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { applyPatch } from "rfc6902"
import { SourceTags } from "../../../src/clone/SourceTags.ts"
import { type Event, restoreAll, undoMarks } from "../../../src/controller/restore/RestoreAll.ts"
import * as Snapshot from "../../../src/controller/Snapshot.ts"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import { KubeError } from "../../../src/kube/KubeError.ts"
import { RegistryClient } from "../../../src/registry/RegistryClient.ts"
import { type Outcome, Rewriter } from "../../../src/rewrite/Rewriter.ts"
import { collectionPath, kindOf, kinds, objectPath, type WorkloadKind } from "../../../src/workload/Kinds.ts"
import type { Workload } from "../../../src/workload/Workload.ts"
import { digestOf, podObject, templated, workload } from "../../support/Objects.ts"

const target = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const original = "nginx:1.27"
const digest = digestOf("a")

interface Stored {
  object: Record<string, unknown>
  pod: Record<string, unknown>
}

const at = (object: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((it, key) => typeof it === "object" && it !== null ? Reflect.get(it, key) : undefined, object)

const missing = (path: string) =>
  new KubeError({
    operation: `GET ${path}`,
    reason: "NotFound",
    status: 404,
    detail: "not found",
    causes: [],
    retryAfter: undefined,
    retryable: false,
    outcomeUnknown: false
  })

/**
 * A cluster of Deployments that were rewritten, each with one pod. What a patch makes of one comes up after `rollout`, or never
 * where `stuck` names it. The first `lost` patches come too late.
 */
const cluster = (given: { readonly names: ReadonlyArray<string>; readonly stuck?: string; readonly lost?: number }) => {
  const stored = new Map<string, Stored>()
  const kind: WorkloadKind = "Deployment"
  let lost = given.lost ?? 0
  const patched: Array<string> = []
  const events: Array<Event> = []
  const podOf = (name: string, of: Workload, image: string, pulls = true) =>
    podObject({
      owner: of,
      name,
      namespace: "shop",
      images: { app: image },
      ready: pulls,
      ...(pulls ? { digest } : { state: { waiting: { reason: "ImagePullBackOff", message: "no route to host" } } })
    })
  for (const name of given.names) {
    const object = templated({
      name,
      images: { app: copy },
      templateAnnotations: { "image-cloner.io/original-images": JSON.stringify({ app: original }) },
      metadata: { annotations: { "deployment.kubernetes.io/revision": "1" } }
    })
    stored.set(name, { object, pod: podOf(`${name}-1`, workload({ name }), copy) })
  }
  const namesUnderWay = () =>
    [...stored].flatMap(([name, { object }]) =>
      at(object, "metadata", "generation") === at(object, "status", "observedGeneration") ? [] : [name]
    )
  /** Its controller brings its pods to what its template says. */
  const rollOut = (name: string) => {
    const it = stored.get(name)
    if (it === undefined || name === given.stuck) return
    const { metadata, status } = it.object
    it.object = { ...it.object, status: { ...Object(status), observedGeneration: at(metadata, "generation") } }
    it.pod = podOf(`${name}-2`, workload({ name }), original)
  }
  const get = (path: string) => {
    const list = (items: ReadonlyArray<unknown>) => Effect.succeed({ metadata: { resourceVersion: "1" }, items })
    for (const [name, { object }] of stored) {
      if (path === objectPath(kindOf(kind), "shop", name)) return Effect.succeed(object)
    }
    if (path === collectionPath(kindOf(kind)) || path.endsWith("/shop/deployments")) {
      return list([...stored.values()].map((it) => it.object))
    }
    if (path.endsWith("/pods")) return list([...stored.values()].map((it) => it.pod))
    const other = kinds.some((it) => path.endsWith(`/${it.resource}`)) ||
      /\/(namespaces|nodes|serviceaccounts)$/.test(path)
    return other ? list([]) : Effect.fail(missing(path))
  }
  const layer = Layer.mergeAll(
    Layer.mock(KubeClient, { server: "https://127.0.0.1", request: ({ path }) => get(path) }),
    Layer.mock(RegistryClient, { roleOf: () => "source", budgetOf: () => undefined }),
    Layer.mock(SourceTags, { named: () => Effect.succeedSome(digest) }),
    Layer.mock(Rewriter, {
      disown: () => Effect.succeed("done"),
      apply: (of, operations) =>
        Effect.sync((): Outcome => {
          if (lost-- > 0) return { _tag: "Changed" }
          const it = stored.get(of.name)
          if (it === undefined) return { _tag: "Gone" }
          patched.push(of.name)
          const object = structuredClone(it.object)
          // `test` with null holds for what is not there, at the API server
          applyPatch(object, operations.flatMap((op) => op.op === "test" && op.value === null ? [] : [{ ...op }]))
          const generation = Number(at(object, "metadata", "generation")) + 1
          it.object = { ...object, metadata: { ...Object(object["metadata"]), generation } }
          if (of.name === given.stuck) it.pod = podOf(`${of.name}-2`, workload({ name: of.name }), original, false)
          return { _tag: "Applied", after: of }
        })
    })
  )
  const options = {
    target,
    scope: { _tag: "All" } as const,
    dry: false,
    limit: 2,
    look: Effect.map(Snapshot.fromCluster(), (it) => it.store),
    say: (event: Event) => Effect.sync(() => void events.push(event))
  }
  return { stored, patched, events, namesUnderWay, rollOut, layer, options }
}

const five = ["a", "b", "c", "d", "e"]

describe("restoring", () => {
  it.effect("begins no more at once than rollouts may be under way, and goes on as they come back", () => {
    const it = cluster({ names: five })
    return Effect.gen(function*() {
      const restoring = yield* Effect.forkChild(restoreAll(it.options))
      let most = 0
      for (let round = 0; round < five.length; round++) {
        yield* TestClock.adjust("4 seconds")
        most = Math.max(most, it.namesUnderWay().length)
        const [first] = it.namesUnderWay()
        if (first !== undefined) it.rollOut(first)
      }
      yield* TestClock.adjust("10 seconds")
      const result = yield* Fiber.join(restoring)
      assert.strictEqual(most, 2)
      assert.deepStrictEqual(it.patched, five)
      assert.deepStrictEqual([result.left, result.rest], [[], []])
      assert.deepStrictEqual(result.outcomes.map(({ _tag }) => _tag), five.map(() => "Restored"))
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("begins no further one where one does not come up", () => {
    const it = cluster({ names: five, stuck: "a" })
    return Effect.gen(function*() {
      const restoring = yield* Effect.forkChild(restoreAll({ ...it.options, limit: 1 }))
      // nothing but the deadline tells, where no status names its new revision
      yield* TestClock.adjust("2 hours")
      const result = yield* Fiber.join(restoring)
      assert.deepStrictEqual(it.patched, ["a"])
      assert.deepStrictEqual(result.left.map(({ key, reason }) => [key, reason]), [
        ["Deployment/shop/a", "stuck"],
        ...["b", "c", "d", "e"].map((name) => [`Deployment/shop/${name}`, "stopped"])
      ])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("looks again where its patch comes too late, and gives up after five times", () => {
    const lucky = cluster({ names: ["a"], lost: 4 })
    const unlucky = cluster({ names: ["a"], lost: 5 })
    return Effect.gen(function*() {
      const restoring = yield* Effect.forkChild(Effect.provide(restoreAll(lucky.options), lucky.layer))
      yield* TestClock.adjust("9 seconds")
      lucky.rollOut("a")
      yield* TestClock.adjust("9 seconds")
      assert.deepStrictEqual((yield* Fiber.join(restoring)).left, [])
      const failing = yield* Effect.forkChild(Effect.provide(restoreAll(unlucky.options), unlucky.layer))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual((yield* Fiber.join(failing)).left.map((left) => left.reason), ["changed"])
      assert.deepStrictEqual(unlucky.patched, [])
    })
  })

  it.effect("goes on, when it is run again, with what was put back and has not come up", () => {
    const it = cluster({ names: ["a", "b"] })
    return Effect.gen(function*() {
      const first = yield* Effect.forkChild(restoreAll({ ...it.options, limit: 1 }))
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.interrupt(first)
      assert.deepStrictEqual(it.patched, ["a"])
      const again = yield* Effect.forkChild(restoreAll({ ...it.options, limit: 1 }))
      yield* TestClock.adjust("3 seconds")
      // it keeps the one place that there is
      assert.deepStrictEqual(it.patched, ["a"])
      it.rollOut("a")
      yield* TestClock.adjust("3 seconds")
      it.rollOut("b")
      yield* TestClock.adjust("5 seconds")
      const result = yield* Fiber.join(again)
      assert.deepStrictEqual([it.patched, result.left], [["a", "b"], []])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("as a dry run asks everything and changes nothing", () => {
    const it = cluster({ names: five })
    return Effect.gen(function*() {
      const result = yield* restoreAll({ ...it.options, dry: true })
      assert.deepStrictEqual(it.patched, [])
      assert.deepStrictEqual(result.outcomes.map(({ _tag }) => _tag), five.map(() => "Planned"))
      assert.deepStrictEqual(result.left, [])
      assert.deepStrictEqual(yield* undoMarks({ ...it.options, dry: true }), [])
    }).pipe(Effect.provide(it.layer))
  })

  it.effect("names what was asked for and is not there", () => {
    const it = cluster({ names: [] })
    return Effect.gen(function*() {
      const scope = { _tag: "Named", keys: new Set(["Deployment/shop/gone"]) } as const
      const result = yield* restoreAll({ ...it.options, scope })
      assert.deepStrictEqual(result.left.map(({ key, reason }) => [key, reason]), [[
        "Deployment/shop/gone",
        "not-found"
      ]])
      const undone = yield* undoMarks({ ...it.options, scope })
      assert.deepStrictEqual(undone.map(({ key, problem }) => [key, problem]), [
        ["Deployment/shop/gone", "there is no such workload"]
      ])
    }).pipe(Effect.provide(it.layer))
  })
})
