import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import * as Validate from "../../src/admission/Validate.ts"
import { type Around, around, copy, filled, newPod, replicaSet, request, shop, stage } from "./Reviewed.ts"

const make = (surroundings: Around = around()) =>
  Validate.make({ ownNamespace: Option.some("image-cloner"), surroundings })

const warn = stage({ VALIDATING_WEBHOOK: "warn" })
const enforce = stage({ VALIDATING_WEBHOOK: "enforce" })
const foreign = newPod({ owner: replicaSet, images: { app: "nginx:1.27", side: copy, data: "busybox:1" } })

describe("images that are not from the backup", () => {
  it.effect("are named in warnings, each with what is known of its copy", () =>
    Effect.gen(function*() {
      yield* filled
      const surroundings = around()
      const validate = yield* make(surroundings)
      assert.deepStrictEqual(yield* validate(request(foreign)), {
        warnings: [
          `image-cloner: app runs "nginx:1.27", which is not from the backup registry: its copy is ${copy}`,
          "image-cloner: data runs \"busybox:1\", which is not from the backup registry: "
          + "docker.io/library/busybox:1 is not in the backup yet"
        ]
      })
      assert.deepStrictEqual(surroundings.asked, [["shop", ["docker.io/library/busybox:1"]]])
    }).pipe(Effect.provide(warn)))

  it.effect("are refused, all of them in one message that says what to do", () =>
    Effect.gen(function*() {
      yield* filled
      const validate = yield* make()
      const { denied } = yield* validate(request(foreign))
      assert.deepStrictEqual([denied?.code, denied?.reason], [403, "Forbidden"])
      assert.strictEqual(
        denied?.message,
        "image-cloner: every image must be from backup.example/copies; "
          + `app runs "nginx:1.27", which is not from the backup registry: its copy is ${copy}; `
          + "data runs \"busybox:1\", which is not from the backup registry: docker.io/library/busybox:1 is not in the backup "
          + "yet; name the copy, try again when it is there, or have the namespace labelled "
          + "validate-backups.image-cloner.io=disable"
      )
    }).pipe(Effect.provide(enforce)))

  it.effect("are all that counts: image volumes and init containers too, copies never", () =>
    Effect.gen(function*() {
      yield* filled
      const validate = yield* make()
      const count = (spec: Record<string, unknown>) =>
        Effect.map(validate(request(newPod({ images: { app: copy }, spec }))), ({ denied }) =>
          denied?.message.match(/which is not from/g)?.length ?? 0)
      assert.strictEqual(yield* count({}), 0)
      assert.strictEqual(yield* count({ initContainers: [{ name: "setup", image: "busybox" }] }), 1)
      assert.strictEqual(yield* count({ volumes: [{ name: "data", image: { reference: "busybox" } }] }), 1)
      assert.strictEqual(yield* count({ volumes: [{ name: "data", emptyDir: {} }] }), 0)
      assert.strictEqual(
        yield* count({ initContainers: [{ name: "evil", image: "backup.example/copies-evil/x:1" }] }),
        1
      )
    }).pipe(Effect.provide(enforce)))

  it.effect("do not lock a pod in that has them: of an update only new ones count", () =>
    Effect.gen(function*() {
      yield* filled
      const validate = yield* make()
      const update = (object: unknown) => validate(request(object, { operation: "UPDATE", oldObject: foreign }))
      assert.deepStrictEqual(yield* update({ ...foreign, metadata: { finalizers: [] } }), {})
      const changed = newPod({ owner: replicaSet, images: { app: "nginx:1.28", side: copy, data: "busybox:1" } })
      const { denied } = yield* update(changed)
      assert.match(String(denied?.message), /app runs "nginx:1.28"/)
      assert.notMatch(String(denied?.message), /busybox/)
    }).pipe(Effect.provide(enforce)))

  it.effect("are told in a bounded message", () =>
    Effect.gen(function*() {
      yield* filled
      const validate = yield* make()
      const images = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`c${at}`, `${"x".repeat(5000)}:${at}`]))
      const { denied } = yield* validate(request(newPod({ images })))
      assert.match(String(denied?.message), /and 180 more; name the copy/)
      assert.isBelow(denied?.message.length ?? 0, 16_000)
    }).pipe(Effect.provide(enforce)))
})

