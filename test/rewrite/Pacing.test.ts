import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Pacing, PullRest, type Request, type Unpulled } from "../../src/rewrite/Pacing.ts"
import { withoutSecrets } from "../../src/workload/PullSet.ts"
import { digestOf, type Given, ownedImage, pod, workload } from "../support/Objects.ts"

/** What was seen of a rollout that got no further since the epoch. */
const begun = { progressAt: 0, reached: false }

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const patchedAt = "1970-01-01T00:00:00Z"

const layer = Layer.provide(
  Pacing.layer,
  Layer.succeed(PullRest, { first: Duration.minutes(2), most: Duration.minutes(5) })
)

const request: Request = {
  as: "rollout",
  limit: 2,
  pulls: withoutSecrets,
  byNodes: false,
  asked: false,
  alone: true
}

const rewritten = (given: Given, reached = false) =>
  workload({
    images: { app: copy },
    templateAnnotations: { "image-cloner.io/original-images": "{\"app\":\"nginx:1.27\"}" },
    ...given,
    metadata: {
      generation: 2,
      managedFields: [{ manager: "image-cloner", time: patchedAt, fieldsV1: ownedImage }]
    },
    status: reached
      ? { observedGeneration: 2 }
      : { observedGeneration: 2, updatedReplicas: 0, currentRevision: "r0", conditions: [] }
  })

const oldPods = [pod({ digest: digestOf("a") })]

/** A pod of a namespace, without pull secrets, that runs from the backup. */
const prove = (namespace: string) =>
  Pacing.use((it) =>
    Effect.sync(() => it.observePod(pod({ namespace, images: { app: copy } }), withoutSecrets, backup))
  )

const admit = (given: Given, more: Partial<Request> = {}) =>
  Pacing.use((it) => it.admit(workload(given), { ...request, ...more })).pipe(
    Effect.map((it) => it === undefined ? "nothing" : it._tag === "Go" ? "go" : it.reason)
  )

const at = (namespace: string, name: string) => ({ namespace, name })

const unpulled = (given: Given, more: Partial<Unpulled> = {}): Unpulled => ({
  workload: workload(given),
  set: withoutSecrets,
  detail: "no secret",
  byNodes: false,
  ...more
})

