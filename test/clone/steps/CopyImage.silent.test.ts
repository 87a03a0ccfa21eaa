// A registry that gives no answer, source or backup: who is asked, who is told, and what is copied all the same.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { digestOf } from "../../../src/image/Digest.ts"
import { betweenRegistries, image } from "../../support/SourceAndBackup.ts"

const tags = Array.from({ length: 20 }, (_, at) => `${at}`)

describe("a registry that gives no answer", () => {
  // nobody listens there
  const silent = "127.0.0.1:1"
  const sparing = { spareSilent: true, others: [{ host: silent }] }

  it.live("is asked once: the next images are told at once, and one that the backup holds is backed up", () =>
    betweenRegistries(({ backup, clone, cloner }) =>
      Effect.gen(function*() {
        backup.add(`mirror/${silent.replace(":", "_")}/app`, image, "held")
        const first = yield* Effect.flip(clone({ registry: silent, tag: "1" }))
        assert.deepStrictEqual([first.silent, first.reason, first.side, first.retryable], [
          silent,
          "unavailable",
          "source",
          true
        ])
        assert.isDefined(yield* cloner.silenceOf(silent))
        for (const other of [{ tag: "2" }, { digest: digestOf(Buffer.from("x")) }]) {
          const told = yield* Effect.flip(clone({ registry: silent, ...other }))
          assert.deepStrictEqual([told.silent, told.side], [silent, "source"])
          assert.include(told.message, "was not asked")
        }
        assert.strictEqual((yield* clone({ registry: silent, tag: "held" })).digest, image.root.digest)
      }), sparing))

  it.live("is told apart from one that is the backup: no image goes on to it, and a source is asked for names only", () =>
    betweenRegistries(({ clone, source }) =>
      Effect.gen(function*() {
        for (const tag of tags) source.add("app", image, tag)
        for (const tag of tags) {
          const error = yield* Effect.flip(clone({ tag }))
          assert.deepStrictEqual([error.silent, error.side, error.reason], [silent, "backup", "unavailable"])
          if (tag !== tags[0]) assert.include(error.message, "was not asked")
        }
        assert.strictEqual(source.count(/GET/), 0)
      }), { ...sparing, backup: silent }))

  it.live("is tried as often as any other by hand", () =>
    betweenRegistries(({ clone, cloner }) =>
      Effect.gen(function*() {
        for (const tag of ["1", "2"]) {
          const error = yield* Effect.flip(clone({ registry: silent, tag }))
          assert.isUndefined(error.silent)
          assert.notInclude(error.message, "was not asked")
        }
        assert.isDefined(yield* cloner.silenceOf(silent))
      }), { ...sparing, spareSilent: false }))
})
