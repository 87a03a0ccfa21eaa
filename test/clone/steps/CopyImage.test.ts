// One image, from a source to a backup that are both fakes: what is asked, what is pushed, in which order.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Cloner } from "../../../src/clone/Cloner.ts"
import { refuse } from "../../support/FakeRegistry.ts"
import { clonerLayer } from "../../support/Registries.ts"
import { imageOf, indexOf, layerOf } from "../../support/TestImages.ts"
import { eventually } from "../../support/Eventually.ts"
import { assertWhole, betweenRegistries, image, index, protection, pushes } from "../../support/SourceAndBackup.ts"

describe("a fresh image", () => {
  it.live("arrives leaf first, with its tag last, byte for byte", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", index, "1")
        const copied = yield* clone()
        assertWhole(backup, into, index)
        assert.strictEqual(copied.digest, index.root.digest)
        assert.deepStrictEqual(
          copied.contents,
          new Set([...index.manifests.map((it) => it.digest), ...index.configs])
        )
        // "b" is in both images
        assert.deepStrictEqual(copied.blobs, { uploaded: 5, mounted: 0, present: 0 })
        assert.strictEqual(
          copied.bytes.uploaded,
          60_000 + index.blobs.filter((it) => it.bytes.length < 20_000)
            .reduce((sum, it) => sum + it.bytes.length, 0)
        )
        assert.strictEqual(copied.manifests, 3)
        assert.isFalse(copied.upToDate)
        const order = pushes(backup)
        assert.deepStrictEqual(order.slice(-2), [protection(index.root.digest), "1"])
        for (const child of index.manifests.slice(0, 2)) {
          assert.isBelow(order.indexOf(child.digest), order.indexOf(protection(index.root.digest)))
        }
        assert.strictEqual(source.count(/GET .*manifests/), 3)
        assert.strictEqual(source.count(/GET .*blobs/), 5)
        // the last word is the backup's, by digest
        assert.strictEqual(backup.seen.at(-1)?.path, `/v2/${into}/manifests/${index.root.digest}`)
      })
    ))

  it.live.each(["oci", "docker"] as const)(
    "keeps its type, %s, nested indexes as well",
    (flavour) =>
      betweenRegistries(({ backup, clone, into, source }) =>
        Effect.gen(function*() {
          const nested = indexOf([
            indexOf([imageOf([layerOf("a")], { flavour })], flavour),
            imageOf([layerOf("d")], { flavour })
          ], flavour)
          source.add("app", nested, "1")
          yield* clone()
          assertWhole(backup, into, nested)
          const types = backup.seen.filter((it) => it.method === "PUT" && it.path.includes("manifests"))
            .map((it) => it.headers["content-type"])
          assert.deepStrictEqual(new Set(types), new Set(nested.manifests.map((it) => it.mediaType)))
        })
      )
  )

  it.live("by digest gets the protection tag only, and by tag and digest the tag only where the source agrees", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        const digest = image.root.digest
        const copied = yield* clone({ digest })
        assert.strictEqual(copied.backup.tag, undefined)
        assert.isUndefined(backup.manifest(into, "latest"))
        assert.isDefined(backup.manifest(into, protection(digest)))
        yield* clone({ digest, tag: "other" })
        assert.isUndefined(backup.manifest(into, "other"))
        const pinned = yield* clone({ digest, tag: "1" })
        assert.isDefined(backup.manifest(into, "1"))
        assert.deepStrictEqual([pinned.backup.tag, pinned.backup.digest], ["1", digest])
      })
    ))

  it.live("without tag and digest is latest", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "latest")
        const copied = yield* clone({})
        assert.strictEqual(copied.backup.tag, "latest")
        assert.isDefined(backup.manifest(into, "latest"))
      })
    ))
})