describe("places", () => {
  it.effect("are as many as the limit, and are given back when the cluster shows that pods reached the revision", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      assert.strictEqual(yield* admit(at("a", "1")), "go")
      assert.strictEqual(yield* admit(at("a", "2")), "go")
      assert.strictEqual(yield* admit(at("a", "3")), "paced")
      yield* pacing.patched(rewritten(at("a", "1")), "rollout")
      yield* pacing.observe(rewritten(at("a", "1")), oldPods, backup, begun)
      assert.strictEqual(yield* admit(at("a", "3")), "paced")
      yield* pacing.observe(rewritten(at("a", "1"), true), oldPods, backup, begun)
      assert.deepStrictEqual(yield* pacing.next(2), ["Deployment/a/3"])
      assert.strictEqual(yield* admit(at("a", "3")), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("are kept from the patch until the cluster shows it, even by a cache that is behind", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* admit(at("a", "1"), { limit: 1 })
      yield* pacing.patched(rewritten(at("a", "1")), "rollout")
      yield* pacing.observe(workload(at("a", "1")), oldPods, backup, begun)
      assert.strictEqual(yield* admit(at("a", "2"), { limit: 1 }), "paced")
    }).pipe(Effect.provide(layer)))

  it.effect("are counted from the cluster alone after a restart", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      for (const name of ["1", "2"]) yield* pacing.observe(rewritten(at("a", name)), oldPods, backup, begun)
      assert.strictEqual(yield* admit(at("a", "3")), "paced")
    }).pipe(Effect.provide(layer)))

  it.effect("are not taken again by a change of somebody else once pods have reached our revision", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* pacing.observe(rewritten(at("a", "1"), true), oldPods, backup, begun)
      yield* pacing.observe({ ...rewritten(at("a", "1")), generation: 3 }, oldPods, backup, begun)
      assert.strictEqual(yield* admit(at("a", "2"), { limit: 1 }), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("are taken again by the same patch after it was put back", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* pacing.observe(rewritten(at("a", "1"), true), oldPods, backup, begun)
      yield* pacing.observe(workload(at("a", "1")), oldPods, backup, begun)
      yield* pacing.observe(rewritten(at("a", "1")), oldPods, backup, begun)
      assert.strictEqual(yield* admit(at("a", "2"), { limit: 1 }), "paced")
    }).pipe(Effect.provide(layer)))

  it.effect("are neither needed nor taken by what interrupts nobody", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* admit(at("a", "1"), { limit: 1 })
      assert.strictEqual(yield* admit(at("a", "2"), { limit: 1, as: "harmless" }), "go")
      yield* pacing.patched(rewritten(at("a", "2")), "harmless")
      yield* pacing.observe(rewritten(at("a", "2")), [], backup, begun)
      yield* pacing.release("Deployment/a/1")
      assert.strictEqual(yield* admit(at("a", "3"), { limit: 1 }), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("are given back when the object is made anew under the same name", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* admit(at("a", "1"), { limit: 1 })
      yield* pacing.patched({ ...rewritten(at("a", "1")), generation: 7 }, "rollout")
      yield* pacing.observe({ ...workload(at("a", "1")), uid: "another" }, [], backup, begun)
      assert.strictEqual(yield* admit(at("a", "2"), { limit: 1 }), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("are not lost by a second look at an object that does not show its patch yet", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* admit(at("a", "1"))
      yield* pacing.patched(rewritten(at("a", "1")), "rollout")
      assert.strictEqual(yield* admit(at("a", "1")), "nothing")
      assert.strictEqual(yield* admit(at("a", "2")), "go")
      assert.strictEqual(yield* admit(at("a", "3")), "paced")
    }).pipe(Effect.provide(layer)))

  it.effect("are given up past the deadline although nothing changes in the cluster", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* Effect.forEach(["a", "b"], prove)
      const set = rewritten({ ...at("a", "1"), kind: "StatefulSet" })
      yield* pacing.observe(set, oldPods, backup, begun)
      assert.strictEqual(yield* admit(at("b", "1"), { limit: 1 }), "paced")
      assert.notInclude(yield* pacing.next(1), set.key)
      yield* TestClock.adjust("11 minutes")
      assert.include(yield* pacing.next(1), set.key)
      yield* pacing.observe(set, oldPods, backup, begun)
      assert.strictEqual(yield* admit(at("b", "1"), { limit: 1 }), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("are free again after a workload of which no pod ran was changed while its rollout was under way", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* pacing.observe(rewritten(at("a", "1")), oldPods, backup, begun)
      yield* pacing.patched(rewritten(at("a", "1")), "harmless")
      yield* pacing.observe(rewritten(at("a", "1")), [], backup, begun)
      assert.strictEqual(yield* admit(at("a", "2"), { limit: 1 }), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("go to namespaces in turn", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      for (const namespace of ["a", "b"]) yield* prove(namespace)
      yield* admit(at("a", "1"), { limit: 1 })
      for (const name of ["2", "3"]) yield* admit(at("a", name), { limit: 1 })
      yield* admit(at("b", "1"), { limit: 1 })
      const order: Array<string> = []
      for (let turn = 0; turn < 3; turn++) {
        yield* pacing.release(order.at(-1) ?? "Deployment/a/1")
        const [next = ""] = yield* pacing.next(1)
        const [, namespace = "", name = ""] = next.split("/")
        assert.strictEqual(yield* admit(at(namespace, name), { limit: 1 }), "go")
        order.push(next)
      }
      assert.deepStrictEqual(order, ["Deployment/a/2", "Deployment/b/1", "Deployment/a/3"])
    }).pipe(Effect.provide(layer)))

  it.effect("are not held open for who does not want one any more", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* admit(at("a", "1"), { limit: 1 })
      yield* admit(at("a", "2"), { limit: 1 })
      yield* admit(at("a", "3"), { limit: 1 })
      yield* pacing.release("Deployment/a/1")
      yield* pacing.withdraw("Deployment/a/2", "a")
      assert.strictEqual(yield* admit(at("a", "3"), { limit: 1 }), "go")
    }).pipe(Effect.provide(layer)))
})

