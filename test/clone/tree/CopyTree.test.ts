// Bounds of one image's walk: how much of it is held, and asked for, at once.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ociIndex } from "../../../src/image/ManifestDocument.ts"
import { imageOf, indexOf, layerOf, manifestOf } from "../../support/TestImages.ts"
import { betweenRegistries, image } from "../../support/SourceAndBackup.ts"

const described = ({ bytes, digest, mediaType }: ReturnType<typeof manifestOf>) => ({
  mediaType,
  digest,
  size: bytes.length
})

describe("an image's manifests", () => {
  // indexes within what registries take of one, padded, filled the memory together: one image ended the process
  it.live("are refused where there is too much of them in all", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        const children = Array.from({ length: 20 }, (_, at) =>
          manifestOf(ociIndex, {
            schemaVersion: 2,
            mediaType: ociIndex,
            manifests: [described(image.root)],
            annotations: { at: String(at), padding: "x".repeat(4_000_000) }
          }))
        const root = manifestOf(ociIndex, {
          schemaVersion: 2,
          mediaType: ociIndex,
          manifests: children.map(described)
        })
        source.add("app", { ...image, root, manifests: [...image.manifests, ...children, root] }, "1")
        const error = yield* Effect.flip(clone())
        assert.deepStrictEqual([error.reason, error.side, error.retryable], ["unsupported", "source", false])
        assert.include(error.message, "33554432 bytes in all")
        // the root, eight that fit and three that are asked for at once, and the one below them
        assert.isAtMost(source.count(/GET .*manifests/), 13)
        assert.strictEqual(backup.count(/PUT .*manifests\/1$/), 0)
      })
    ))
})

describe("a manifest that is larger than registries take", () => {
  it.live("is not pushed, and nothing below it is moved", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        const root = manifestOf(ociIndex, {
          schemaVersion: 2,
          mediaType: ociIndex,
          manifests: [described(image.root)],
          annotations: { padding: "x".repeat(5_000_000) }
        })
        source.add("app", { ...image, root, manifests: [...image.manifests, root] }, "1")
        const error = yield* Effect.flip(clone())
        assert.deepStrictEqual([error.reason, error.side, error.retryable], ["unsupported", "source", false])
        assert.include(error.message, `the manifest has ${root.bytes.length} bytes; registries take 4194304`)
        assert.strictEqual(source.count(/GET .*blobs/), 0)
        assert.strictEqual(backup.count(/POST|PUT/), 0)
      })
    ))
})

describe("an image of many blobs", () => {
  it.live("asks for sixteen at once", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        const many = imageOf(Array.from({ length: 60 }, (_, at) => layerOf(`${at}`, 100)))
        source.add("app", many, "1")
        let now = 0
        let most = 0
        backup.on(/HEAD .*blobs/, (_, __, next) => {
          most = Math.max(most, ++now)
          setTimeout(() => {
            now--
            next()
          }, 20)
        })
        const copied = yield* clone()
        assert.strictEqual(copied.blobs.uploaded, 61)
        assert.isAtMost(most, 16)
        assert.isAbove(most, 4)
      })
    ))
})

describe("an index of which the source has lost a part", () => {
  const other = imageOf([layerOf("other")])
  const index = indexOf([image, other])

  it.live.each<[string, number | undefined]>([["copied", undefined], ["measured before", 1_000_000]])(
    "names the platform that is not there, not the image: %s",
    ([, mostImageBytes]) =>
      betweenRegistries(
        ({ backup, clone, source }) =>
          Effect.gen(function*() {
            source.add("app", { ...index, manifests: [...image.manifests, index.root] }, "1")
            const error = yield* Effect.flip(clone())
            assert.deepStrictEqual([error.reason, error.side, error.retryable], ["not-found", "source", false])
            assert.include(error.message, "the image is there, but not its image for linux/arm64")
            assert.include(error.message, other.root.digest)
            assert.include(error.message, index.root.digest)
            assert.strictEqual(backup.count(/PUT .*manifests\/1$/), 0)
          }),
        mostImageBytes === undefined ? {} : { mostImageBytes }
      )
  )
})
