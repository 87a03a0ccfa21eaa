// TAG_POLICY keep: the tag of a copy stays at the first digest that it named, and everything else goes on.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { refuse } from "../../support/FakeRegistry.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"
import { assertWhole, betweenRegistries, image, index, protection, pushes } from "../../support/SourceAndBackup.ts"

const keep = { keepTags: true }

describe("the tag of a copy with TAG_POLICY keep", () => {
  it.live("stays at the first digest when the source's moves, which is told with both digests", () =>
    betweenRegistries(({ backup, cloner, into, source }) =>
      Effect.gen(function*() {
        const told: Array<readonly [string, string]> = []
        const app = { registry: source.host, repository: "app", tag: "1" }
        const drifted = (...digests: readonly [string, string]) => Effect.sync(() => void told.push(digests))
        source.add("app", image, "1")
        yield* cloner.clone(app, { drifted })
        source.add("app", index, "1")
        const copied = yield* cloner.clone(app, { drifted })
        assert.deepStrictEqual([copied.digest, copied.upToDate], [image.root.digest, true])
        assert.deepStrictEqual(told, [[index.root.digest, image.root.digest]])
        assert.isTrue(backup.manifest(into, "1")?.equals(image.root.bytes))
        assert.isUndefined(backup.manifest(into, index.root.digest))
      }), keep))

  it.live("is mended by what it names: a layer that is damaged comes from the source's digest", () =>
    betweenRegistries(({ backup, cloner, into, source }) =>
      Effect.gen(function*() {
        const app = { registry: source.host, repository: "app", tag: "1" }
        source.add("app", image, "1")
        yield* cloner.clone(app)
        source.add("app", index, "1")
        const [damaged] = image.blobs
        backup.forget()
        yield* cloner.repair(app, new Set([damaged!.digest]))
        assert.deepStrictEqual(pushes(backup), ["blob"])
        assertWhole(backup, into, image)
        assert.isTrue(backup.manifest(into, "1")?.equals(image.root.bytes))
      }), keep))

  it.live("comes back as what it was when the backup has lost it", () =>
    betweenRegistries(({ backup, cloner, into, source }) =>
      Effect.gen(function*() {
        const app = { registry: source.host, repository: "app", tag: "1" }
        source.add("app", image, "1")
        yield* cloner.clone(app)
        backup.remove(into, "1")
        source.add("app", index, "1")
        yield* cloner.clone(app, { last: image.root.digest })
        assert.isTrue(backup.manifest(into, "1")?.equals(image.root.bytes))
      }), keep))

  it.live("is what the source's tag names where both sides have lost what it was", () =>
    betweenRegistries(({ backup, cloner, into, source }) =>
      Effect.gen(function*() {
        const app = { registry: source.host, repository: "app", tag: "1" }
        const { digest } = image.root
        source.add("app", image, "1")
        yield* cloner.clone(app)
        for (const name of ["1", digest, protection(digest)]) backup.remove(into, name)
        source.remove("app", digest)
        const other = imageOf([layerOf("z")])
        source.add("app", other, "1")
        const copied = yield* cloner.clone(app, { last: digest })
        assert.strictEqual(copied.digest, other.root.digest)
        assertWhole(backup, into, other)
      }), keep))

  it.live("is not moved by the copy of a pin, which is whole all the same", () =>
    betweenRegistries(({ backup, cloner, into, source }) =>
      Effect.gen(function*() {
        const app = { registry: source.host, repository: "app", tag: "1" }
        source.add("app", image, "1")
        yield* cloner.clone(app)
        source.add("app", index, "1")
        yield* cloner.clone({ ...app, digest: index.root.digest })
        assertWhole(backup, into, index)
        assert.isTrue(backup.manifest(into, protection(index.root.digest))?.equals(index.root.bytes))
        assert.isTrue(backup.manifest(into, "1")?.equals(image.root.bytes))
      }), keep))
})

describe("the tag of a copy with TAG_POLICY follow", () => {
  it.live("is moved last, when the new image is whole", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        yield* clone()
        source.add("app", index, "1")
        yield* clone()
        assertWhole(backup, into, index)
        assert.strictEqual(pushes(backup).at(-1), "1")
        assert.isTrue(backup.manifest(into, protection(image.root.digest))?.equals(image.root.bytes))
      })
    ))

  it.live("stays where the new image cannot be copied, which is tried once, whatever was seen last", () =>
    betweenRegistries(({ backup, cloner, into, source }) =>
      Effect.gen(function*() {
        const app = { registry: source.host, repository: "app", tag: "1" }
        source.add("app", image, "1")
        yield* cloner.clone(app)
        const moved = imageOf([layerOf("lost")])
        source.add("app", moved, "1")
        const lost = new RegExp(`GET .*blobs/${moved.blobs[0]!.digest}`)
        source.on(lost, (_, response) => refuse(response, 404, "BLOB_UNKNOWN"))
        source.forget()
        const error = yield* Effect.flip(cloner.clone(app, { last: image.root.digest }))
        assert.deepStrictEqual([error.reason, error.side], ["not-found", "source"])
        assert.deepStrictEqual([source.count(/HEAD .*manifests/), source.count(lost)], [1, 1])
        assert.isTrue(backup.manifest(into, "1")?.equals(image.root.bytes))
      })
    ))

  it.live("is put back to what was seen last where the source cannot say what it names", () =>
    betweenRegistries(({ backup, cloner, into, source }) =>
      Effect.gen(function*() {
        const app = { registry: source.host, repository: "app", tag: "1" }
        source.add("app", image, "1")
        yield* cloner.clone(app)
        backup.remove(into, "1")
        source.on(/manifests/, (_, response) => refuse(response, 403, "DENIED"))
        assert.strictEqual((yield* cloner.clone(app, { last: image.root.digest })).digest, image.root.digest)
        assert.isTrue(backup.manifest(into, "1")?.equals(image.root.bytes))
      })
    ))

  it.live("does not move when a rollout has begun to use it while the new image was copied", () =>
    betweenRegistries(({ backup, cloner, into, source }) =>
      Effect.gen(function*() {
        const app = { registry: source.host, repository: "app", tag: "1" }
        source.add("app", image, "1")
        yield* cloner.clone(app)
        source.add("app", index, "1")
        // it begins with the first byte of the copy
        const tagInUse = Effect.sync(() => backup.manifest(into, index.root.digest) !== undefined)
        const error = yield* Effect.flip(cloner.clone(app, { tagInUse }))
        assert.strictEqual(error.reason, "tag-in-use")
        assertWhole(backup, into, index)
        assert.isTrue(backup.manifest(into, "1")?.equals(image.root.bytes))
        assert.strictEqual((yield* cloner.clone(app)).digest, index.root.digest)
        assert.isTrue(backup.manifest(into, "1")?.equals(index.root.bytes))
      })
    ))
})
