// Images that wait for their turn: what they hold up and do not, what they are asked for again, and what if nobody wants them.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer } from "effect"
import { Cloner } from "../../src/clone/Cloner.ts"
import { digestOf } from "../../src/image/Digest.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { SettingsRef } from "../../src/settings/SettingsRef.ts"
import { startFakeRegistry } from "../support/FakeRegistry.ts"
import { gate } from "../support/Gate.ts"
import { clientLayer } from "../support/Registries.ts"
import { imageOf, layerOf } from "../support/TestImages.ts"
import { eventually } from "../support/Eventually.ts"
import { betweenRegistries, image } from "../support/SourceAndBackup.ts"

describe("an image that waits for its turn", () => {
  const moved = imageOf([layerOf("moved")])

  it.live("is not waited for by one that is there already", () =>
    betweenRegistries(({ clone, cloner, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "there")
        source.add("app", imageOf([layerOf("large")]), "large")
        yield* clone({ tag: "there" })
        const door = gate(source, /GET .*blobs/)
        const large = yield* Effect.forkChild(clone({ tag: "large" }), { startImmediately: true })
        yield* door.are(2)
        assert.isTrue((yield* clone({ tag: "there" })).upToDate)
        assert.strictEqual((yield* cloner.inFlight).length, 1)
        yield* door.one
        yield* door.one
        yield* Fiber.join(large)
      }), { permits: 1 }))

  it.live("is not waited for by one that nobody has", () =>
    betweenRegistries(({ clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "large")
        const door = gate(source)
        const large = yield* Effect.forkChild(clone({ tag: "large" }), { startImmediately: true })
        yield* door.are(1)
        assert.strictEqual((yield* Effect.flip(clone({ tag: "nobody-has-it" }))).reason, "not-found")
        yield* door.one
        yield* Fiber.join(large)
      }), { permits: 1 }))

  const layer = layerOf("large")
  const large = imageOf([layer])
  const manifest = new RegExp(`GET .*manifests/${large.root.digest}`)
  const blob = new RegExp(`GET .*blobs/${layer.digest}`)
  for (
    const [name, namesKept, behind, later, copies, heads, gets] of [
      ["is asked for once", 60_000, blob, moved, image, 1, 1],
      ["is asked for again when the wait was long, and copied as it is then", 1500, manifest, moved, moved, 2, 1],
      [
        "is asked for again when it waits long once it is fetched, and fetched as it is then",
        500,
        blob,
        moved,
        moved,
        2,
        2
      ],
      ["is not fetched again if it is still the same", 1500, blob, image, image, 2, 1]
    ] as const
  ) {
    it.live(name, () =>
      betweenRegistries(({ clone, cloner, source }) =>
        Effect.gen(function*() {
          source.add("app", large, "large")
          source.add("app", image, "1")
          const door = gate(source, behind)
          const before = yield* Effect.forkChild(clone({ tag: "large" }), { startImmediately: true })
          yield* door.are(1)
          const one = yield* Effect.forkChild(Effect.timed(clone()), { startImmediately: true })
          yield* eventually("its name is not known", () => source.count(/HEAD .*manifests\/1$/) === 1)
          yield* eventually("it does not wait", cloner.waiting, (it) => it === 1)
          yield* Effect.sleep("1600 millis")
          source.add("app", later, "1")
          yield* door.one
          yield* Fiber.join(before)
          const [elapsed, copied] = yield* Fiber.join(one)
          assert.strictEqual(copied.digest, copies.root.digest)
          // the wait is not part of it
          assert.isBelow(copied.seconds, Duration.toSeconds(elapsed) - 1.6)
          assert.strictEqual(source.count(/HEAD .*manifests\/1$/), heads)
          // and once for the large one
          assert.strictEqual(source.count(/GET .*manifests/), gets + 1)
        }), { permits: 1, limits: { namesKept: Duration.millis(namesKept) } }))
  }
})

describe("an image that is wanted no more when its turn comes", () => {
  it.live.each([true, false])(
    "gives the turn to the next, and nothing of it is read or sent (daemon: %s)",
    (shared) =>
      Effect.gen(function*() {
        const source = yield* startFakeRegistry()
        const backup = yield* startFakeRegistry()
        for (const tag of ["first", "gone", "next"]) source.add("app", imageOf([layerOf(tag)]), tag)
        const waiting: Array<() => void> = []
        source.on(/GET .*blobs/, (_, __, next) => {
          waiting.push(next)
        }, 1)
        // of two permits one registry never gets the last; by hand there is no such rule
        const settings = settingsOf(`${backup.host}/mirror`, { MAX_CONCURRENT_RECONCILES: shared ? 2 : 1 })
        const layer = Cloner.layer({ shared }).pipe(
          Layer.provide(clientLayer({ backup: backup.host, plainHttp: [source.host, backup.host] })),
          Layer.provide(SettingsRef.layerOf(settings))
        )
        yield* Effect.gen(function*() {
          const cloner = yield* Cloner
          let wanted = true
          const ask = (tag: string) =>
            cloner.clone({ registry: source.host, repository: "app", tag }, {
              wanted: Effect.sync(() => tag !== "gone" || wanted),
              // what the backup was last seen to hold is no way around it
              last: digestOf(Buffer.from(tag))
            }).pipe(Effect.result, Effect.forkChild({ startImmediately: true }))
          const first = yield* ask("first")
          yield* eventually("the first is not copied", () => waiting.length === 1)
          const gone = yield* ask("gone")
          yield* eventually("it does not wait", cloner.waiting, (it) => it === 1)
          const next = yield* ask("next")
          yield* eventually("not both wait", cloner.waiting, (it) => it === 2)
          wanted = false
          waiting[0]?.()
          const outcome = yield* Fiber.join(gone)
          assert.strictEqual(outcome._tag === "Failure" && outcome.failure.reason, "unwanted")
          assert.deepStrictEqual(
            [(yield* Fiber.join(first))._tag, (yield* Fiber.join(next))._tag],
            ["Success", "Success"]
          )
          assert.strictEqual(source.count(/GET .*blobs/), 4)
          assert.strictEqual(backup.count(/PUT .*manifests\/gone$/), 0)
          assert.strictEqual(backup.count(/PUT .*manifests\/(first|next)$/), 2)
        }).pipe(Effect.provide(layer))
      })
  )
})