describe("an image that the backup holds", () => {
  it.live("is copied no second time, and says so", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        source.add("app", index, "1")
        yield* clone()
        source.forget()
        backup.forget()
        const again = yield* clone()
        assert.isTrue(again.upToDate)
        assert.deepStrictEqual(again.blobs, { uploaded: 0, mounted: 0, present: 5 })
        assert.strictEqual(again.manifests, 0)
        assert.deepStrictEqual(again.contents, new Set([...index.manifests.map((it) => it.digest), ...index.configs]))
        assert.deepStrictEqual(source.seen.map((it) => it.method), ["HEAD"])
        assert.deepStrictEqual(backup.seen.map((it) => it.method), ["HEAD", "HEAD"])
      })
    ))

  it.live("since before this process is looked through, and the source asked for its tag only", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", index, "1")
        backup.add(into, index, "1", protection(index.root.digest))
        const copied = yield* clone()
        assert.isTrue(copied.upToDate)
        assert.deepStrictEqual(source.seen.map((it) => it.method), ["HEAD"])
        assert.strictEqual(backup.count(/PUT|POST/), 0)
        assert.strictEqual(backup.count(/HEAD .*blobs/), 5)
      })
    ))

  it.live("in part costs the source only what is missing", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", index, "1")
        backup.add(into, index, "1")
        backup.remove(into, layerOf("c").digest)
        const copied = yield* clone()
        assert.isFalse(copied.upToDate)
        assert.deepStrictEqual(copied.blobs, { uploaded: 1, mounted: 0, present: 4 })
        assert.strictEqual(source.count(/GET/), 1)
        assertWhole(backup, into, index)
      })
    ))

  it.live("whose tag has moved is copied again, and the old digest keeps its protection tag", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        yield* clone()
        const next = imageOf([layerOf("a"), layerOf("new")])
        source.add("app", next, "1")
        const copied = yield* clone()
        assert.strictEqual(copied.digest, next.root.digest)
        assert.deepStrictEqual(copied.blobs, { uploaded: 2, mounted: 0, present: 1 })
        assert.isTrue(backup.manifest(into, "1")?.equals(next.root.bytes))
        assert.isTrue(backup.manifest(into, protection(image.root.digest))?.equals(image.root.bytes))
      })
    ))

  it.live("by digest needs no source at all", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        backup.add(into, image, protection(image.root.digest))
        assert.isTrue((yield* clone({ digest: image.root.digest })).upToDate)
        assert.strictEqual(source.seen.length, 0)
      })
    ))

  it.live.each([
    ["is gone", 404],
    ["has become private", 401],
    ["is broken", 500]
  ])(
    "whole is backed up although its source %s",
    ([, status]) =>
      betweenRegistries(({ backup, clone, into, source }) =>
        Effect.gen(function*() {
          backup.add(into, index, "1")
          source.on(/./, (_, response) => refuse(response, Number(status), "NO"))
          const copied = yield* clone()
          assert.isTrue(copied.upToDate)
          assert.strictEqual(copied.digest, index.root.digest)
          assert.isTrue(copied.contents.has(image.root.digest))
          assert.strictEqual(backup.count(/PUT|POST/), 0)
        })
      )
  )

  it.live("in part is not backed up when its source is gone", () =>
    betweenRegistries(({ backup, clone, into }) =>
      Effect.gen(function*() {
        backup.add(into, index, "1")
        backup.remove(into, layerOf("c").digest)
        const error = yield* Effect.flip(clone())
        assert.deepStrictEqual([error.reason, error.side], ["not-found", "source"])
      })
    ))
})

