// Verifying a backup: every fault that a copy can have is named with its part, and a repair mends what the registry lets be
// mended and says what it does not.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { copyNamed } from "../../../src/controller/Wanted.ts"
import type { Backup } from "../../../src/image/BackupName.ts"
import type { ImageReference } from "../../../src/image/ImageReference.ts"
import { makeVerifier, type Verified } from "../../../src/clone/verify/Verify.ts"
import { type FakeRegistry, refuse } from "../../support/FakeRegistry.ts"
import { clonerLayer } from "../../support/Registries.ts"
import { imageOf, indexOf, layerOf, manifestOf, type TestImage } from "../../support/TestImages.ts"
import {
  assertWhole,
  betweenRegistries,
  image,
  index,
  protection,
  type SourceAndBackup
} from "../../support/SourceAndBackup.ts"

const tagged = { tag: "1" }

const backupAt = (backup: FakeRegistry): Backup => ({ registry: backup.host, prefix: "mirror", layout: "nested" })

/** Verifies images of the source, in a process of its own: nothing is remembered from the copies. */
const verify = (
  { backup, source }: SourceAndBackup,
  options: { readonly deep?: boolean; readonly repair?: boolean; readonly atOnce?: number } = {},
  references: ReadonlyArray<Partial<ImageReference>> = [tagged]
) =>
  Effect.gen(function*() {
    const verifier = yield* makeVerifier({ deep: options.deep ?? false, repair: options.repair ?? false })
    const results = yield* Effect.forEach(
      references,
      (it) => verifier.verify(copyNamed(backupAt(backup), { registry: source.host, repository: "app", ...it })),
      { concurrency: options.atOnce ?? 3 }
    )
    return { results, totals: verifier.totals() }
  }).pipe(Effect.provide(clonerLayer({ backup: backup.host, plainHttp: [source.host, backup.host] })))

const one = (
  from: SourceAndBackup,
  options: Parameters<typeof verify>[1] = {},
  reference: Partial<ImageReference> = tagged
): Effect.Effect<Verified> =>
  Effect.map(verify(from, options, [reference]), ({ results }) => results[0] ?? assert.fail("no result"))

const problems = (it: Verified) => it.problems.map(({ fault, name, part }) => `${part} ${name} ${fault}`)

/** An image on both sides, and what is done to the backup's. */
const damaged = (
  what: TestImage,
  damage: (backup: FakeRegistry, into: string) => void,
  use: (from: SourceAndBackup) => Effect.Effect<void>
) =>
  betweenRegistries((from) =>
    Effect.gen(function*() {
      from.source.add("app", what, "1")
      yield* from.clone()
      damage(from.backup, from.into)
      yield* use(from)
    })
  )

const layer = image.blobs[1] ?? assert.fail("no layer")
const config = image.blobs[0] ?? assert.fail("no config")
const child = index.manifests[1] ?? assert.fail("no child")

/** Serves other bytes for a blob than were pushed, until it is pushed anew. */
const spoil = (registry: FakeRegistry, digest: string, bytes: Buffer) => {
  let replaced = false
  registry.on(/PUT .*\/blobs\/uploads\//, (seen, _, next) => {
    if (seen.query.get("digest") === digest) replaced = true
    next()
  })
  registry.on(new RegExp(`(GET|HEAD) .*/blobs/${digest}`), (seen, response, next) => {
    if (replaced) return next()
    response.writeHead(200, { "content-length": bytes.length })
    response.end(seen.method === "HEAD" ? undefined : bytes)
  })
}

const flipped = (bytes: Buffer) => {
  const other = Buffer.from(bytes)
  other[7] = (other[7] ?? 0) ^ 1
  return other
}

