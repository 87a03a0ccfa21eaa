import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { digestOf } from "../../support/Objects.ts"
import { assertWhole, betweenRegistries, index, protection } from "../../support/SourceAndBackup.ts"

describe("what a replica that does not copy knows of an image", () => {
  it.live("is what the backup holds of it, to the last blob, and neither registry is changed", () =>
    betweenRegistries(({ backup, clone, cloner, into, source }) =>
      Effect.gen(function*() {
        source.add("app", index, "1")
        const copied = yield* clone()
        assertWhole(backup, into, index)
        source.forget()
        backup.forget()
        const known = yield* cloner.recognise(copied.source)
        assert.strictEqual(known?.digest, copied.digest)
        assert.deepStrictEqual([...known?.contents ?? []].toSorted(), [...copied.contents].toSorted())
        assert.deepStrictEqual(source.seen, [])
        assert.deepStrictEqual([...new Set(backup.seen.map((it) => it.method))].toSorted(), ["GET", "HEAD"])
        const byDigest = yield* cloner.recognise({ ...copied.source, tag: undefined, digest: copied.digest })
        assert.strictEqual(byDigest?.digest, copied.digest)
      })
    ))

  it.live("is nothing where the backup has no such name: the source is not asked", () =>
    betweenRegistries(({ cloner, source }) =>
      Effect.gen(function*() {
        source.add("app", index, "1")
        assert.isUndefined(yield* cloner.recognise({ registry: source.host, repository: "app", tag: "1" }))
        assert.deepStrictEqual(source.seen, [])
      })
    ))

  it.live("is nothing while a part of it, or the tag that keeps it, is missing", () =>
    betweenRegistries(({ backup, clone, cloner, into, source }) =>
      Effect.gen(function*() {
        source.add("app", index, "1")
        const copied = yield* clone()
        backup.remove(into, protection(copied.digest))
        assert.isUndefined(yield* cloner.recognise(copied.source))
        backup.add(into, index, protection(copied.digest))
        assert.isDefined(yield* cloner.recognise(copied.source))
        const child = index.manifests.find((it) => it.digest !== copied.digest)
        backup.remove(into, child?.digest ?? "")
        assert.isUndefined(yield* cloner.recognise(copied.source))
      })
    ))

  // seen: pods were pointed to the name of the source's own digest, which the backup does not have
  it.live("is of a converted image what its source calls it, too: its copy is named by that", () =>
    betweenRegistries(({ backup, cloner, into, source }) =>
      Effect.gen(function*() {
        const original = digestOf("c")
        backup.add(into, index, protection(original))
        const known = yield* cloner.recognise({ registry: source.host, repository: "app", digest: original })
        assert.deepStrictEqual([known?.digest, known?.original], [index.root.digest, original])
      })
    ))

  // seen: what a blob's question was answered once was believed as long as the process lived, errors too
  it.live("is nothing where the backup fails, and known again when it answers", () =>
    betweenRegistries(({ backup, clone, cloner, into, source }) =>
      Effect.gen(function*() {
        source.add("app", index, "1")
        const copied = yield* clone()
        let status = 503
        backup.on(/\/blobs\//, ({ path }, response) => {
          const blob = backup.blob(into, path.split("/").at(-1) ?? "")
          response.writeHead(status, { "content-length": status === 200 ? blob?.length ?? 0 : 0 }).end()
        })
        assert.isUndefined(yield* cloner.recognise(copied.source))
        status = 200
        assert.strictEqual((yield* cloner.recognise(copied.source))?.digest, copied.digest)
        status = 404
        assert.isUndefined(yield* cloner.recognise(copied.source))
      }), { limits: { answerTimeout: Duration.seconds(1) } }))
})
