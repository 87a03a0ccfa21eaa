// One image under several names, asked for at once: what is pushed once, and what each name gets.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { digestOf } from "../../src/image/Digest.ts"
import { refuse } from "../support/FakeRegistry.ts"
import { gate } from "../support/Gate.ts"
import { imageOf, layerOf } from "../support/TestImages.ts"
import { eventually } from "../support/Eventually.ts"
import { assertWhole, betweenRegistries, image } from "../support/SourceAndBackup.ts"

const tags = (count: number) => Array.from({ length: count }, (_, at) => `${at}`)

describe("an image under several names", () => {
  for (const permits of [1, 2, 3]) {
    for (const [what, there] of [["is not there", false], ["is there without its tags", true]] as const) {
      // registries with immutable tags refuse the second
      it.live(`that ${what} is pushed and protected once, with ${permits} permits`, () =>
        betweenRegistries(({ backup, clone, into, source }) =>
          Effect.gen(function*() {
            source.add("app", image, ...tags(3))
            if (there) backup.add(into, image)
            const results = yield* Effect.forEach(tags(3), (tag) => clone({ tag }), { concurrency: "unbounded" })
            assert.deepStrictEqual(results.map((it) => it.digest), tags(3).map(() => image.root.digest))
            assert.strictEqual(results.reduce((sum, it) => sum + it.manifests, 0), there ? 0 : 1)
            assert.strictEqual(backup.count(/PUT .*manifests\/at-/), 1)
            for (const tag of tags(3)) assert.strictEqual(backup.count(new RegExp(`PUT .*manifests/${tag}$`)), 1)
            assertWhole(backup, into, image)
          }), { permits }))
    }
  }

  for (const permits of [1, 2, 3]) {
    it.live(`of which one is pinned gets its tag once, with ${permits} permits`, () =>
      betweenRegistries(({ backup, clone, source }) =>
        Effect.gen(function*() {
          source.add("app", image, "1")
          const pinned = { tag: "1", digest: digestOf(image.root.bytes) }
          yield* Effect.forEach([{ tag: "1" }, pinned, { digest: pinned.digest }], (it) => clone(it), {
            concurrency: "unbounded"
          })
          assert.strictEqual(backup.count(/PUT .*manifests\/1$/), 1)
          assert.strictEqual(backup.count(/PUT .*manifests\/at-/), 1)
        }), { permits }))
  }

  it.live("one of which moves while it waits for the other is copied as it is then", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        const moved = imageOf([layerOf("moved")])
        source.add("app", image, "1", "2")
        const door = gate(backup, /PUT .*manifests\/at-/)
        const one = yield* Effect.forkChild(clone({ tag: "1" }), { startImmediately: true })
        yield* door.are(1)
        const two = yield* Effect.forkChild(clone({ tag: "2" }), { startImmediately: true })
        yield* eventually("its name is not known", () => source.count(/HEAD .*manifests\/2$/) === 1)
        yield* Effect.sleep("50 millis")
        source.add("app", moved, "2")
        yield* door.one
        assert.strictEqual((yield* Fiber.join(one)).digest, image.root.digest)
        yield* door.one
        assert.strictEqual((yield* Fiber.join(two)).digest, moved.root.digest)
        assert.isTrue(backup.manifest(into, "2")?.equals(moved.root.bytes))
        assertWhole(backup, into, moved)
      }), { permits: 2 }))

  it.live("is copied by the second where the first fails", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, ...tags(2))
        backup.on(/PUT .*manifests\/at-/, (_, response) => refuse(response, 403, "DENIED"), 1)
        const results = yield* Effect.forEach(tags(2), (tag) => Effect.result(clone({ tag })), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(results.map((it) => it._tag).toSorted(), ["Failure", "Success"])
        assertWhole(backup, into, image)
      }), { permits: 2 }))
})
