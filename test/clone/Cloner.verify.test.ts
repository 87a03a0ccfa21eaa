// What the backup is asked about a copy that was made before, and what is found missing.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { digestOf } from "../../src/image/Digest.ts"
import { uptime } from "../../src/telemetry/Uptime.ts"
import type { FakeRegistry } from "../support/FakeRegistry.ts"
import { imageOf, layerOf } from "../support/TestImages.ts"
import { assertWhole, betweenRegistries, image } from "../support/SourceAndBackup.ts"

describe("verify", () => {
  it.live("asks the backup for the digest, and tells when", () =>
    betweenRegistries(({ backup, clone, cloner, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        const copied = yield* clone()
        backup.forget()
        const before = yield* uptime
        const at = yield* cloner.verify(copied.source, copied.digest)
        assert.isAtLeast(at, before)
        assert.deepStrictEqual(backup.seen.map((it) => `${it.method} ${it.path}`), [
          `HEAD /v2/${into}/manifests/${image.root.digest}`,
          `HEAD /v2/${into}/manifests/1`
        ])
        // what somebody deleted is found missing, and the next clone brings it back
        backup.remove(into, image.root.digest)
        const error = yield* Effect.flip(cloner.verify(copied.source, copied.digest))
        assert.deepStrictEqual([error.reason, error.side, error.retryable], ["not-found", "backup", true])
        assert.isFalse((yield* clone()).upToDate)
        yield* cloner.verify(copied.source, copied.digest)
        assert.strictEqual(
          (yield* Effect.flip(cloner.verify(copied.source, digestOf(Buffer.from("other"))))).reason,
          "not-found"
        )
      })
    ))

  it.live.each<[string, (backup: FakeRegistry, into: string) => void]>([
    ["is gone", (backup, into) => backup.remove(into, "1")],
    ["names something else", (backup, into) => backup.add(into, imageOf([layerOf("other")]), "1")]
  ])(
    "finds out that the copy's tag %s, and the next clone sets it again",
    ([, spoil]) =>
      betweenRegistries(({ backup, clone, cloner, into, source }) =>
        Effect.gen(function*() {
          source.add("app", image, "1")
          const copied = yield* clone()
          spoil(backup, into)
          const error = yield* Effect.flip(cloner.verify(copied.source, copied.digest))
          assert.deepStrictEqual([error.reason, error.side, error.retryable], ["not-found", "backup", true])
          assert.include(error.message, "the tag 1")
          assert.isFalse((yield* clone()).upToDate)
          yield* cloner.verify(copied.source, copied.digest)
          assertWhole(backup, into, image)
        })
      )
  )

  it.live("does not ask for the tag of what is pulled by digest", () =>
    betweenRegistries(({ backup, clone, cloner, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        const copied = yield* clone({ tag: "1", digest: image.root.digest })
        backup.remove(into, "1")
        yield* cloner.verify(copied.source, copied.digest)
      })
    ))

  it.live("is an error that can pass where the backup does not answer", () =>
    betweenRegistries(({ backup, cloner, source }) =>
      Effect.gen(function*() {
        backup.on(/./, (_, response) => response.writeHead(503).end())
        const error = yield* Effect.flip(
          cloner.verify({ registry: source.host, repository: "app", tag: "1" }, image.root.digest)
        )
        assert.deepStrictEqual([error.reason, error.side, error.retryable], ["unavailable", "backup", true])
      }), { limits: { answerTimeout: Duration.seconds(1) } }))
})
