// Uploads in chunks where a backup refuses one large request: how large they are, and what is remembered of that.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Handler } from "../../support/FakeRegistry.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"
import { assertWhole, betweenRegistries, type SourceAndBackup } from "../../support/SourceAndBackup.ts"

const layer = layerOf("large", 10_000_000)
const large = imageOf([layer])
const megabytes = 1024 * 1024
const refused: Handler = (seen, response, next) =>
  seen.body.length > 4 * megabytes ? void response.writeHead(413).end("Request Entity Too Large") : next()
const patches = ({ backup }: SourceAndBackup) => backup.seen.filter((it) => it.method === "PATCH")

describe("a backup that refuses large requests", () => {
  it.live("gets large blobs in chunks, and the next ones at once", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        const again = imageOf([layerOf("larger", 11_000_000)])
        it.source.add("app", large, "1")
        it.source.add("app", again, "2")
        it.backup.on(/PUT .*uploads/, refused)
        yield* it.clone()
        assertWhole(it.backup, it.into, large)
        assert.deepStrictEqual(patches(it).map((seen) => seen.headers["content-range"]), [
          "0-4194303",
          "4194304-8388607",
          "8388608-9999999"
        ])
        it.backup.forget()
        yield* it.clone({ tag: "2" })
        assertWhole(it.backup, it.into, again)
        assert.strictEqual(patches(it).length, 3)
        // nothing was tried in one piece: configs and ends of uploads only
        assert.isTrue(it.backup.seen.every((seen) => seen.method !== "PUT" || seen.body.length < 10_000))
      })
    ))

  it.live("even in chunks is reported with what it said", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", large, "1")
        it.backup.on(
          /(PUT|PATCH) .*uploads/,
          (seen, response, next) => seen.body.length > 10_000 ? void response.writeHead(413).end() : next()
        )
        const error = yield* Effect.flip(it.clone())
        assert.deepStrictEqual([error.reason, error.side, error.retryable], ["denied", "backup", false])
        assert.include(error.message, "413")
        // halved down to what nobody should refuse
        assert.deepStrictEqual(patches(it).map((seen) => seen.body.length / 1024), [4096, 2048, 1024, 512, 256])
      })
    ))

  it.live("gets chunks that are halved until they pass, and remembers it", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        const again = imageOf([layerOf("larger", 3_000_000)])
        it.source.add("app", large, "1")
        it.source.add("app", again, "2")
        // nginx without client_max_body_size
        const front: Handler = (seen, response, next) =>
          seen.body.length > megabytes ? void response.writeHead(413).end("<html>413</html>") : next()
        it.backup.on(/(PUT|PATCH) .*uploads/, front)
        yield* it.clone()
        assertWhole(it.backup, it.into, large)
        const sizes = patches(it).map((seen) => seen.body.length)
        assert.deepStrictEqual(sizes.slice(0, 3), [4 * megabytes, 2 * megabytes, megabytes])
        assert.strictEqual(patches(it)[2]?.headers["content-range"], "0-1048575")
        assert.isTrue(sizes.slice(2).every((size) => size <= megabytes))
        it.backup.forget()
        // smaller than the usual chunk, and too large for the front
        yield* it.clone({ tag: "2" })
        assertWhole(it.backup, it.into, again)
        assert.deepStrictEqual(patches(it).map((seen) => seen.body.length <= megabytes), [true, true, true])
      })
    ))

  it.live("refuses a blob that is smaller than a chunk: it gets smaller chunks", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        const small = imageOf([layerOf("small", 3_000_000)])
        it.source.add("app", small, "1")
        it.backup.on(
          /(PUT|PATCH) .*uploads/,
          (seen, response, next) => seen.body.length > megabytes ? void response.writeHead(413).end() : next()
        )
        yield* it.clone()
        assertWhole(it.backup, it.into, small)
        assert.deepStrictEqual(patches(it).map((seen) => seen.body.length).slice(1), [megabytes, megabytes, 902_848])
      })
    ))

  it.live("gets chunks as large as it wants them", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", large, "1")
        it.backup.on(
          /PUT .*uploads/,
          (seen, response, next) => seen.body.length > 9 * megabytes ? void response.writeHead(413).end() : next()
        )
        it.backup.on(/POST/, (_, response, next) => {
          response.setHeader("oci-chunk-min-length", 6_000_000)
          next()
        })
        yield* it.clone()
        assert.deepStrictEqual(patches(it).map((seen) => seen.body.length), [6_000_000, 4_000_000])
        assertWhole(it.backup, it.into, large)
      })
    ))

  it.live("by hanging up gets chunks after two tries", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", large, "1")
        it.backup.on(
          /PUT .*uploads/,
          (seen, response, next) => seen.body.length > 4 * megabytes ? void response.destroy() : next()
        )
        yield* it.clone()
        assert.strictEqual(patches(it).length, 3)
        assertWhole(it.backup, it.into, large)
      })
    ))

  it.live("never gets the last chunk of a blob whose bytes are wrong", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", large, "1")
        it.backup.on(/PUT .*uploads/, refused)
        let asked = 0
        it.source.on(new RegExp(`GET .*blobs/${layer.digest}`), (_, response, next) => {
          if (asked++ === 0) return next()
          const wrong = Buffer.from(layer.bytes)
          wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1
          response.writeHead(200, { "content-length": wrong.length })
          return response.end(wrong)
        })
        const error = yield* Effect.flip(it.clone())
        assert.deepStrictEqual([error.reason, error.side], ["corrupt", "source"])
        assert.isTrue(patches(it).every((seen) => seen.body.length === 4 * megabytes))
        assert.isUndefined(it.backup.blob(it.into, layer.digest))
      })
    ))
})