describe("what is whole", () => {
  it.live("is found by manifests and HEADs, without reading a blob", () =>
    damaged(index, () => {}, (from) =>
      Effect.gen(function*() {
        from.backup.forget()
        from.source.forget()
        const { results: [found], totals } = yield* verify(from)
        assert.deepInclude(found, {
          status: "whole",
          detail: "",
          digest: index.root.digest,
          manifests: 3,
          blobs: 5,
          problems: []
        })
        const sizes = new Map(index.blobs.map((it) => [it.digest, it.bytes.length]))
        const bytes = [...sizes.values()].reduce((sum, it) => sum + it, 0)
        assert.strictEqual(found?.bytes, bytes)
        assert.deepStrictEqual(totals, { blobs: 5, bytes, bytesRead: 0 })
        assert.deepStrictEqual(
          [...found?.contents ?? []].toSorted(),
          [...index.manifests.map((it) => it.digest), ...index.configs].toSorted()
        )
        assert.strictEqual(from.backup.count(/GET .*\/blobs\//), 0)
        assert.strictEqual(from.backup.count(/^(PUT|POST|PATCH|DELETE) /), 0)
        assert.strictEqual(from.source.seen.length, 0)
      })))

  // seen: copied with eight indexes around it, called damaged ever after, and no repair could mend it
  it.live("is as deep as what is copied: an image in eight indexes, one in another", () => {
    let deep = image
    for (let level = 0; level < 8; level++) deep = indexOf([deep])
    return damaged(deep, () => {}, (from) =>
      Effect.gen(function*() {
        assert.deepInclude(yield* one(from), { status: "whole", manifests: 9, problems: [] })
        from.source.add("app", indexOf([deep]), "2")
        const refused = yield* Effect.result(from.clone({ tag: "2" }))
        assert.strictEqual(Result.isFailure(refused) && refused.failure.reason, "unsupported")
      }))
  })

  it.live("is found to the last byte with --deep; what images share is asked for once", () =>
    betweenRegistries((from) =>
      Effect.gen(function*() {
        const other = imageOf([layerOf("a"), layerOf("d")])
        from.source.add("app", index, "1")
        from.source.add("app", other, "2")
        yield* from.clone()
        yield* from.clone({ tag: "2" })
        from.backup.forget()
        const { results, totals } = yield* verify(from, { deep: true }, [tagged, { tag: "2" }])
        assert.deepStrictEqual(results.map((it) => it.status), ["whole", "whole"])
        const all = new Map([...index.blobs, ...other.blobs].map((it) => [it.digest, it.bytes.length]))
        const bytes = [...all.values()].reduce((sum, it) => sum + it, 0)
        assert.deepStrictEqual(totals, { blobs: all.size, bytes, bytesRead: bytes })
        for (const digest of all.keys()) {
          assert.strictEqual(from.backup.count(new RegExp(`HEAD .*/blobs/${digest}`)), 1, digest)
          assert.strictEqual(from.backup.count(new RegExp(`GET .*/blobs/${digest}`)), 1, digest)
        }
      })
    ))

  it.live("is found by the copy's own name, by a digest, and without a source that could be asked", () =>
    damaged(image, () => {}, (from) =>
      Effect.gen(function*() {
        from.source.on(/./, (_, response) => refuse(response, 503, "UNAVAILABLE"))
        const { digest } = image.root
        const { results } = yield* verify(from, {}, [
          { registry: from.backup.host, repository: from.into, tag: "1" },
          { registry: from.backup.host, repository: from.into, digest },
          { digest },
          { tag: "1", digest }
        ])
        assert.deepStrictEqual(results.map((it) => it.status), ["whole", "whole", "whole", "whole"])
        assert.deepStrictEqual(results.map((it) => it.digest), [digest, digest, digest, digest])
        assert.deepStrictEqual(results.map((it) => it.target.source?.repository), ["app", "app", "app", "app"])
      })))

  it.live("may lack foreign layers, which are at their vendor's", () => {
    const foreign = layerOf("foreign")
    const root = manifestOf(image.root.mediaType, {
      schemaVersion: 2,
      mediaType: image.root.mediaType,
      config: {
        mediaType: "application/vnd.oci.image.config.v1+json",
        digest: config.digest,
        size: config.bytes.length
      },
      layers: [{
        mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        digest: foreign.digest,
        size: foreign.bytes.length,
        urls: ["https://vendor.example/layer"]
      }]
    })
    return damaged(
      { root, manifests: [root], blobs: [config], configs: [config.digest] },
      () => {},
      (from) =>
        Effect.gen(function*() {
          assert.deepInclude(yield* one(from), { status: "whole", blobs: 1 })
        })
    )
  })

  it.live("is an artifact manifest, the withdrawn type, with its blobs", () => {
    const [kept, lost] = [layerOf("artifact"), layerOf("artifact too")]
    const mediaType = "application/vnd.oci.artifact.manifest.v1+json"
    const root = manifestOf(mediaType, {
      mediaType,
      artifactType: "application/vnd.example",
      blobs: [kept, lost].map((it) => ({ mediaType: "text/plain", digest: it.digest, size: it.bytes.length }))
    })
    return damaged(
      { root, manifests: [root], blobs: [kept, lost], configs: [] },
      () => {},
      (from) =>
        Effect.gen(function*() {
          assert.deepInclude(yield* one(from, { deep: true }), { status: "whole", manifests: 1, blobs: 2 })
          from.backup.remove(from.into, lost.digest)
          assert.deepStrictEqual(problems(yield* one(from)), [`layer ${lost.digest} missing`])
        })
    )
  })

  it.live("is a converted image, by the tag that names what it was converted from", () =>
    betweenRegistries((from) =>
      Effect.gen(function*() {
        const original = manifestOf("application/vnd.docker.distribution.manifest.v1+prettyjws", { schemaVersion: 1 })
        from.source.add("app", { root: original, manifests: [original], blobs: [], configs: [] }, "1")
        from.backup.add(from.into, image, "1", protection(original.digest))
        const { results } = yield* verify(from, {}, [tagged, { digest: original.digest }])
        const { digest } = image.root
        assert.deepStrictEqual(results.map((it) => it.status), ["whole", "whole"])
        assert.deepStrictEqual(results.map((it) => it.digest), [digest, digest])
      })
    ))

  it.live("is seen where HEAD of blobs is not supported", () =>
    damaged(image, () => {}, (from) =>
      Effect.gen(function*() {
        from.backup.on(/HEAD .*\/blobs\//, (_, response) => response.writeHead(405).end())
        assert.strictEqual((yield* one(from)).status, "whole")
        from.backup.remove(from.into, layer.digest)
        assert.deepStrictEqual(problems(yield* one(from)), [`layer ${layer.digest} missing`])
      })))
})

const missing: ReadonlyArray<readonly [string, TestImage, string, string]> = [
  ["a layer", image, `layer ${layer.digest}`, layer.digest],
  ["a config", image, `config ${config.digest}`, config.digest],
  ["a platform's manifest", index, `manifest ${child.digest}`, child.digest],
  ["the tag that protects a digest", image, `tag ${protection(image.root.digest)}`, protection(image.root.digest)],
  ["the tag, with the source asked what it meant,", image, "tag 1", "1"]
]

describe("what is damaged", () => {
  it.live.each(missing)(
    "is %s missing; a repair copies that and nothing else",
    ([, what, problem, name]) =>
      damaged(what, (backup, into) => backup.remove(into, name), (from) =>
        Effect.gen(function*() {
          const found = yield* one(from)
          assert.deepStrictEqual([found.status, problems(found)], ["damaged", [`${problem} missing`]])
          from.backup.forget()
          const repaired = yield* one(from, { repair: true })
          assert.deepStrictEqual([repaired.status, repaired.problems], ["whole", []])
          assert.deepStrictEqual(repaired.repair, { before: "damaged", failure: undefined })
          assert.strictEqual(from.backup.count(/^PUT /), 1)
          assertWhole(from.backup, from.into, what)
          assert.strictEqual((yield* one(from)).status, "whole")
        }))
  )

  it.live("is a blob of another size; a repair sends it although HEAD says that it is there", () =>
    damaged(image, (backup) => spoil(backup, layer.digest, layer.bytes.subarray(1)), (from) =>
      Effect.gen(function*() {
        const found = yield* one(from)
        assert.deepStrictEqual(problems(found), [`layer ${layer.digest} size`])
        assert.include(found.problems[0]?.detail, "19999 bytes of it, its manifest says 20000")
        assert.strictEqual((yield* one(from, { repair: true })).status, "whole")
        assertWhole(from.backup, from.into, image)
      })))

  it.live("is a blob of other bytes, which only --deep sees, read twice to be sure", () =>
    damaged(image, (backup) => spoil(backup, layer.digest, flipped(layer.bytes)), (from) =>
      Effect.gen(function*() {
        assert.strictEqual((yield* one(from)).status, "whole")
        from.backup.forget()
        const found = yield* one(from, { deep: true })
        assert.deepStrictEqual(problems(found), [`layer ${layer.digest} corrupt`])
        assert.strictEqual(from.backup.count(new RegExp(`GET .*/blobs/${layer.digest}`)), 2)
        const repaired = yield* one(from, { deep: true, repair: true })
        assert.deepStrictEqual([repaired.status, repaired.repair?.before], ["whole", "damaged"])
      })))

  it.live("is a manifest of other bytes", () =>
    damaged(index, () => {}, (from) =>
      Effect.gen(function*() {
        let replaced = false
        from.backup.on(new RegExp(`PUT .*/manifests/${child.digest}`), (_request, _response, next) => {
          replaced = true
          next()
        })
        from.backup.on(new RegExp(`GET .*/manifests/${child.digest}`), (_, response, next) => {
          if (replaced) return next()
          response.writeHead(200, { "content-type": child.mediaType }).end(flipped(child.bytes))
        })
        assert.deepStrictEqual(problems(yield* one(from)), [`manifest ${child.digest} corrupt`])
        assert.strictEqual((yield* one(from, { repair: true })).status, "whole")
      })))

  it.live("is a manifest at which the registry fails", () =>
    damaged(index, () => {}, (from) =>
      Effect.gen(function*() {
        from.backup.on(
          new RegExp(`GET .*/manifests/${child.digest}`),
          (_, response) => refuse(response, 500, "UNKNOWN")
        )
        assert.deepStrictEqual(problems(yield* one(from)), [`manifest ${child.digest} unreadable`])
      })))

  it.live("is a protection tag that names something else", () =>
    damaged(
      image,
      (backup, into) => backup.add(into, index, protection(image.root.digest)),
      (from) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(problems(yield* one(from)), [`tag ${protection(image.root.digest)} moved`])
          assert.strictEqual((yield* one(from, { repair: true })).status, "whole")
        })
    ))

  it.live("is an index that states a wrong size; the manifest has its digest and is not sent again", () =>
    betweenRegistries((from) =>
      Effect.gen(function*() {
        const lying = manifestOf(index.root.mediaType, {
          schemaVersion: 2,
          mediaType: index.root.mediaType,
          manifests: [{ mediaType: child.mediaType, digest: child.digest, size: 3 }]
        })
        from.source.add("app", { ...index, root: lying, manifests: [...index.manifests, lying] }, "1")
        yield* from.clone()
        from.backup.forget()
        const found = yield* one(from, { repair: true })
        assert.deepStrictEqual(problems(found), [`manifest ${lying.digest} invalid`])
        const [problem] = found.problems
        assert.strictEqual(problem?.detail, `it says that ${child.digest} has 3 bytes, which has ${child.bytes.length}`)
        // what is below it is looked at all the same
        assert.isAbove(found.blobs, 0)
        assert.strictEqual(from.backup.count(/^PUT /), 0)
      })
    ))

  it.live("is named once where several platforms share it", () =>
    damaged(index, (backup, into) => backup.remove(into, layerOf("b").digest), (from) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(problems(yield* one(from)), [`layer ${layerOf("b").digest} missing`])
      })))
})