describe("layers that images share", () => {
  const other = imageOf([layerOf("a"), layerOf("own")])

  it.live("are mounted from where they are", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        source.add("other", other, "1")
        yield* clone()
        const copied = yield* clone({ repository: "other", tag: "1" })
        assert.deepStrictEqual(copied.blobs, { uploaded: 2, mounted: 1, present: 0 })
        assert.strictEqual(copied.bytes.mounted, 20_000)
        assert.strictEqual(source.count(new RegExp(`GET .*${layerOf("a").digest}`)), 1)
        assert.strictEqual(backup.count(/mount=/), 1)
      })
    ))

  it.live("are only looked at after a restart, where all is there", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        source.add("other", other, "1")
        yield* clone()
        yield* clone({ repository: "other", tag: "1" })
        source.forget()
        backup.forget()
        const again = yield* Effect.flatMap(Cloner, (it) =>
          Effect.forEach(["app", "other"], (repository) =>
            it.clone({ registry: source.host, repository, tag: "1" }))).pipe(
            Effect.provide(clonerLayer({ backup: backup.host, plainHttp: [source.host, backup.host] }))
          )
        assert.deepStrictEqual(
          again.map((it) =>
            it.upToDate
          ),
          [true, true]
        )
        // the source says what its tags mean; everything else is asked of the backup, and nothing written
        assert.deepStrictEqual(source.seen.map((it) => it.method), ["HEAD", "HEAD"])
        assert.strictEqual(backup.count(/^(POST|PUT|PATCH|DELETE)/), 0)
      })
    ))

  it.live("teach that mounts work: new blobs are then looked for by the request that begins their upload", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        source.add("other", other, "1")
        const third = imageOf([layerOf("third"), layerOf("more")])
        source.add("third", third, "1")
        source.add("fourth", other, "1")
        yield* clone()
        yield* clone({ repository: "other", tag: "1" })
        backup.forget()
        const copied = yield* clone({ repository: "third", tag: "1" })
        assert.deepStrictEqual(copied.blobs, { uploaded: 3, mounted: 0, present: 0 })
        assert.strictEqual(backup.count(/HEAD .*blobs/), 0)
        assert.strictEqual(backup.count(/POST .*mount=/), 3)
        assert.strictEqual(backup.count(/POST /), 3)
        // the manifest is lost, the blobs are not
        const repository = `mirror/${source.host.replace(":", "_")}/third`
        for (const reference of ["1", protection(third.root.digest), third.root.digest]) {
          backup.remove(repository, reference)
        }
        backup.forget()
        const again = yield* Effect.flatMap(Cloner, (it) =>
          Effect.gen(function*() {
            yield* it.clone({ registry: source.host, repository: "app", tag: "1" })
            yield* it.clone({ registry: source.host, repository: "fourth", tag: "1" })
            return yield* it.clone({ registry: source.host, repository: "third", tag: "1" })
          })).pipe(Effect.provide(clonerLayer({ backup: backup.host, plainHttp: [source.host, backup.host] })))
        assert.deepStrictEqual(again.blobs, { uploaded: 0, mounted: 0, present: 3 })
        assert.strictEqual(backup.count(/HEAD .*third\/blobs/), 0)
        assertWhole(backup, repository, third)
      })
    ))

  it.live("are moved as ever where a mount from the repository itself is refused, or says nothing", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        source.add("other", other, "1")
        yield* clone()
        yield* clone({ repository: "other", tag: "1" })
        for (const [name, status] of [["third", 405], ["fourth", 500]] as const) {
          const added = imageOf([layerOf(name)])
          source.add(name, added, "1")
          backup.on(
            new RegExp(`POST .*/${name}/`),
            (seen, response, next) => seen.query.has("mount") ? refuse(response, status, "UNSUPPORTED") : next()
          )
          backup.forget()
          const copied = yield* clone({ repository: name, tag: "1" })
          assert.deepStrictEqual(copied.blobs, { uploaded: 2, mounted: 0, present: 0 })
          assert.strictEqual(backup.count(/HEAD .*blobs/), 2)
          assertWhole(backup, `mirror/${source.host.replace(":", "_")}/${name}`, added)
        }
      })
    ))

  // the look had found nothing, the flight was over when it was asked for: the layer was moved once more
  it.live("are mounted where the first copy lands while the second still looks", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        source.add("other", other, "1")
        backup.on(new RegExp(`HEAD .*/other/blobs/${layerOf("a").digest}`), (_, response) => {
          setTimeout(() => response.writeHead(404).end(), 500)
        })
        const [one, two] = yield* Effect.all([clone(), clone({ repository: "other", tag: "1" })], {
          concurrency: "unbounded"
        })
        assert.strictEqual(source.count(new RegExp(`GET .*${layerOf("a").digest}`)), 1)
        assert.deepStrictEqual([one.blobs.mounted, two.blobs.mounted], [0, 1])
      })
    ))

  it.live("are uploaded once although both images are on their way, and mounted by the second", () =>
    betweenRegistries(({ backup, clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        source.add("other", other, "1")
        // slow enough for both to want it at once
        source.on(new RegExp(`GET .*${layerOf("a").digest}`), (_, __, next) => {
          setTimeout(next, 300)
        })
        const [one, two] = yield* Effect.all([clone(), clone({ repository: "other", tag: "1" })], {
          concurrency: "unbounded"
        })
        assert.strictEqual(source.count(new RegExp(`GET .*${layerOf("a").digest}`)), 1)
        assert.strictEqual(one.blobs.mounted + two.blobs.mounted, 1)
        assert.strictEqual(backup.count(/mount=/), 1)
      })
    ))

  it.live("are moved where the registry will not mount, in the session it opened instead", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        source.add("other", other, "1")
        yield* clone()
        backup.forget()
        const target = into.replace(/app$/, "other")
        backup.on(/POST/, (seen, response, next) =>
          seen.query.has("mount")
            ? response.writeHead(202, { location: `/v2/${target}/blobs/uploads/given` }).end()
            : next())
        const copied = yield* clone({ repository: "other", tag: "1" })
        assert.deepStrictEqual(copied.blobs, { uploaded: 3, mounted: 0, present: 0 })
        assert.strictEqual(backup.count(/PUT .*uploads\/given/), 1)
        assertWhole(backup, target, other)
      })
    ))

  it.live("whose first upload fails are moved by the second image", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        source.add("other", other, "1")
        source.on(new RegExp(`GET /v2/app/blobs/${layerOf("a").digest}`), (_, response) => {
          setTimeout(() => refuse(response, 404, "BLOB_UNKNOWN"), 200)
        })
        const first = yield* Effect.forkChild(Effect.flip(clone()))
        yield* eventually("the first image does not ask for the layer", () => source.count(/GET \/v2\/app\/blobs/) > 0)
        const two = yield* clone({ repository: "other", tag: "1" })
        const one = yield* Fiber.join(first)
        assert.strictEqual(one.reason, "not-found")
        assert.strictEqual(two.digest, other.root.digest)
        assertWhole(backup, into.replace(/app$/, "other"), other)
      })
    ))
})
