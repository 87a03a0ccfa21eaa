// What registries get wrong while an image is copied, on both sides: what is reported, and that nothing is half there.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { type Digest, digestOf } from "../../../src/image/Digest.ts"
import { ociIndex } from "../../../src/image/ManifestDocument.ts"
import { refuse } from "../../support/FakeRegistry.ts"
import { imageOf, indexOf, layerOf, manifestOf, type TestImage } from "../../support/TestImages.ts"
import { eventually } from "../../support/Eventually.ts"
import {
  assertWhole,
  betweenRegistries,
  image,
  index,
  protection,
  type SourceAndBackup
} from "../../support/SourceAndBackup.ts"

describe("a registry that lies", () => {
  it.live("on HEAD about the digest is not believed: the bytes behind the tag count", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        source.on(/HEAD .*manifests\/1/, (_, response) =>
          response.writeHead(200, { "docker-content-digest": digestOf(Buffer.from("lie")) }).end())
        const copied = yield* clone()
        assert.strictEqual(copied.digest, image.root.digest)
        assertWhole(backup, into, image)
      })
    ))

  it.live("about blobs that it does not have gets all children again, once", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        backup.on(/HEAD .*blobs/, (_, response) => response.writeHead(200).end())
        backup.on(/PUT .*manifests\/at-sha256/, (_, response) => refuse(response, 404, "MANIFEST_BLOB_UNKNOWN"), 1)
        const copied = yield* clone()
        assert.deepStrictEqual(copied.blobs, { uploaded: 3, mounted: 0, present: 0 })
        assertWhole(backup, into, image)
      })
    ))

  it.live("about children of an index gets them again as well", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", index, "1")
        let refused = false
        backup.on(new RegExp(`PUT .*manifests/${protection(index.root.digest)}`), (_, response, next) => {
          if (refused) return next()
          refused = true
          for (const it of index.manifests) backup.remove(into, it.digest)
          return refuse(response, 400, "MANIFEST_UNKNOWN")
        })
        yield* clone()
        assert.isTrue(refused)
        assertWhole(backup, into, index)
      })
    ))

  it.live("for ever is reported, and nothing is tagged", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        backup.on(/PUT .*manifests/, (_, response) => refuse(response, 404, "MANIFEST_BLOB_UNKNOWN"))
        const error = yield* Effect.flip(clone())
        assert.deepStrictEqual([error.reason, error.side, error.retryable], ["unavailable", "backup", true])
        assert.isUndefined(backup.manifest(into, "1"))
      })
    ))

  it.live("that it stored the image is found out at the end", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        backup.on(/PUT .*manifests/, (_, response) => response.writeHead(201).end())
        const error = yield* Effect.flip(clone())
        assert.deepStrictEqual([error.reason, error.side], ["unavailable", "backup"])
        assert.include(error.message, "is not there")
      })
    ))
})

