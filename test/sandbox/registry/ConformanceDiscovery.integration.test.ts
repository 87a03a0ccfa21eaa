// The distribution specification's content discovery and management parts: tags in pages, referrers, and what is deleted.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as MediaTypes from "../../../sandbox/registry/MediaTypes.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import type { Answer } from "../Http.ts"
import { bytesOf, client, errorOf, putBlob, putImage, putManifest, type Send, servers, sha } from "./Servers.ts"

const image = SampleImage.image("listed")
const accept = { accept: `${MediaTypes.ociManifest}, ${MediaTypes.ociIndex}` }

const nextOf = (answer: Answer) => /<([^>]+)>\s*;\s*rel="next"/.exec(answer.headers.get("link") ?? "")?.[1]

/** All pages, as a client follows them. */
const pagesOf = Effect.fnUntraced(function*(ask: Send, path: string) {
  const pages: Array<ReadonlyArray<string>> = []
  for (let next: string | undefined = path; next !== undefined && pages.length < 20;) {
    const answer: Answer = yield* ask("GET", next)
    assert.strictEqual(answer.status, 200)
    pages.push(answer.json().tags ?? [])
    next = nextOf(answer)
  }
  return pages
})

const tags = ["1.0", "1.10", "1.2", "B", "_x", "a", "latest"]

const referrer = (subject: { mediaType: string; digest: string; bytes: Uint8Array }, type: string, content: string) =>
  SampleImage.artifact(
    { mediaType: subject.mediaType, digest: subject.digest, bytes: subject.bytes },
    `application/vnd.example.${type}`,
    content,
    { "org.example.content": content }
  )

const describedOf = (it: SampleImage.Image, type: string, content: string) => ({
  mediaType: it.manifest.mediaType,
  digest: it.manifest.digest,
  size: it.manifest.bytes.length,
  artifactType: `application/vnd.example.${type}`,
  annotations: { "org.example.content": content }
})