describe("a repair", () => {
  it.live("brings back the digest that the backup has, whatever its tag has come to mean", () =>
    damaged(image, (backup, into) => backup.remove(into, layer.digest), (from) =>
      Effect.gen(function*() {
        from.source.add("app", imageOf([layerOf("newer")]), "1")
        const repaired = yield* one(from, { repair: true })
        assert.deepStrictEqual([repaired.status, repaired.digest], ["whole", image.root.digest])
        assert.isTrue(from.backup.manifest(from.into, "1")?.equals(image.root.bytes))
      })))

  it.live("says honestly that the registry kept the damaged bytes, and does not send them for the next image", () =>
    betweenRegistries((from) =>
      Effect.gen(function*() {
        const other = imageOf([layerOf("a"), layerOf("e")])
        from.source.add("app", image, "1")
        from.source.add("app", other, "2")
        yield* from.clone()
        yield* from.clone({ tag: "2" })
        // as Distribution: whatever is sent, the file that is there stays
        from.backup.on(new RegExp(`(GET|HEAD) .*/blobs/${layer.digest}`), (seen, response) => {
          response.writeHead(200, { "content-length": 5 }).end(seen.method === "HEAD" ? undefined : "wrong")
        })
        from.backup.forget()
        const { results } = yield* verify(from, { repair: true, atOnce: 1 }, [tagged, { tag: "2" }])
        for (const found of results) {
          assert.deepStrictEqual([found.status, problems(found)], ["damaged", [`layer ${layer.digest} size`]])
          assert.include(found.problems[0]?.detail, "it was sent again and is as before")
          const hex = layer.digest.slice(7)
          assert.include(found.problems[0]?.detail, `blobs/sha256/${hex.slice(0, 2)}/${hex}/data`)
        }
        const sent = from.backup.seen.filter((it) => it.method === "PUT" && it.query.get("digest") === layer.digest)
        assert.strictEqual(sent.length, 1)
      })
    ))

  it.live("fails with the source's reason where that has it no more", () =>
    damaged(image, (backup, into) => backup.remove(into, layer.digest), (from) =>
      Effect.gen(function*() {
        from.source.remove("app", layer.digest)
        const found = yield* one(from, { repair: true })
        assert.deepStrictEqual([found.status, problems(found)], ["damaged", [`layer ${layer.digest} missing`]])
        assert.match(found.repair?.failure ?? "", /BLOB_UNKNOWN|does not have|404/)
      })))

  it.live("does nothing for a copy that nothing tells the source of", () =>
    betweenRegistries((from) =>
      Effect.gen(function*() {
        from.backup.add("mirror/somebody", image, "1")
        from.backup.remove("mirror/somebody", layer.digest)
        const found = yield* one(from, { repair: true }, {
          registry: from.backup.host,
          repository: "mirror/somebody",
          tag: "1"
        })
        assert.strictEqual(found.status, "damaged")
        assert.include(found.repair?.failure, "nothing tells what")
        assert.strictEqual(from.backup.count(/^(PUT|POST) /), 0)
      })
    ))

  it.live("clones what was never cloned", () =>
    betweenRegistries((from) =>
      Effect.gen(function*() {
        from.source.add("app", index, "1")
        assert.deepInclude(yield* one(from), {
          status: "source-only",
          detail: "the backup does not have it, the source does"
        })
        const repaired = yield* one(from, { repair: true })
        assert.deepStrictEqual([repaired.status, repaired.repair?.before], ["whole", "source-only"])
        assertWhole(from.backup, from.into, index)
      })
    ))
})