describe("cures", () => {
  it.effect("have places of their own, four for each of a rollout, and no stop, rest or missing proof holds them", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* pacing.pullFailed(withoutSecrets, "no secret", false)
      for (const name of ["1", "2", "3", "4"]) {
        assert.strictEqual(yield* admit(at("a", name), { limit: 1, as: "cure" }), "go")
      }
      assert.strictEqual(yield* admit(at("a", "5"), { limit: 1, as: "cure" }), "paced")
      yield* TestClock.adjust("2 minutes")
      yield* pacing.next(1)
      assert.strictEqual(yield* admit(at("a", "6"), { limit: 1 }), "go")
      yield* pacing.release("Deployment/a/1")
      assert.include(yield* pacing.next(1), "Deployment/a/5")
      assert.strictEqual(yield* admit(at("a", "5"), { limit: 1, as: "cure" }), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("that do not help stop nobody: what they cure was not well before", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* admit(at("a", "1"), { as: "cure" })
      yield* pacing.patched(rewritten(at("a", "1")), "cure")
      assert.isTrue(pacing.isCure(rewritten(at("a", "1"))))
      yield* TestClock.adjust("11 minutes")
      yield* pacing.observe(rewritten(at("a", "1")), oldPods, backup, begun)
      assert.strictEqual(yield* admit(at("a", "2")), "go")
    }).pipe(Effect.provide(layer)))
})

describe("what is put back", () => {
  it.effect("inherits the place of the rollout that it ends, until its pods are there again", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* admit(at("a", "1"), { limit: 1 })
      yield* pacing.patched(rewritten(at("a", "1")), "rollout")
      yield* pacing.observe(rewritten(at("a", "1")), oldPods, backup, begun)
      const original = (updatedReplicas: number) =>
        workload({
          ...at("a", "1"),
          metadata: { generation: 3 },
          status: { observedGeneration: 3, replicas: 1, updatedReplicas }
        })
      yield* pacing.putBack(original(0))
      yield* pacing.observe(rewritten(at("a", "1")), oldPods, backup, begun)
      yield* pacing.observe(original(0), oldPods, backup, begun)
      assert.strictEqual(yield* admit(at("a", "2"), { limit: 1 }), "paced")
      yield* pacing.observe(original(1), oldPods, backup, begun)
      assert.strictEqual(yield* admit(at("a", "2"), { limit: 1 }), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("gives the place up after ten minutes, should its pods not come back", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* admit(at("a", "1"), { limit: 1 })
      yield* pacing.patched(rewritten(at("a", "1")), "rollout")
      yield* pacing.putBack(workload({ ...at("a", "1"), metadata: { generation: 3 } }))
      assert.strictEqual(yield* admit(at("a", "2"), { limit: 1 }), "paced")
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* pacing.next(1), ["Deployment/a/2"])
    }).pipe(Effect.provide(layer)))
})

