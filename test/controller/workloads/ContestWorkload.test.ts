import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { applyPatch } from "rfc6902"
import { SourceTags } from "../../../src/clone/SourceTags.ts"
import { Decisions } from "../../../src/controller/Decisions.ts"
import { WorkloadQueue } from "../../../src/controller/Queues.ts"
import * as ReconcileWorkload from "../../../src/controller/workloads/ReconcileWorkload.ts"
import { KubeClient } from "../../../src/kube/KubeClient.ts"
import { Pacing } from "../../../src/rewrite/Pacing.ts"
import { type Outcome, Rewriter } from "../../../src/rewrite/Rewriter.ts"
import { type Settings } from "../../../src/settings/Settings.ts"
import { Inventory } from "../../../src/store/Inventory.ts"
import { WorkloadStore } from "../../../src/store/WorkloadStore.ts"
import { kindOf, type WorkloadKind } from "../../../src/workload/Kinds.ts"
import type { Operation } from "../../../src/workload/Patch.ts"
import { projectTemplated } from "../../../src/workload/Project.ts"
import type { Workload } from "../../../src/workload/Workload.ts"
import { controllerState } from "../../support/ControllerState.ts"
import { digestOf, type Given, ownedImage, pod, resources, templated } from "../../support/Objects.ts"

const source = "docker.io/library/nginx:1.27"
const copy = "backup.example/copies/docker.io/library/nginx:1.27"

type Kind = Extract<WorkloadKind, "Deployment" | "StatefulSet" | "CronJob">

/** What is between us and the store of the API server, or changes what is in it. */
interface Others {
  /** The image that a webhook makes of the one in a patch. */
  readonly webhook?: (image: string, name: string) => string
  /** Whether somebody puts the original back a moment after each rewrite. */
  readonly restores?: (name: string) => boolean
  /** Whether they write the object as they have it, and so take away what others wrote on it. */
  readonly whole?: boolean
}

const imageAt = (kind: Kind) => `${kindOf(kind).template}/spec/containers/0/image`

