// Uploads whose answers got lost, and sessions that nobody needs any more.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { assertWhole, betweenRegistries, image } from "../../support/SourceAndBackup.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"
import { eventually } from "../../support/Eventually.ts"

const large = imageOf([layerOf("large", 10_000_000)])

describe("an upload whose answer is lost", () => {
  it.live.each<[string, number | undefined]>([["with the connection", undefined], ["behind a 502", 502], [
    "behind a 504",
    504
  ]])("%s is not sent again if the blob is there", ([, status]) =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", image, "1")
        it.backup.on(/PUT .*uploads/, (_, response, next) => {
          const head = response.writeHead.bind(response)
          response.writeHead = () => status === undefined ? response.destroy() : head(status)
          next()
        })
        const copied = yield* it.clone()
        assert.strictEqual(copied.blobs.uploaded, 3)
        assert.strictEqual(it.backup.count(/PUT .*uploads/), 3)
        assert.strictEqual(it.source.count(/GET .*blobs/), 3)
        assertWhole(it.backup, it.into, image)
      })
    ))
})

describe("an interrupted copy", () => {
  it.live("ends its uploads when the client is closed with it", () =>
    Effect.gen(function*() {
      const backup = yield* betweenRegistries((it) =>
        Effect.gen(function*() {
          it.source.add("app", large, "1")
          it.source.on(/GET .*blobs/, (_, response) => {
            response.writeHead(200, {}).write(Buffer.alloc(100))
          })
          const running = yield* Effect.forkChild(it.clone())
          yield* eventually("uploads are not open", () => it.backup.count(/POST/) === 2)
          yield* eventually("downloads are not open", () => it.source.count(/GET .*blobs/) === 2)
          yield* Fiber.interrupt(running)
          return it.backup
        }), { limits: { stallWindow: Duration.seconds(30) } })
      assert.strictEqual(backup.count(/DELETE .*uploads/), 2)
    }))

  it.live("ends its uploads", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", large, "1")
        it.source.on(/GET .*blobs/, (_, response) => {
          response.writeHead(200, {}).write(Buffer.alloc(100))
        })
        const running = yield* Effect.forkChild(it.clone())
        yield* eventually("uploads are not open", () => it.backup.count(/POST/) === 2)
        yield* eventually("downloads are not open", () => it.source.count(/GET .*blobs/) === 2)
        yield* Fiber.interrupt(running)
        yield* eventually("both are not ended", () => it.backup.count(/DELETE .*uploads/) === 2)
      }), { limits: { stallWindow: Duration.seconds(30) } }))
})
