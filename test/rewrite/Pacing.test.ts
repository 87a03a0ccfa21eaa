import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Pacing, PullRest, type Request } from "../../src/rewrite/Pacing.ts"
import { digestOf, type Given, ownedImage, pod, workload } from "../support/Objects.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const patchedAt = "1970-01-01T00:00:00Z"

const layer = Layer.provide(
  Pacing.layer,
  Layer.succeed(PullRest, { first: Duration.minutes(2), most: Duration.minutes(5) })
)

const request: Request = { as: "rollout", limit: 2, preferredComing: false }

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
      : { observedGeneration: 2, updatedReplicas: 0, conditions: [] }
  })

const oldPods = [pod({ digest: digestOf("a") })]

/** What a namespace needs to count as proven: a pod of it that runs from the backup. */
const prove = (namespace: string) =>
  Pacing.use((it) => it.observePod(pod({ namespace, images: { app: copy } }), backup))

const admit = (given: Given, more: Partial<Request> = {}) =>
  Pacing.use((it) => it.admit(workload(given), { ...request, ...more })).pipe(
    Effect.map((it) => it._tag === "Go" ? "go" : it.reason)
  )

const at = (namespace: string, name: string) => ({ namespace, name })

describe("places", () => {
  it.effect("are as many as the limit, and are given back when the cluster shows that pods reached the revision", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      assert.strictEqual(yield* admit(at("a", "1")), "go")
      assert.strictEqual(yield* admit(at("a", "2")), "go")
      assert.strictEqual(yield* admit(at("a", "3")), "paced")
      yield* pacing.patched(rewritten(at("a", "1")), "rollout")
      yield* pacing.observe(rewritten(at("a", "1")), oldPods, backup)
      assert.strictEqual(yield* admit(at("a", "3")), "paced")
      yield* pacing.observe(rewritten(at("a", "1"), true), oldPods, backup)
      assert.deepStrictEqual(yield* pacing.next(2), ["Deployment/a/3"])
      assert.strictEqual(yield* admit(at("a", "3")), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("are kept from the patch until the cluster shows it, even by a cache that is behind", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* admit(at("a", "1"), { limit: 1 })
      yield* pacing.patched(rewritten(at("a", "1")), "rollout")
      yield* pacing.observe(workload(at("a", "1")), oldPods, backup)
      assert.strictEqual(yield* admit(at("a", "2"), { limit: 1 }), "paced")
    }).pipe(Effect.provide(layer)))

  it.effect("are counted from the cluster alone after a restart", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      for (const name of ["1", "2"]) yield* pacing.observe(rewritten(at("a", name)), oldPods, backup)
      assert.strictEqual(yield* admit(at("a", "3")), "paced")
    }).pipe(Effect.provide(layer)))

  it.effect("are not taken again by a change of somebody else once pods have reached our revision", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* pacing.observe(rewritten(at("a", "1"), true), oldPods, backup)
      yield* pacing.observe({ ...rewritten(at("a", "1")), generation: 3 }, oldPods, backup)
      assert.strictEqual(yield* admit(at("a", "2"), { limit: 1 }), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("are neither needed nor taken by what interrupts nobody", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* admit(at("a", "1"), { limit: 1 })
      assert.strictEqual(yield* admit(at("a", "2"), { limit: 1, as: "harmless" }), "go")
      yield* pacing.patched(rewritten(at("a", "2")), "harmless")
      yield* pacing.observe(rewritten(at("a", "2")), [], backup)
      yield* pacing.release("Deployment/a/1")
      assert.strictEqual(yield* admit(at("a", "3"), { limit: 1 }), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("are given back when the object is made anew under the same name", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* admit(at("a", "1"), { limit: 1 })
      yield* pacing.patched({ ...rewritten(at("a", "1")), generation: 7 }, "rollout")
      yield* pacing.observe({ ...workload(at("a", "1")), uid: "another" }, [], backup)
      assert.strictEqual(yield* admit(at("a", "2"), { limit: 1 }), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("are not lost by a second look at an object that does not show its patch yet", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* admit(at("a", "1"))
      yield* pacing.patched(rewritten(at("a", "1")), "rollout")
      assert.strictEqual(yield* admit(at("a", "1")), "paced")
      assert.strictEqual(yield* admit(at("a", "2")), "go")
      assert.strictEqual(yield* admit(at("a", "3")), "paced")
    }).pipe(Effect.provide(layer)))

  it.effect("are given up past the deadline although nothing changes in the cluster", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* Effect.forEach(["a", "b"], prove)
      const set = rewritten({ ...at("a", "1"), kind: "StatefulSet" })
      yield* pacing.observe(set, oldPods, backup)
      assert.strictEqual(yield* admit(at("b", "1"), { limit: 1 }), "paced")
      assert.notInclude(yield* pacing.next(1), set.key)
      yield* TestClock.adjust("11 minutes")
      assert.include(yield* pacing.next(1), set.key)
      yield* pacing.observe(set, oldPods, backup)
      assert.strictEqual(yield* admit(at("b", "1"), { limit: 1 }), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("are free again after a workload of which no pod ran was changed while its rollout was under way", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* pacing.observe(rewritten(at("a", "1")), oldPods, backup)
      yield* pacing.patched(rewritten(at("a", "1")), "harmless")
      yield* pacing.observe(rewritten(at("a", "1")), [], backup)
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
      yield* pacing.pullFailed("a", "no secret")
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
      yield* pacing.observe(rewritten(at("a", "1")), oldPods, backup)
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
      yield* pacing.observe(rewritten(at("a", "1")), oldPods, backup)
      const original = (updatedReplicas: number) =>
        workload({
          ...at("a", "1"),
          metadata: { generation: 3 },
          status: { observedGeneration: 3, replicas: 1, updatedReplicas }
        })
      yield* pacing.putBack(original(0))
      yield* pacing.observe(rewritten(at("a", "1")), oldPods, backup)
      yield* pacing.observe(original(0), oldPods, backup)
      assert.strictEqual(yield* admit(at("a", "2"), { limit: 1 }), "paced")
      yield* pacing.observe(original(1), oldPods, backup)
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
      yield* pacing.observe(rewritten(at("a", "1")), oldPods, backup)
      assert.strictEqual(yield* admit(at("a", "2")), "paused")
      assert.strictEqual(yield* admit(at("d", "1")), "go")
      for (const namespace of ["b", "c"]) yield* pacing.observe(rewritten(at(namespace, "1")), oldPods, backup)
      assert.strictEqual(yield* admit(at("d", "2")), "paused")
      yield* pacing.observe(rewritten(at("a", "1"), true), oldPods, backup)
      assert.sameMembers([...(yield* pacing.next(2))], ["Deployment/a/2", "Deployment/d/2"])
      assert.strictEqual(yield* admit(at("d", "2")), "go")
    }).pipe(Effect.provide(layer)))
})

describe("until pulling from the backup is proven", () => {
  it.effect("one rollout at a time, a Deployment that rolls first where one is coming", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      const set = { ...at("b", "db"), kind: "StatefulSet" } as const
      assert.strictEqual(yield* admit(set, { preferredComing: true }), "paced")
      assert.strictEqual(yield* admit(at("a", "1")), "go")
      assert.strictEqual(yield* admit(at("c", "1")), "paced")
      yield* pacing.patched(rewritten(at("a", "1")), "rollout")
      yield* prove("a")
      assert.includeMembers([...(yield* pacing.next(2))], ["StatefulSet/b/db", "Deployment/c/1"])
      assert.strictEqual(yield* admit(set), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("who lets a Deployment go first is asked again although that one never comes, and waits ten minutes at most", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      const set = { ...at("b", "db"), kind: "StatefulSet" } as const
      assert.strictEqual(yield* admit(set, { preferredComing: true }), "paced")
      assert.deepStrictEqual(yield* pacing.next(2), ["StatefulSet/b/db"])
      assert.strictEqual(yield* admit(set, { preferredComing: true }), "paced")
      yield* TestClock.adjust("11 minutes")
      assert.strictEqual(yield* admit(set, { preferredComing: true }), "go")
      assert.deepStrictEqual(yield* pacing.next(2), [])
    }).pipe(Effect.provide(layer)))

  it.effect("each namespace shows it for itself, because pull secrets are a namespace's own", () =>
    Effect.gen(function*() {
      yield* prove("a")
      assert.strictEqual(yield* admit(at("b", "1"), { limit: 5 }), "go")
      assert.strictEqual(yield* admit(at("b", "2"), { limit: 5 }), "paced")
      assert.strictEqual(yield* admit(at("a", "1"), { limit: 5 }), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("a failure stops everything, and one rollout tries again after a rest that doubles", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* admit(at("a", "1"))
      yield* pacing.pullFailed("a", "no secret")
      yield* pacing.forget("Deployment/a/1", "a")
      assert.strictEqual(yield* admit(at("b", "1")), "pull-unproven")
      assert.strictEqual(yield* admit(at("b", "2"), { as: "harmless" }), "pull-unproven")
      // the same failure, seen twice, does not count twice
      yield* pacing.pullFailed("a", "no secret")
      yield* TestClock.adjust("2 minutes")
      assert.sameMembers([...(yield* pacing.next(2))], ["Deployment/b/1", "Deployment/b/2"])
      assert.strictEqual(yield* admit(at("b", "1")), "go")
      assert.strictEqual(yield* admit(at("c", "1")), "paced")
      yield* pacing.pullFailed("b", "no secret")
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual(yield* admit(at("c", "1")), "pull-unproven")
      yield* TestClock.adjust("1 minutes")
      yield* pacing.release("Deployment/b/1")
      assert.strictEqual(yield* admit(at("c", "1")), "go")
    }).pipe(Effect.provide(layer)))

  it.effect("a failure in one namespace, after another has shown it, stops that one alone", () =>
    Effect.gen(function*() {
      const pacing = yield* Pacing
      yield* prove("a")
      yield* pacing.pullFailed("b", "no secret")
      assert.strictEqual(yield* admit(at("b", "1")), "pull-unproven")
      assert.strictEqual(yield* admit(at("a", "1")), "go")
      yield* prove("b")
      assert.strictEqual(yield* admit(at("b", "1")), "go")
    }).pipe(Effect.provide(layer)))
})