describe("a source that fails", () => {
  const layer = layerOf("big", 3_000_000)
  const big = imageOf([layer])
  const blob = new RegExp(`GET .*blobs/${layer.digest}`)
  const untagged = ({ backup, into }: SourceAndBackup) => {
    assert.isUndefined(backup.manifest(into, "1"))
    assert.isUndefined(backup.manifest(into, protection(big.root.digest)))
    assert.isUndefined(backup.blob(into, layer.digest))
  }

  it.live("by cutting a layer short is tried again", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", big, "1")
        source.on(blob, (_, response) => {
          response.writeHead(200, { "content-length": layer.bytes.length })
          response.write(layer.bytes.subarray(0, 1_000_000), () => response.destroy())
        }, 2)
        const copied = yield* clone()
        assert.deepStrictEqual(copied.blobs, { uploaded: 2, mounted: 0, present: 0 })
        assertWhole(backup, into, big)
      })
    ))

  it.live("by always cutting it short is reported, and nothing is tagged", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", big, "1")
        it.source.on(blob, (_, response) => {
          response.writeHead(200, { "content-length": layer.bytes.length })
          response.write(layer.bytes.subarray(0, 1_000_000), () => response.destroy())
        })
        const error = yield* Effect.flip(it.clone())
        assert.deepStrictEqual([error.reason, error.side, error.retryable], ["unavailable", "source", true])
        // each of five tries is taken up again once, and comes no further
        assert.strictEqual(it.source.count(blob), 10)
        untagged(it)
      })
    ))

  it.live.each<[string, (bytes: Buffer) => Buffer, boolean]>([
    ["other bytes of the same length", (bytes) => Buffer.alloc(bytes.length, 1), true],
    ["one flipped bit at the end", (bytes) => {
      const copy = Buffer.from(bytes)
      copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1
      return copy
    }, true],
    ["more than there should be", (bytes) => Buffer.concat([bytes, bytes]), false]
  ])(
    "by sending %s never completes an upload",
    ([, corrupt, sized]) =>
      betweenRegistries((it) =>
        Effect.gen(function*() {
          it.source.add("app", big, "1")
          it.source.on(blob, (_, response) => {
            response.writeHead(200, sized ? { "content-length": layer.bytes.length } : {})
            response.end(corrupt(layer.bytes))
          })
          const error = yield* Effect.flip(it.clone())
          assert.deepStrictEqual([error.reason, error.side], ["corrupt", "source"])
          // once could be the network's fault
          assert.strictEqual(it.source.count(blob), 2)
          untagged(it)
          // the registry never saw the last byte
          assert.strictEqual(it.backup.count(new RegExp(`PUT .*uploads.*${layer.digest.replace(":", "%3A")}`)), 0)
          yield* eventually("the upload is not cancelled", () => it.backup.count(/DELETE/) > 0)
        })
      )
  )

  it.live("by sending chunks without a length is fine", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", big, "1")
        source.on(blob, (_, response) => {
          response.writeHead(200)
          let at = 0
          const more = () => {
            if (at >= layer.bytes.length) return response.end()
            const chunk = layer.bytes.subarray(at, at + 77_777)
            at += 77_777
            return response.write(chunk, more)
          }
          more()
        })
        yield* clone()
        assertWhole(backup, into, big)
      })
    ))

  it.live("by dripping is given up", () =>
    betweenRegistries((it) =>
      Effect.gen(function*() {
        it.source.add("app", big, "1")
        it.source.on(blob, (_, response) => {
          response.writeHead(200, { "content-length": layer.bytes.length })
          const timer = setInterval(() => response.write(Buffer.alloc(10)), 20)
          response.once("close", () => clearInterval(timer))
        })
        const error = yield* Effect.flip(it.clone())
        assert.deepStrictEqual([error.reason, error.side], ["unavailable", "source"])
        assert.include(error.message, "stalled")
        untagged(it)
      }), { limits: { stallWindow: Duration.millis(300), stallBytes: 100_000, attempts: 2 } }))

  it.live("in any way is not held against the backup, nor the other way round", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", big, "1")
        backup.on(/PUT .*uploads/, (_, response) => refuse(response, 507, "NO_SPACE"))
        const error = yield* Effect.flip(clone())
        assert.deepStrictEqual([error.reason, error.side], ["unavailable", "backup"])
        assert.isUndefined(backup.manifest(into, "1"))
      })
    ))

  it.live.each<[string, number, string, boolean]>([
    ["private or missing", 401, "private", false],
    ["forbidden", 403, "private", false],
    ["not there", 404, "not-found", false],
    ["broken", 500, "unavailable", true]
  ])(
    "because it is %s is named so",
    ([, status, reason, retryable]) =>
      betweenRegistries(({ backup, clone, source }) =>
        Effect.gen(function*() {
          source.on(/./, (_, response) => refuse(response, status, "NO"))
          const error = yield* Effect.flip(clone())
          assert.deepStrictEqual([error.reason, error.side, error.retryable], [reason, "source", retryable])
          assert.strictEqual(backup.count(/PUT|POST/), 0)
        })
      )
  )

  it.live("by a rate limit of hours gives its permit back with the time", () =>
    betweenRegistries(({ clone, source }) =>
      Effect.gen(function*() {
        source.on(/./, (_, response) => refuse(response, 429, "TOOMANYREQUESTS", { "retry-after": "3600" }))
        const error = yield* Effect.flip(clone())
        assert.deepStrictEqual([error.reason, error.retryable], ["rate-limited", true])
        assert.approximately(error.retryAfter === undefined ? 0 : Duration.toSeconds(error.retryAfter), 3600, 5)
      })
    ))
})

describe("a backup that fails", () => {
  const big = imageOf([layerOf("big", 3_000_000)])

  it.live("to answer a PUT that it stored is asked whether it has the blob", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", big, "1")
        backup.on(/PUT .*uploads/, (_, response) => {
          backup.add(into, { ...big, manifests: [] })
          response.destroy()
        })
        const copied = yield* clone()
        assert.strictEqual(copied.blobs.uploaded, 2)
        assertWhole(backup, into, big)
        assert.isAtMost(source.count(/GET .*blobs/), 2)
      })
    ))

  it.live("by refusing the log-in is named, with what to do", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        source.add("app", big, "1")
        backup.on(/POST/, (_, response) => refuse(response, 403, "DENIED"))
        const error = yield* Effect.flip(clone())
        assert.deepStrictEqual([error.reason, error.side, error.retryable], ["denied", "backup", false])
        assert.include(error.message, "DOCKER_CONFIG")
      })
    ))
})

