// One blob that several images want: who moves it, who waits, and what an interruption leaves behind.
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Semaphore } from "effect"
import { MaxOpsBeforeYield } from "effect/Scheduler"
import { copyBlob } from "../../../src/clone/blob/CopyBlob.ts"
import { makeLedger } from "../../../src/clone/Ledger.ts"
import { Counter } from "../../../src/clone/Counter.ts"
import type { Blobs } from "../../../src/registry/api/Blobs.ts"
import { defaultLimits } from "../../../src/registry/Limits.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"
import { eventually } from "../../support/Eventually.ts"
import { betweenRegistries } from "../../support/SourceAndBackup.ts"

/** A registry that has nothing and never answers a move. */
const silent: Blobs = {
  hasBlob: () => Effect.succeed(false),
  headBlob: () => Effect.never,
  mountBlob: () => Effect.undefined,
  startUpload: () => Effect.never,
  cancelUpload: () => Effect.void,
  putBlob: () => Effect.never,
  openBlob: () => Effect.never
}

describe("a blob that the backup says it has stored as another", () => {
  // it was then asked whether it has the blob, which it says it has, under the name that it was given
  it.live("is sent once more, and is no copy whatever a look says", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        const layer = layerOf("spoiled")
        source.add("app", imageOf([layer]), "1")
        let sent = 0
        backup.on(/PUT .*uploads/, (seen, response, next) => {
          if (seen.query.get("digest") !== layer.digest) return next()
          sent++
          response.writeHead(201, { "docker-content-digest": layerOf("other").digest }).end()
        })
        backup.on(new RegExp(`HEAD .*blobs/${layer.digest}`), (_, response, next) =>
          sent === 0 ? next() : response.writeHead(200).end())
        const error = yield* Effect.flip(clone())
        assert.deepStrictEqual([error.reason, error.side], ["corrupt", "backup"])
        assert.strictEqual(sent, 2)
        assert.strictEqual(backup.count(/PUT .*manifests/), 0)
      })
    ))
})

describe("a blob that two images share", () => {
  // one was listed last in an image of huge layers: all other images of that registry waited for those as well
  it.live("is not waited for before it moves", () =>
    betweenRegistries(({ clone, cloner, source }) =>
      Effect.gen(function*() {
        const base = layerOf("base")
        const others = Array.from({ length: 4 }, (_, at) => layerOf(`other${at}`))
        source.add("large", imageOf([...others, base]), "1")
        source.add("app", imageOf([base, layerOf("own")]), "1")
        for (const it of others) source.on(new RegExp(`GET .*${it.digest}`), () => {})
        const large = yield* Effect.forkChild(
          cloner.clone({ registry: source.host, repository: "large", tag: "1" }),
          { startImmediately: true }
        )
        yield* eventually("its first layers do not move", () => source.count(/GET .*large\/blobs/) >= 3)
        const copied = yield* clone().pipe(Effect.timeout("2 seconds"))
        assert.strictEqual(copied.blobs.uploaded, 3)
        yield* Fiber.interrupt(large)
      })
    ))

  it.live("is not left on its way by whoever is interrupted, wherever that is", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const host = { registry: "source.example", repository: "app" }
      const blob = { mediaType: "x", digest: layerOf("a").digest, size: 20_000, foreign: false }
      let flown = 0
      for (const operations of [3, 4, 5, 6, 7, 11, 17]) {
        for (let turns = 1; turns < 40; turns++) {
          const ledger = makeLedger(clock)
          const fiber = yield* Effect.forkChild(
            copyBlob(
              {
                image: "app:1",
                registry: silent,
                limits: defaultLimits,
                ledger,
                source: host,
                backup: { registry: "backup.example", repository: "mirror/app" },
                counter: new Counter(),
                slots: Semaphore.makeUnsafe(3)
              },
              blob,
              false
            ).pipe(Effect.provideService(MaxOpsBeforeYield, operations))
          )
          for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
          if (ledger.flights.size > 0) flown++
          yield* Fiber.interrupt(fiber)
          assert.strictEqual(ledger.flights.size, 0, `${operations} operations a turn, ${turns} turns`)
        }
      }
      assert.isAbove(flown, 0)
    }))
})