describe("nobody is refused for what is our own doing", () => {
  const excused = (settings: Parameters<typeof stage>[0], given: Parameters<typeof around>[0], why: string) =>
    Effect.gen(function*() {
      yield* filled
      const validate = yield* make(around(given))
      const { denied, warnings } = yield* validate(request(foreign))
      assert.isUndefined(denied)
      assert.strictEqual(warnings?.[0], `image-cloner: not refused, because ${why}`)
      assert.match(warnings?.[1] ?? "", /app runs "nginx:1.27"/)
    }).pipe(Effect.provide(stage({ VALIDATING_WEBHOOK: "enforce", ...settings })))

  it.effect("while DRY_RUN is on", () => excused({ DRY_RUN: true }, {}, "DRY_RUN is on"))

  it.effect("while it is still looked at what is backed up", () => excused({}, { learning: "it begins" }, "it begins"))

  it.effect("while the backup fails, nothing has shown that pods can pull, or their owner would delete them", () =>
    Effect.all([
      excused({}, { fails: "the backup is down" }, "the backup is down"),
      excused({}, { elsewhere: "node new-1 cannot reach it" }, "node new-1 cannot reach it"),
      excused({}, { unshown: "another pod shows it" }, "another pod shows it"),
      excused({}, { recreated: "Cluster shop/db deletes its pods" }, "Cluster shop/db deletes its pods")
    ], { discard: true }))

  it.effect("but for copies that are the pods' own to name, where nobody points them there", () =>
    Effect.gen(function*() {
      yield* filled
      const validate = yield* make(around({ fails: "the backup is down", unshown: "another pod shows it" }))
      assert.isDefined((yield* validate(request(foreign))).denied)
    }).pipe(Effect.provide(stage({ VALIDATING_WEBHOOK: "enforce", MUTATING_WEBHOOK: "off" }))))
})

describe("what is exempt", () => {
  it.effect("by its namespace is never refused", () =>
    Effect.gen(function*() {
      const store = yield* filled
      const validate = yield* make()
      for (
        const namespace of [
          { ...shop, marks: { ignore: true, rewrite: undefined } },
          { ...shop, unvalidated: true as const }
        ]
      ) {
        store.putNamespace(namespace)
        assert.deepStrictEqual(yield* validate(request(foreign)), {})
      }
      assert.deepStrictEqual(yield* validate(request(foreign, { namespace: "kube-system" })), {})
    }).pipe(Effect.provide(enforce)))

  describe.each(["warn", "enforce"] as const)("where it serves the backup (%s)", (VALIDATING_WEBHOOK) => {
    const passes = (settings: Parameters<typeof stage>[0]) =>
      Effect.gen(function*() {
        yield* filled
        const validate = yield* make()
        assert.deepStrictEqual(yield* validate(request(foreign)), {})
      }).pipe(Effect.provide(stage({ VALIDATING_WEBHOOK, ...settings })))

    it.effect("as BACKUP_NAMESPACES says", () => passes({ BACKUP_NAMESPACES: ["shop"] }))
    it.effect("as the backup's name says", () => passes({ BACKUP_REGISTRY: "registry.shop.svc:5000/copies" }))
  })

  it.effect("by what its maker can write is warned of no more, and refused all the same", () =>
    Effect.gen(function*() {
      yield* filled
      const validate = yield* make()
      const marked = newPod({ metadata: { annotations: { "image-cloner.io/ignore": "true" } } })
      const critical = newPod({ spec: { priorityClassName: "system-node-critical" } })
      const never = newPod({ spec: { containers: [{ name: "app", image: "busybox", imagePullPolicy: "Never" }] } })
      for (const object of [marked, critical, never]) {
        assert.isDefined((yield* validate(request(object))).denied)
      }
    }).pipe(Effect.provide(enforce)))

  it.effect("is passed over in silence where there are only warnings", () =>
    Effect.gen(function*() {
      yield* filled
      const validate = yield* make()
      const marked = newPod({ metadata: { annotations: { "image-cloner.io/ignore": "true" } } })
      const never = newPod({ spec: { containers: [{ name: "app", image: "busybox", imagePullPolicy: "Never" }] } })
      for (const object of [marked, never]) assert.deepStrictEqual(yield* validate(request(object)), {})
    }).pipe(Effect.provide(warn)))

  it.effect("cannot be known of a namespace that has not been seen, so nobody is refused there", () =>
    Effect.gen(function*() {
      const store = yield* filled
      store.remove("namespace", "shop")
      const validate = yield* make()
      const answer = yield* Effect.forkChild(validate(request(newPod())))
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(yield* Fiber.join(answer), {})
    }).pipe(Effect.provide(enforce)))
})