describe("images that are not taken", () => {
  const descriptor = (digest: Digest) => ({ mediaType: "application/x", digest, size: 2 })
  const single = (root: TestImage["root"]): TestImage => ({ root, manifests: [root], blobs: [], configs: [] })

  it.live("Docker's schema 1", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        source.add(
          "app",
          single(manifestOf("application/vnd.docker.distribution.manifest.v1+prettyjws", { fsLayers: [] })),
          "1"
        )
        const error = yield* Effect.flip(clone())
        assert.deepStrictEqual([error.reason, error.retryable], ["unsupported", false])
        assert.include(error.message, "schema 1")
        assert.strictEqual(backup.count(/PUT/), 0)
      })
    ))

  it.live("more parts than any image has", () =>
    betweenRegistries(({ clone, source }) =>
      Effect.gen(function*() {
        const manifests = Array.from({ length: 10_001 }, (_, at) => ({
          ...descriptor(digestOf(Buffer.from(String(at)))),
          mediaType: "application/vnd.oci.image.manifest.v1+json"
        }))
        source.add("app", single(manifestOf(ociIndex, { schemaVersion: 2, manifests })), "1")
        const error = yield* Effect.flip(clone())
        assert.strictEqual(error.reason, "unsupported")
        assert.isBelow(source.seen.length, 5)
      })
    ))

  it.live("indexes nested without end", () =>
    betweenRegistries(({ clone, source }) =>
      Effect.gen(function*() {
        let deep = imageOf([])
        for (let level = 0; level < 10; level++) deep = indexOf([deep])
        source.add("app", deep, "1")
        const error = yield* Effect.flip(clone())
        assert.strictEqual(error.reason, "unsupported")
        assert.include(error.message, "nested deeper")
      })
    ))

  it.live("what is in the backup already", () =>
    betweenRegistries(({ backup, clone, into }) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(clone({ registry: backup.host, repository: into, tag: "1" }))
        assert.strictEqual(error.reason, "unsupported")
        assert.strictEqual(backup.seen.length, 0)
      })
    ))

  it.live("a private repository on the backup's host gets nothing, whatever the owner's log-in can read", () =>
    betweenRegistries(({ backup, clone }) =>
      Effect.gen(function*() {
        backup.add("owner/secret", image, "1")
        backup.on(/owner\/secret/, (seen, response, next) =>
          seen.headers.authorization === undefined
            ? refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic realm=\"x\"" })
            : next())
        const error = yield* Effect.flip(clone({ registry: backup.host, repository: "owner/secret", tag: "1" }))
        assert.strictEqual(error.reason, "private")
      })
    ))

  it.live("a foreign layer that nobody has is left, and the rest copied", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        const foreign = layerOf("windows")
        const manifest = imageOf([layerOf("a")], {
          more: {
            layers: [{
              mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
              digest: foreign.digest,
              size: foreign.bytes.length,
              urls: ["https://vendor.example/layer"]
            }]
          }
        })
        source.add("app", manifest, "1")
        const copied = yield* clone()
        assert.deepStrictEqual(copied.blobs, { uploaded: 1, mounted: 0, present: 0 })
        assert.isTrue(backup.manifest(into, "1")?.equals(manifest.root.bytes))
      })
    ))
})

describe("a copy that is interrupted", () => {
  it.live("ends both connections and tags nothing", () =>
    betweenRegistries(({ backup, clone, cloner, into, source }) =>
      Effect.gen(function*() {
        const layer = layerOf("big", 3_000_000)
        source.add("app", imageOf([layer]), "1")
        let closed = false
        source.on(new RegExp(`blobs/${layer.digest}`), (_, response) => {
          response.writeHead(200, { "content-length": layer.bytes.length })
          response.write(layer.bytes.subarray(0, 1_000_000))
          response.once("close", () => {
            closed = true
          })
        })
        const flight = yield* Effect.forkChild(clone(), { startImmediately: true })
        yield* eventually("no million bytes", cloner.inFlight, ([progress]) => (progress?.bytes.done ?? 0) > 900_000)
        const [progress] = yield* cloner.inFlight
        assert.isAbove(progress?.bytes.total ?? 0, 3_000_000)
        yield* Fiber.interrupt(flight)
        yield* eventually("the download is not closed", () => closed)
        assert.deepStrictEqual(yield* cloner.inFlight, [])
        assert.isUndefined(backup.manifest(into, "1"))
      })
    ))
})
