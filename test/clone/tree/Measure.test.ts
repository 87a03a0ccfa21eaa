// MAX_IMAGE_SIZE: what is too large is said with its size before a byte is moved, and manifests are asked for once.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { imageOf, indexOf, layerOf } from "../../support/TestImages.ts"
import { assertWhole, betweenRegistries } from "../../support/SourceAndBackup.ts"

const shared = layerOf("shared", 1_000_000)
const both = indexOf([
  imageOf([shared, layerOf("one", 500_000)]),
  imageOf([shared, layerOf("two", 500_000)], { architecture: "arm64" })
])
const bytes = new Map(both.blobs.map((it) => [it.digest, it.bytes.length]))
const total = [...bytes.values()].reduce((sum, it) => sum + it, 0)

describe("an image of a size", () => {
  it.live("just allowed is copied, each manifest read once", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", both, "1")
        yield* clone()
        assertWhole(backup, into, both)
        assert.strictEqual(source.count(/GET .*manifests/), 3)
      }), { mostImageBytes: total }))

  it.live("over the limit is skipped with its size; shared layers count once, nothing is moved", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        source.add("app", both, "1")
        const error = yield* Effect.flip(clone())
        assert.deepStrictEqual([error.reason, error.side, error.retryable], ["too-large", "source", false])
        assert.include(error.message, "1.9 MiB")
        assert.strictEqual(source.count(/blobs/), 0)
        assert.isTrue(backup.seen.every((it) => it.method === "HEAD" || it.method === "GET"))
      }), { mostImageBytes: total - 1 }))

  it.live("over the limit that is there already stays a backup", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", both, "1")
        backup.add(into, both, "1")
        assert.strictEqual((yield* clone()).digest, both.root.digest)
      }), { mostImageBytes: 1 }))
})
