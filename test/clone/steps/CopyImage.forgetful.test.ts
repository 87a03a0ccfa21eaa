// Backups that lose what they were sent, and sources that say one thing and send another: what was seen once is not
// believed for ever.
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Result } from "effect"
import { refuse } from "../../support/FakeRegistry.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"
import { assertWhole, betweenRegistries, image, protection } from "../../support/SourceAndBackup.ts"

/** The real clock, that can be put forward. */
const adjustable = Effect.map(Clock.Clock, (real) => {
  let ahead = 0n
  const nanos = () => real.monotonicTimeNanosUnsafe() + ahead
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe(),
    currentTimeMillis: real.currentTimeMillis,
    currentTimeNanosUnsafe: () => real.currentTimeNanosUnsafe(),
    currentTimeNanos: real.currentTimeNanos,
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) => real.sleep(duration)
  }
  return {
    clock,
    forward: (hours: number) =>
      Effect.sync(() => {
        ahead += BigInt(hours) * 3_600_000_000_000n
      })
  }
})

describe("a backup that loses", () => {
  it.live("a blob between the PUT and the manifest gets all again, and is counted right", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        backup.on(/^PUT .*\/manifests\//, (_, response) => refuse(response, 400, "MANIFEST_BLOB_UNKNOWN"), 1)
        const copied = yield* clone()
        assert.deepStrictEqual(copied.blobs, { uploaded: 3, mounted: 0, present: 0 })
        assert.strictEqual(copied.bytes.uploaded, image.blobs.reduce((sum, it) => sum + it.bytes.length, 0))
        assert.deepStrictEqual([copied.bytes.mounted, copied.bytes.present], [0, 0])
        assertWhole(backup, into, image)
      })
    ))

  // it did not check manifests: the blobs that had been seen there were taken for there, and the tags named nothing
  it.live("a repository gets the blobs again once that is seen", () =>
    betweenRegistries(({ backup, cloner, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        const reference = { registry: source.host, repository: "app", tag: "1" }
        const { digest } = yield* cloner.clone(reference)
        for (const it of [...image.blobs, ...image.manifests]) backup.remove(into, it.digest)
        for (const tag of ["1", protection(digest)]) backup.remove(into, tag)
        assert.isTrue(Result.isFailure(yield* Effect.result(cloner.verify(reference, digest))))
        assert.strictEqual((yield* cloner.clone(reference)).blobs.uploaded, 3)
        assertWhole(backup, into, image)
      })
    ))

  it.live("blobs is found out within twelve hours, however often the image is asked for", () =>
    Effect.gen(function*() {
      const { clock, forward } = yield* adjustable
      yield* betweenRegistries(({ backup, clone, into, source }) =>
        Effect.gen(function*() {
          source.add("app", image, "1")
          yield* clone()
          for (const it of image.blobs) backup.remove(into, it.digest)
          for (let hours = 0; hours < 10; hours += 5) {
            yield* forward(5)
            yield* clone()
          }
          assertWhole(backup, into, image)
        })
      ).pipe(Effect.provideService(Clock.Clock, clock))
    }))
})

describe("a tag of a source that reads like one of the backup's", () => {
  // the backup's tag would have named another image than the digest in it, and a pin to that digest have been led there
  it.live("is refused when its bytes are not those of its HEAD", () =>
    betweenRegistries(({ backup, cloner, into, source }) =>
      Effect.gen(function*() {
        const honest = imageOf([layerOf("honest")], { flavour: "docker" })
        const other = imageOf([layerOf("other")], { flavour: "docker" })
        const tag = protection(honest.root.digest)
        source.add("app", other, tag)
        source.on(new RegExp(`^HEAD .*/manifests/${tag}`), (_, response) => {
          response.writeHead(200, {
            "content-type": honest.root.mediaType,
            "docker-content-digest": honest.root.digest
          }).end()
        })
        const reference = { registry: source.host, repository: "app" }
        const error = yield* Effect.flip(cloner.clone({ ...reference, tag }))
        assert.deepStrictEqual([error.reason, error.side], ["unsupported", "source"])
        assert.isUndefined(backup.manifest(into, tag))
        source.add("app", honest, "1")
        const pinned = yield* cloner.clone({ ...reference, digest: honest.root.digest })
        assert.deepStrictEqual([pinned.digest, pinned.original], [honest.root.digest, undefined])
      })
    ))
})