describe("what cannot be said to be whole", () => {
  it.live("is missing where nobody has it, or the source cannot be asked", () =>
    betweenRegistries((from) =>
      Effect.gen(function*() {
        const nobody = yield* one(from)
        assert.deepStrictEqual([nobody.status, nobody.detail], [
          "missing",
          "the backup does not have it, and the source does not have it either"
        ])
        from.source.on(/./, (_, response) => refuse(response, 401, "UNAUTHORIZED"))
        const silent = yield* one(from)
        assert.strictEqual(silent.status, "missing")
        assert.include(silent.detail, "the source cannot be asked")
        assert.deepStrictEqual(
          (yield* one(from, {}, { registry: from.backup.host, repository: "mirror/x", tag: "1" })).detail,
          "the backup does not have it, and nothing tells what it was copied from"
        )
      })
    ))

  it.live("is not known where the backup does not answer, and is not repaired", () =>
    damaged(image, () => {}, (from) =>
      Effect.gen(function*() {
        from.backup.on(/HEAD .*\/blobs\//, (_, response) => refuse(response, 403, "DENIED"))
        from.backup.forget()
        const found = yield* one(from, { repair: true })
        assert.deepStrictEqual([found.status, problems(found), found.repair], ["unknown", [], undefined])
        assert.include(found.detail, from.backup.host)
        assert.strictEqual(from.backup.count(/^(PUT|POST) /), 0)
      })))
})