describe("stuck rollouts", () => {
  it.effect("stop their namespace, and three namespaces stop all", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* Effect.forEach(["a", "b", "c", "d"], prove)
      yield* TestClock.adjust("11 minutes")
      yield* pacing.observe(rewritten(at("a", "1")), oldPods, backup, begun)
      assert.strictEqual(yield* admit(at("a", "2")), "stopped")
      assert.strictEqual(yield* admit(at("d", "1")), "go")
      for (const namespace of ["b", "c"]) yield* pacing.observe(rewritten(at(namespace, "1")), oldPods, backup, begun)
      assert.strictEqual(yield* admit(at("d", "2")), "stopped")
      yield* pacing.observe(rewritten(at("a", "1"), true), oldPods, backup, begun)
      assert.sameMembers([...(yield* pacing.next(2))], ["Deployment/a/2", "Deployment/d/2"])
      assert.strictEqual(yield* admit(at("d", "2")), "go")
    }).pipe(Effect.provide(layer)))
})

describe("until it is shown that pods can pull", () => {
  const locked = { key: "uid-b/backup", words: "pods of namespace b with pull secret backup" }
  const ofLocked = { pulls: locked }

  it.effect("one of a set is begun, a Deployment that misses no pod by it, and all else waits", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      const unproven = [
        [{ ...at("b", "db"), kind: "StatefulSet" }, {}],
        [{ ...at("b", "agent"), kind: "DaemonSet" }, {}],
        [{ ...at("b", "nightly"), kind: "CronJob" }, { as: "harmless" }],
        [{ ...at("b", "zero"), spec: { replicas: 0 } }, { as: "harmless" }],
        [{ ...at("b", "once"), spec: { strategy: { type: "Recreate" } } }, {}]
      ] as const
      for (const [given, more] of unproven) {
        assert.strictEqual(yield* admit(given, { ...ofLocked, ...more }), "pull-unproven", given.name)
      }
      assert.strictEqual(yield* admit(at("b", "web"), ofLocked), "go")
      assert.strictEqual(yield* admit(at("b", "shop"), ofLocked), "pull-unproven")
      assert.strictEqual(yield* admit(at("c", "web"), { pulls: { ...locked, key: "uid-c/backup" } }), "go")
      yield* pacing.patched(rewritten(at("b", "web")), "rollout")
      pacing.observePod(pod({ namespace: "b", images: { app: copy } }), locked, backup)
      const woken = yield* pacing.next(5)
      assert.includeMembers([...woken], ["StatefulSet/b/db", "CronJob/b/nightly", "Deployment/b/shop"])
      assert.strictEqual(yield* admit({ ...at("b", "db"), kind: "StatefulSet" }, { ...ofLocked, limit: 5 }), "go")
      assert.strictEqual(
        yield* admit({ ...at("b", "nightly"), kind: "CronJob" }, { ...ofLocked, as: "harmless" }),
        "go"
      )
    }).pipe(Effect.provide(layer)))

  it.effect("the owner's word will do, for every node or for one workload, and the ways out are named", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      const set = { ...at("b", "db"), kind: "StatefulSet" } as const
      const hold = yield* pacing.admit(workload(set), { ...request, ...ofLocked })
      const detail = hold?._tag === "Held" ? hold.detail : ""
      for (const way of ["BACKUP_PULL_BY", "image-cloner.io/rewrite: patch", "run a copy"]) assert.include(detail, way)
      assert.strictEqual(yield* admit(set, { pulls: undefined }), "pull-unproven")
      assert.strictEqual(yield* admit(set, { ...ofLocked, asked: true }), "go")
      assert.strictEqual(yield* admit({ ...set, name: "other" }, { ...ofLocked, asked: true }), "pull-unproven")
      assert.strictEqual(yield* admit({ ...set, name: "other" }, { ...ofLocked, byNodes: true }), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("a failure lets its set rest, and nobody else", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* pacing.pullFailed(locked, "no secret", true)
      assert.strictEqual(yield* admit(at("b", "web"), ofLocked), "pull-unproven")
      assert.strictEqual(yield* admit(at("a", "web")), "go")
      yield* TestClock.adjust("2 minutes")
      assert.include(yield* pacing.next(5), "Deployment/b/web")
      assert.strictEqual(yield* admit(at("b", "web"), ofLocked), "go")
    }).pipe(Effect.provide(layer)))
})