/** An API server for a few objects, all with one container, and the workload loop before it. */
const cluster = (others: Others, settings: Partial<Settings> = {}) => {
  const objects = new Map<string, Record<string, unknown>>()
  const marks: Array<string> = []
  const rewrites: Array<string> = []
  const restorations: Array<() => void> = []
  let arrive: (it: Workload) => void = () => undefined

  const project = (kind: WorkloadKind, object: unknown) => projectTemplated(kindOf(kind))(object)!
  const keep = (kind: WorkloadKind, object: Record<string, unknown>, generation: number) => {
    const settled = { observedGeneration: generation }
    const next = {
      ...object,
      metadata: { ...Object(object["metadata"]), generation },
      status: { ...Object(object["status"]), ...settled }
    }
    const after = project(kind, next)
    objects.set(after.key, next)
    arrive(after)
    return after
  }
  const change = (key: string, kind: WorkloadKind, operations: ReadonlyArray<Operation>) => {
    const object = structuredClone(objects.get(key) ?? {})
    const before = project(kind, object)
    // null of what is not there is the API server's, not the library's
    const given = operations.filter((it) => !(it.op === "test" && it.value === null))
    const errors = applyPatch(object, given.map((it) => ({ ...it }))).filter((it) => it !== null)
    return errors.length > 0 ? undefined : keep(kind, object, (before.generation ?? 0) + 1)
  }

  const restore = (key: string, kind: Kind) => {
    const managedFields = [{
      manager: "restorer",
      operation: "Update",
      time: "1970-01-01T00:00:00Z",
      fieldsV1: ownedImage
    }]
    change(key, kind, [
      { op: "replace", path: imageAt(kind), value: "nginx:1.27" },
      { op: "add", path: "/metadata/managedFields", value: managedFields },
      ...(others.whole === true ? [{ op: "add" as const, path: "/metadata/annotations", value: {} }] : [])
    ])
  }

  const apply = (it: Workload, operations: ReadonlyArray<Operation>, purpose: string): Outcome => {
    const kind = it.kind as Kind // the only kinds that are made here
    const admitted = operations.map((op) =>
      op.op === "replace" ? { ...op, value: others.webhook?.(String(op.value), it.name) ?? op.value } : op
    )
    const after = change(it.key, kind, admitted)
    if (after === undefined) return { _tag: "Changed" }
    if (purpose === "marked") marks.push(it.key)
    if (purpose !== "rewritten") return { _tag: "Applied", after }
    rewrites.push(it.key)
    if (others.restores?.(it.name) === true) restorations.push(() => restore(it.key, kind))
    return { _tag: "Applied", after }
  }

  const layer = () =>
    Layer.mergeAll(
      Layer.mock(Rewriter, {
        apply: (it, operations, purpose) => Effect.sync(() => apply(it, operations, purpose)),
        disown: () => Effect.succeed("done")
      }),
      Layer.mock(KubeClient, { server: "https://127.0.0.1", request: () => Effect.succeed({ items: [] }) }),
      Layer.mock(SourceTags, { named: () => Effect.succeedNone }),
      controllerState(settings)
    )

  const make = (kind: Kind, name: string, given: Given = {}) => {
    const object = templated({ kind, name, ...given })
    objects.set(project(kind, object).key, object)
  }

  /** The controller from its start until the scope ends: all that it knows is what the objects say. */
  const start = Effect.gen(function*() {
    const store = yield* WorkloadStore
    const queue = yield* WorkloadQueue
    const inventory = yield* Inventory
    const decisions = yield* Decisions
    const pacing = yield* Pacing
    for (const resource of resources) store.markSynced(resource)
    for (const name of ["shop", "other"]) {
      store.putNamespace({ name, uid: name, marks: { ignore: undefined, rewrite: undefined } })
    }
    const arrived: Array<string> = []
    arrive = (it) => void arrived.push(...store.putWorkload(it))
    for (const [key, object] of objects) {
      const of = project(key.split("/")[0] as Kind, object) // their keys begin with it
      store.putWorkload(of)
      if (of.kind !== "CronJob") store.putPod(pod({ owner: of, name: `${of.name}-1`, digest: digestOf("a") }))
      inventory.want(key, [source])
    }
    for (const namespace of ["shop", "other"]) {
      store.putPod(pod({ namespace, name: "proof", images: { app: copy }, digest: digestOf("a") }))
    }
    yield* Effect.forkScoped(queue.run("unbounded", yield* ReconcileWorkload.make({ ownNamespace: Option.none() })))
    for (const namespace of ["shop", "other"]) yield* queue.offer(`Pod/${namespace}/proof`)
    /** Lets so many seconds pass; the copies are looked at, and what others do comes, once each second. */
    const pass = Effect.fnUntraced(function*(seconds: number) {
      for (let second = 0; second < seconds; second++) {
        const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        inventory.set(source, {
          _tag: "BackedUp",
          digest: digestOf("a"),
          contents: new Set([digestOf("a")]),
          verifiedAt: now
        })
        for (const act of restorations.splice(0)) act()
        for (const key of [...arrived.splice(0), ...yield* pacing.next(1)]) yield* queue.offer(key)
        yield* TestClock.adjust("1 second")
      }
    })
    for (const key of objects.keys()) yield* queue.offer(key)
    const said = (key: string) => {
      const verdict = decisions.get(key)?.verdict
      return verdict !== undefined && "reason" in verdict ? `${verdict.reason}: ${verdict.detail}` : verdict?._tag ?? ""
    }
    return { pass, said }
  })
  /** What a stay of the controller shows, as an effect of its own. */
  const stay = <A, E>(of: (it: Effect.Success<typeof start>) => Effect.Effect<A, E>) =>
    Effect.flatMap(start, of).pipe(Effect.scoped, Effect.provide(layer(), { local: true }))
  const held = (key: string) => project(key.split("/")[0] as Kind, objects.get(key)).held // as above
  return { make, marks, rewrites, stay, held }
}

const kinds = ["Deployment", "StatefulSet", "CronJob"] as const

describe("a process that restores the image", () => {
  for (const kind of kinds) {
    // seen: 134 rewrites in 60 seconds, and 70 more after a restart
    it.effect(`of a ${kind} has it after two rewrites, also across a restart, and is named`, () => {
      const it = cluster({ restores: () => true })
      const key = `${kind}/shop/web`
      it.make(kind, "web")
      return Effect.gen(function*() {
        const first = yield* it.stay(({ pass, said }) => Effect.map(pass(60), () => said(key)))
        assert.deepStrictEqual(it.rewrites, [key, key])
        assert.include(first, "contested: nginx:1.27 of container app was put back over its copy")
        assert.include(first, "last by restorer (Update); 1970-01-01T01:00:0")
        assert.deepStrictEqual([it.marks, it.held(key)?.reason], [[key], "contested"])
        assert.deepStrictEqual(it.held(key)?.images, { app: ["nginx:1.27", copy] })

        const again = yield* it.stay(({ pass, said }) => Effect.map(pass(60), () => said(key)))
        assert.lengthOf(it.rewrites, 2)
        assert.include(again, "contested")
        assert.lengthOf(it.marks, 1)
      })
    })
  }

  it.effect("has it although it takes away what is written on the object", () => {
    const it = cluster({ restores: () => true, whole: true })
    it.make("Deployment", "web")
    return Effect.gen(function*() {
      yield* it.stay(({ pass }) => pass(300))
      assert.lengthOf(it.rewrites, 2)
    })
  })

  it.effect("is tried once when the rest is over, and the next one is twice as long, also by the mark alone", () => {
    const it = cluster({ restores: () => true })
    it.make("CronJob", "web")
    return Effect.gen(function*() {
      yield* it.stay(({ pass }) => pass(3590))
      assert.lengthOf(it.rewrites, 2)
      yield* it.stay(({ pass }) => pass(60))
      assert.lengthOf(it.rewrites, 3)
      assert.strictEqual(it.held("CronJob/shop/web")?.count, 2)
      yield* it.stay(({ pass }) => pass(7150))
      assert.lengthOf(it.rewrites, 3)
      yield* it.stay(({ pass }) => pass(100))
      assert.lengthOf(it.rewrites, 4)
      assert.strictEqual(it.held("CronJob/shop/web")?.count, 3)
    })
  })
})

