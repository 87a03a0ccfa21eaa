import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Result } from "effect"
import { assertWhole, betweenRegistries, index, protection } from "../../support/SourceAndBackup.ts"

describe("a copy that pods cannot pull", () => {
  it.live("is seen to its last blob, and neither registry is changed", () =>
    betweenRegistries(({ backup, clone, cloner, source }) =>
      Effect.gen(function*() {
        source.add("app", index, "1")
        const copied = yield* clone()
        source.forget()
        backup.forget()
        assert.isAbove(yield* cloner.verifyWhole(copied.source, copied.digest), 0)
        assert.deepStrictEqual(source.seen, [])
        assert.deepStrictEqual([...new Set(backup.seen.map((it) => it.method))].toSorted(), ["GET", "HEAD"])
      })
    ))

  // distribution/distribution#3178: clean-ups take what is not tagged, which the parts of an index are not
  it.live("is not there while a part of it is missing, and is whole again once it was copied anew", () =>
    betweenRegistries(({ backup, clone, cloner, into, source }) =>
      Effect.gen(function*() {
        source.add("app", index, "1")
        const copied = yield* clone()
        const child = index.manifests.find((it) => it.digest !== copied.digest)?.digest ?? ""
        backup.remove(into, child)
        yield* cloner.verify(copied.source, copied.digest)
        const seen = yield* Effect.flip(cloner.verifyWhole(copied.source, copied.digest))
        assert.deepStrictEqual([seen.reason, seen.side], ["not-found", "backup"])
        assert.include(seen.detail, child)
        yield* clone()
        assertWhole(backup, into, index)
        yield* cloner.verifyWhole(copied.source, copied.digest)
        backup.remove(into, protection(copied.digest))
        assert.strictEqual((yield* Effect.flip(cloner.verifyWhole(copied.source, copied.digest))).reason, "not-found")
      })
    ))

  it.live("is there where the rest cannot be seen: an outage takes nothing back", () =>
    betweenRegistries(({ backup, clone, cloner, source }) =>
      Effect.gen(function*() {
        source.add("app", index, "1")
        const copied = yield* clone()
        backup.on(/\/blobs\//, (_, response) => void response.writeHead(503).end())
        assert.isTrue(Result.isSuccess(yield* Effect.result(cloner.verifyWhole(copied.source, copied.digest))))
      }), { limits: { answerTimeout: Duration.seconds(1) } }))
})