describe("pods that cannot pull although their set has shown that it can, or its owner says so", () => {
  // seen: with BACKUP_PULL_BY=nodes one Deployment was rewritten and put back every second for as long as it was watched
  it.effect("let their workload rest, twice as long as its namespace, and nobody else", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      for (const [namespace, byNodes] of [["shown", false], ["nodes", true]] as const) {
        if (!byNodes) yield* prove(namespace)
        const ask = (name: string) => admit(at(namespace, name), { byNodes, limit: 100 })
        yield* pacing.letRest(unpulled(at(namespace, "bad"), { byNodes }))
        assert.deepStrictEqual([yield* ask("bad"), yield* ask("good")], ["pull-unproven", "pull-unproven"])
        assert.strictEqual(yield* admit(at(`not-${namespace}`, "good"), { byNodes, limit: 100 }), "go")
        yield* TestClock.adjust("2 minutes")
        assert.include(yield* pacing.next(100), `Deployment/${namespace}/good`)
        assert.deepStrictEqual([yield* ask("bad"), yield* ask("good")], ["pull-unproven", "go"])
        yield* TestClock.adjust("2 minutes")
        assert.include(yield* pacing.next(100), `Deployment/${namespace}/bad`)
        assert.strictEqual(yield* ask("bad"), "go")
        yield* pacing.release(`Deployment/${namespace}/bad`)
        // the second time each rests twice as long, the longest rest at most
        yield* pacing.letRest(unpulled(at(namespace, "bad"), { byNodes }))
        yield* TestClock.adjust("4 minutes")
        assert.deepStrictEqual([yield* ask("bad"), yield* ask("other")], ["pull-unproven", "go"])
        yield* TestClock.adjust("1 minutes")
        assert.strictEqual(yield* ask("bad"), "go")
      }
    }).pipe(Effect.provide(layer)))

  it.effect("let nobody rest beside their set where that has shown nothing", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* pacing.letRest(unpulled(at("a", "bad")))
      assert.strictEqual(yield* admit(at("a", "bad")), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("forget their rest with the workload", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* pacing.letRest(unpulled(at("a", "bad")))
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* admit(at("a", "bad")), "pull-unproven")
      yield* pacing.forget("Deployment/a/bad", "a")
      assert.strictEqual(yield* admit(at("a", "bad")), "go")
    }).pipe(Effect.provide(layer)))
})

describe("the share of a namespace", () => {
  const places = (limit: number, alone: boolean) =>
    Effect.gen(function*() {
      const counts = yield* Effect.forEach(
        Array.from({ length: limit + 1 }, (_, index) => `${index}`),
        (name) => admit(at("a", name), { limit, alone })
      )
      return counts.filter((it) => it === "go").length
    })

  it.effect("is all where it is alone, one less where others could come", () =>
    Effect.gen(function*() {
      yield* prove("a")
      assert.strictEqual(yield* Effect.provide(Effect.andThen(prove("a"), places(3, true)), Layer.fresh(layer)), 3)
      assert.strictEqual(yield* Effect.provide(Effect.andThen(prove("a"), places(3, false)), Layer.fresh(layer)), 2)
      assert.strictEqual(yield* Effect.provide(Effect.andThen(prove("a"), places(1, false)), Layer.fresh(layer)), 1)
    }).pipe(Effect.provide(layer)))

  it.effect("is half, rounded up, while another waits", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      const shared = { limit: 4, alone: false }
      for (const name of ["1", "2", "3"]) assert.strictEqual(yield* admit(at("a", name), shared), "go")
      for (const name of ["1", "2"]) yield* admit(at("b", name), shared)
      yield* pacing.release("Deployment/a/3")
      yield* admit(at("a", "4"), shared)
      assert.deepStrictEqual(yield* pacing.next(4), ["Deployment/b/2"])
    }).pipe(Effect.provide(layer)))
})