for (const server of servers) {
  const { may } = server

  describe.skipIf(server.skipped)(`${server.name}, asked for tags,`, () => {
    it.live("lists them in ASCII order, all at once and in pages", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        yield* putImage(ask, "team/app", image, ...tags.toReversed())
        const list = "/v2/team/app/tags/list"
        const all = yield* ask("GET", list)
        assert.deepStrictEqual([all.status, all.json()], [200, { name: "team/app", tags }])
        assert.match(all.headers.get("content-type") ?? "", /^application\/json/)
        assert.isUndefined(nextOf(all))
        if (!may.pages) {
          assert.deepStrictEqual(yield* pagesOf(ask, `${list}?n=3&last=a`), [tags])
          return
        }
        assert.deepStrictEqual(yield* pagesOf(ask, `${list}?n=3`), [tags.slice(0, 3), tags.slice(3, 6), tags.slice(6)])
        assert.deepStrictEqual(yield* pagesOf(ask, `${list}?n=7`), may.emptyLastPage ? [tags, []] : [tags])
        assert.deepStrictEqual(yield* pagesOf(ask, `${list}?n=100`), [tags])
        assert.deepStrictEqual((yield* ask("GET", `${list}?last=1.2`)).json().tags, tags.slice(3))
        assert.deepStrictEqual((yield* ask("GET", `${list}?n=2&last=1.2`)).json().tags, ["B", "_x"])
        // a marker that is no tag stands between its neighbours
        assert.deepStrictEqual((yield* ask("GET", `${list}?n=2&last=1.1`)).json().tags, ["1.10", "1.2"])
        assert.deepStrictEqual((yield* ask("GET", `${list}?last=latest`)).json().tags ?? [], [])
      }))

    it.live("has an empty page for n=0, and refuses what is no number", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        yield* putImage(ask, "app", image, "1")
        if (!may.pages) return
        const empty = yield* ask("GET", "/v2/app/tags/list?n=0")
        assert.deepStrictEqual([empty.status, empty.json().tags ?? []], [200, []])
        for (const n of ["-1", "x", "1.5"]) {
          assert.strictEqual(errorOf(yield* ask("GET", `/v2/app/tags/list?n=${n}`)), "400 PAGINATION_NUMBER_INVALID", n)
        }
      }))

    it.live("knows a repository without tags, or does not, and no other", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        assert.strictEqual(errorOf(yield* ask("GET", "/v2/none/tags/list")), "404 NAME_UNKNOWN")
        yield* putImage(ask, "app", image)
        const none = yield* ask("GET", "/v2/app/tags/list")
        assert.strictEqual(none.status, may.noTags)
        if (none.status === 200) assert.deepStrictEqual(none.json(), { name: "app", tags: [] })
      }))
  })

  describe.skipIf(server.skipped)(`${server.name}, asked for referrers,`, () => {
    it.live("takes what refers to something, be it there or not, and says so where it lists them", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const signature = referrer(image.manifest, "signature", "early")
        const put = yield* putImage(ask, "app", signature)
        assert.strictEqual(put.status, 201)
        assert.strictEqual(put.headers.get("oci-subject"), may.referrers ? image.manifest.digest : null)
        const plain = yield* putImage(ask, "app", image, "1")
        assert.isNull(plain.headers.get("oci-subject"))
      }))

    it.live("lists them with type and annotations, filters by type, and has an empty list for anything else", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const path = (digest: string, query = "") => `/v2/app/referrers/${digest}${query}`
        if (!may.referrers) {
          yield* putImage(ask, "app", image, "1")
          assert.strictEqual((yield* ask("GET", path(image.manifest.digest))).status, 404)
          return
        }
        const before = yield* ask("GET", path(sha("anything")))
        assert.deepStrictEqual([before.status, before.json().manifests], [200, []])
        const signature = referrer(image.manifest, "signature", "one")
        const sbom = referrer(image.manifest, "sbom", "two")
        const ofSbom = referrer(sbom.manifest, "signature", "three")
        for (const it of [signature, sbom, ofSbom, image]) yield* putImage(ask, "app", it)
        // an index can refer to something, too, and says its type itself
        const index = JSON.stringify({
          schemaVersion: 2,
          mediaType: MediaTypes.ociIndex,
          artifactType: "application/vnd.example.list",
          manifests: [],
          subject: {
            mediaType: MediaTypes.ociManifest,
            digest: image.manifest.digest,
            size: image.manifest.bytes.length
          }
        })
        yield* putManifest(ask, "app", sha(index), { mediaType: MediaTypes.ociIndex, bytes: index })
        // an image's type is its config's
        const config = Buffer.from("{}")
        const asImage = JSON.stringify({
          schemaVersion: 2,
          mediaType: MediaTypes.ociManifest,
          config: { mediaType: "application/vnd.example.config", digest: sha(config), size: 2 },
          layers: [],
          subject: {
            mediaType: MediaTypes.ociManifest,
            digest: image.manifest.digest,
            size: image.manifest.bytes.length
          }
        })
        yield* putManifest(ask, "app", sha(asImage), { mediaType: MediaTypes.ociManifest, bytes: asImage })

        const all = yield* ask("GET", path(image.manifest.digest))
        assert.deepStrictEqual([all.status, all.headers.get("content-type")], [200, MediaTypes.ociIndex])
        assert.isNull(all.headers.get("oci-filters-applied"))
        const { manifests, mediaType, schemaVersion } = all.json()
        assert.deepStrictEqual([schemaVersion, mediaType], [2, MediaTypes.ociIndex])
        const byDigest = (a: { digest: string }, b: { digest: string }) => a.digest.localeCompare(b.digest)
        const size = (text: string) => Buffer.byteLength(text)
        assert.deepStrictEqual(
          manifests.toSorted(byDigest),
          [
            describedOf(signature, "signature", "one"),
            describedOf(sbom, "sbom", "two"),
            {
              mediaType: MediaTypes.ociIndex,
              digest: sha(index),
              size: size(index),
              artifactType: "application/vnd.example.list"
            },
            {
              mediaType: MediaTypes.ociManifest,
              digest: sha(asImage),
              size: size(asImage),
              artifactType: "application/vnd.example.config"
            }
          ].toSorted(byDigest)
        )
        const some = yield* ask("GET", path(image.manifest.digest, "?artifactType=application%2Fvnd.example.sbom"))
        assert.strictEqual(some.headers.get("oci-filters-applied"), "artifactType")
        assert.deepStrictEqual(some.json().manifests, [describedOf(sbom, "sbom", "two")])
        const deep = yield* ask("GET", path(sbom.manifest.digest))
        assert.deepStrictEqual(deep.json().manifests, [describedOf(ofSbom, "signature", "three")])
        const other = yield* ask("GET", `/v2/other/referrers/${image.manifest.digest}`)
        assert.deepStrictEqual([other.status, other.json().manifests], [200, []])
        assert.strictEqual((yield* ask("GET", path("sha256:12"))).status, 400)
        // what is deleted refers to nothing
        yield* ask("DELETE", `/v2/app/manifests/${sbom.manifest.digest}`)
        const after = yield* ask("GET", path(image.manifest.digest))
        assert.strictEqual(after.json().manifests.length, 3)
      }))
  })

  describe.skipIf(server.skipped)(`${server.name}, told to delete,`, () => {
    const status = (ask: Send, method: string, path: string) =>
      Effect.map(ask(method, `/v2/app/${path}`, { headers: accept }), (it) => it.status)

    it.live("deletes a tag and keeps its manifest, if it can", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        yield* putImage(ask, "app", image, "1", "2")
        const deleted = yield* status(ask, "DELETE", "manifests/1")
        assert.strictEqual(deleted, may.deleteTag)
        if (deleted !== 202) return
        assert.strictEqual(yield* status(ask, "GET", "manifests/1"), 404)
        assert.strictEqual(yield* status(ask, "GET", "manifests/2"), 200)
        assert.strictEqual(yield* status(ask, "GET", `manifests/${image.manifest.digest}`), 200)
        assert.strictEqual(yield* status(ask, "DELETE", "manifests/1"), 404)
      }))

    it.live("deletes a manifest with its tags, and takes it again", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        yield* putImage(ask, "app", image, "1", "2")
        const path = `manifests/${image.manifest.digest}`
        assert.strictEqual(yield* status(ask, "DELETE", path), 202)
        for (const it of [path, "manifests/1", "manifests/2"]) {
          assert.strictEqual(yield* status(ask, "GET", it), 404, it)
        }
        assert.strictEqual(yield* status(ask, "DELETE", path), 404)
        assert.strictEqual((yield* putImage(ask, "app", image, "1")).status, 201)
        assert.strictEqual(yield* status(ask, "GET", "manifests/1"), 200)
      }))

    it.live("deletes a blob of one repository, not of the others", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const { digest } = yield* putBlob(ask, "app", bytesOf("deleted", 100))
        yield* ask("POST", `/v2/other/blobs/uploads/?mount=${digest}&from=app`)
        assert.strictEqual(yield* status(ask, "DELETE", `blobs/${digest}`), 202)
        assert.strictEqual(yield* status(ask, "GET", `blobs/${digest}`), 404)
        assert.strictEqual((yield* ask("GET", `/v2/other/blobs/${digest}`)).status, 200)
        assert.strictEqual(yield* status(ask, "DELETE", `blobs/${digest}`), 404)
        assert.strictEqual(yield* status(ask, "DELETE", `blobs/${sha("nothing")}`), 404)
      }))

    it.live("deletes nothing where that is off, and says 405", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start({ deletes: false }))
        yield* putImage(ask, "app", image, "1")
        for (
          const path of [`manifests/${image.manifest.digest}`, "manifests/1", `blobs/${sha(image.blobs[0] ?? "")}`]
        ) {
          assert.strictEqual(errorOf(yield* ask("DELETE", `/v2/app/${path}`)), "405 UNSUPPORTED", path)
          assert.strictEqual(yield* status(ask, "GET", path), 200)
        }
      }))
  })
}
