// A tag of the backup while a rollout brings up pods by it: it must not begin to name another image.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { assertWhole, betweenRegistries, image, index } from "../../support/SourceAndBackup.ts"

const inUse = { tagInUse: Effect.succeed(true) }

describe("the tag of a copy that a rollout uses", () => {
  it.live("does not move; afterwards it does", () =>
    betweenRegistries(({ backup, cloner, into, source }) =>
      Effect.gen(function*() {
        const app = { registry: source.host, repository: "app", tag: "1" }
        source.add("app", image, "1")
        yield* cloner.clone(app)
        source.add("app", index, "1")
        const error = yield* Effect.flip(cloner.clone(app, inUse))
        assert.deepStrictEqual([error.reason, error.side, error.retryable], ["tag-in-use", "backup", true])
        assert.include(error.message, image.root.digest)
        assert.isTrue(backup.manifest(into, "1")?.equals(image.root.bytes))
        yield* cloner.clone(app)
        assert.isTrue(backup.manifest(into, "1")?.equals(index.root.bytes))
      })
    ))

  // the model: the backup lost a tag in the midst of a rollout, its source had moved on, and the rest got other bytes
  it.live("does not come back as another image when it was lost, but as what it was", () =>
    betweenRegistries(({ backup, cloner, into, source }) =>
      Effect.gen(function*() {
        const app = { registry: source.host, repository: "app", tag: "1" }
        const { digest } = image.root
        source.add("app", image, "1")
        yield* cloner.clone(app)
        backup.remove(into, "1")
        source.add("app", index, "1")
        assert.strictEqual((yield* cloner.clone(app, { ...inUse, last: digest })).digest, digest)
        assert.isTrue(backup.manifest(into, "1")?.equals(image.root.bytes))
        yield* cloner.clone(app)
        assert.isTrue(backup.manifest(into, "1")?.equals(index.root.bytes))
      })
    ))

  it.live("holds up neither an image that is new, nor one that is as it was, nor one that is named by digest", () =>
    betweenRegistries(({ backup, cloner, into, source }) =>
      Effect.gen(function*() {
        const app = { registry: source.host, repository: "app", tag: "1" }
        source.add("app", image, "1")
        yield* cloner.clone(app, inUse)
        assert.isTrue((yield* cloner.clone(app, inUse)).upToDate)
        source.add("app", index, "1")
        yield* cloner.clone({ ...app, digest: index.root.digest }, inUse)
        assertWhole(backup, into, index)
        assert.isTrue(backup.manifest(into, "1")?.equals(image.root.bytes))
      })
    ))
})
