import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { Cloner } from "../../src/clone/Cloner.ts"
import { digestOf } from "../../src/image/Digest.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { SettingsRef } from "../../src/settings/SettingsRef.ts"
import { startFakeRegistry } from "../support/FakeRegistry.ts"
import { clientLayer } from "../support/Registries.ts"
import { imageOf, layerOf } from "../support/TestImages.ts"
import { until, untilTrue } from "../support/Until.ts"

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
          yield* untilTrue("the first is copied", () => waiting.length === 1)
          const gone = yield* ask("gone")
          yield* until("it waits", Effect.map(cloner.waiting, (it) => it === 1))
          const next = yield* ask("next")
          yield* until("both wait", Effect.map(cloner.waiting, (it) => it === 2))
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