describe("the mark of a fight", () => {
  const contested = (more = {}) => ({
    metadata: {
      annotations: {
        "image-cloner.io/held": JSON.stringify({
          reason: "contested",
          detail: "restorer",
          until: "9999-01-01T00:00:00Z",
          count: 1,
          images: { app: ["nginx:1.27", copy] },
          ...more
        })
      }
    }
  })

  it.effect("holds its own images alone, however far its end is", () => {
    const it = cluster({})
    it.make("CronJob", "held", contested())
    it.make("CronJob", "image", contested({ images: { app: ["nginx:1.26", copy] } }))
    it.make("CronJob", "copy", contested({ images: { app: ["nginx:1.27", `${copy}@${digestOf("b")}`] } }))
    it.make("CronJob", "over", { namespace: "other", ...contested({ until: "1970-01-01T00:00:00Z" }) })
    return Effect.gen(function*() {
      yield* it.stay(({ pass }) => pass(30))
      assert.deepStrictEqual(it.rewrites.toSorted(), ["CronJob/other/over", "CronJob/shop/copy", "CronJob/shop/image"])
    })
  })

  it.effect("gives way to one that quarantines", () => {
    const it = cluster({})
    it.make("CronJob", "web", contested({ reason: "quarantined", detail: "it crashed" }))
    return Effect.gen(function*() {
      assert.include(
        yield* it.stay(({ pass, said }) => Effect.map(pass(5), () => said("CronJob/shop/web"))),
        "quarantined"
      )
      assert.deepStrictEqual(it.rewrites, [])
    })
  })
})

describe("a webhook that changes our patch", () => {
  const reverts = (of: string) => ({
    webhook: (image: string, name: string) => name === of && image === copy ? "nginx:1.27" : image
  })

  // seen: it held the only place for ever
  it.effect("does not keep the place: a second workload is rewritten meanwhile", () => {
    const it = cluster(reverts("a"), { MAX_CONCURRENT_ROLLOUTS: 1 })
    it.make("Deployment", "a")
    it.make("Deployment", "b")
    return Effect.gen(function*() {
      const [a, b] = yield* it.stay(({ pass, said }) =>
        Effect.map(pass(60), () => [said("Deployment/shop/a"), said("Deployment/shop/b")])
      )
      assert.strictEqual(it.rewrites.filter((key) => key === "Deployment/shop/a").length, 2)
      assert.include(it.rewrites, "Deployment/shop/b")
      assert.include(a, "contested")
      assert.include(a, "last by a mutating webhook or policy, most likely")
      assert.strictEqual(b, "Done")
    })
  })

  it.effect("and only adds the digest of the copy does what was meant", () => {
    const it = cluster({ webhook: (image) => image === copy ? `${copy}@${digestOf("a")}` : image })
    it.make("Deployment", "web")
    return Effect.gen(function*() {
      const now = yield* it.stay(({ pass, said }) => Effect.map(pass(60), () => said("Deployment/shop/web")))
      assert.lengthOf(it.rewrites, 1)
      assert.strictEqual(now, "Done")
    })
  })
})

describe("where three workloads of a namespace are fought over", () => {
  it.effect("one at a time is tried anew, for an hour, and other namespaces are never concerned", () => {
    let fighting = true
    const it = cluster({ restores: () => fighting })
    for (const name of ["a", "b", "c"]) it.make("CronJob", name)
    it.make("CronJob", "free", { namespace: "other" })
    return it.stay(({ pass, said }) =>
      Effect.gen(function*() {
        yield* pass(60)
        assert.lengthOf(it.rewrites, 8)
        fighting = false
        yield* pass(3600)
        const tried = it.rewrites.slice(8)
        assert.deepStrictEqual(tried.toSorted(), ["CronJob/other/free", "CronJob/shop/a"])
        assert.include(said("CronJob/shop/b"), "contested: several workloads are fought over in its namespace")
        assert.include(said("CronJob/shop/b"), "CronJob/shop/a is tried anew first")
        yield* pass(3600)
        // with two left they are many no more
        assert.deepStrictEqual(["a", "b", "c"].map((name) => said(`CronJob/shop/${name}`)), ["Done", "Done", "Done"])
      })
    )
  })
})
