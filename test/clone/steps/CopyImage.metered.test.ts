// Sources that count what is read of them: a manifest is one pull, and is asked for only where the backup does not have it.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Cloner } from "../../../src/clone/Cloner.ts"
import type { FakeRegistry } from "../../support/FakeRegistry.ts"
import { clonerLayer } from "../../support/Registries.ts"
import { assertWhole, betweenRegistries, image, index } from "../../support/SourceAndBackup.ts"

const manifests = /manifests/
const pulls = /GET .*manifests/

const counting = (registry: FakeRegistry) =>
  registry.on(manifests, (_, response, next) => {
    response.setHeader("ratelimit-limit", "100;w=21600")
    response.setHeader("ratelimit-remaining", "90;w=21600")
    next()
  })

/** A copy of an image under a second name, by a process that has not seen the first. */
const again = (content: typeof image) =>
  betweenRegistries(({ backup, clone, into, source }) =>
    Effect.gen(function*() {
      counting(source)
      source.add("app", content, "1")
      yield* clone()
      source.add("app", content, "2")
      source.forget()
      const copied = yield* Effect.flatMap(
        Cloner,
        (it) => it.clone({ registry: source.host, repository: "app", tag: "2" })
      ).pipe(Effect.provide(clonerLayer({ backup: backup.host, plainHttp: [source.host, backup.host] })))
      assert.deepStrictEqual(copied.blobs.uploaded, 0)
      assertWhole(backup, into, content)
      assert.isTrue(backup.manifest(into, "2")?.equals(content.root.bytes))
      return source.count(pulls)
    })
  )

describe("a source that counts pulls", () => {
  it.live("is asked for each manifest of a new image once", () =>
    betweenRegistries(({ clone, source }) =>
      Effect.gen(function*() {
        counting(source)
        source.add("app", index, "1")
        yield* clone()
        assert.strictEqual(source.count(pulls), index.manifests.length)
      })
    ))

  it.live("is not asked for what the backup has under another name", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* again(image), 0)
      assert.strictEqual(yield* again(index), 0)
    }))
})
