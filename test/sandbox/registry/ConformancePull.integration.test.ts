// The distribution specification's pull part: manifests by tag and digest, blobs, ranges, and what is not there.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as MediaTypes from "../../../sandbox/registry/MediaTypes.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import { bytesOf, client, errorOf, putBlob, putImage, servers, sha } from "./Servers.ts"

const accept = [MediaTypes.ociIndex, MediaTypes.ociManifest, MediaTypes.dockerList, MediaTypes.dockerManifest].join(
  ", "
)

const images = {
  oci: SampleImage.image("oci"),
  docker: SampleImage.image("docker", { docker: true }),
  index: SampleImage.twoPlatforms("index"),
  list: SampleImage.index([SampleImage.image("listed", { docker: true })], { docker: true }),
  nested: SampleImage.index([SampleImage.twoPlatforms("nested")])
}

const blob = bytesOf("ranges", 2048)
const whole = blob.length

const ranges: ReadonlyArray<readonly [string, number, number]> = [
  ["bytes=500-1499", 500, 1499],
  ["bytes=500-", 500, whole - 1],
  ["bytes=-500", whole - 500, whole - 1],
  ["bytes=2000-3000", 2000, whole - 1],
  ["bytes=0-0", 0, 0],
  ["bytes=-5000", 0, whole - 1]
]

for (const server of servers) {
  describe.skipIf(server.skipped)(`${server.name}, pulled from,`, () => {
    it.live("answers the ping", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const answer = yield* ask("GET", "/v2/")
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.headers.get("docker-distribution-api-version"), "registry/2.0")
      }))

    it.live.each(Object.entries(images))(
      "serves manifests of every kind by tag and digest, byte for byte: %s",
      ([kind, image]) =>
        Effect.gen(function*() {
          const ask = client(yield* server.start())
          yield* putImage(ask, "team/app", image, "v1.0_x-y")
          const references = [...image.children, image.manifest].map((it) => [it.digest, it] as const)
          for (
            const [reference, { bytes, digest, mediaType }] of [...references, ["v1.0_x-y", image.manifest] as const]
          ) {
            const got = yield* ask("GET", `/v2/team/app/manifests/${reference}`, { headers: { accept } })
            assert.deepStrictEqual([got.status, got.headers.get("content-type")], [200, mediaType], kind)
            assert.deepStrictEqual(Buffer.from(got.bytes), Buffer.from(bytes))
            assert.strictEqual(got.headers.get("docker-content-digest"), digest)
            const head = yield* ask("HEAD", `/v2/team/app/manifests/${reference}`, { headers: { accept } })
            assert.strictEqual(head.status, 200)
            assert.strictEqual(head.bytes.length, 0)
            assert.deepStrictEqual(
              ["content-type", "content-length", "docker-content-digest"].map((it) => head.headers.get(it)),
              [mediaType, String(bytes.length), digest]
            )
          }
        })
    )

    it.live("hides an index from who does not accept one, or serves it, but nothing else instead", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        yield* putImage(ask, "app", images.index, "1")
        const got = yield* ask("GET", "/v2/app/manifests/1", { headers: { accept: MediaTypes.ociManifest } })
        if (server.may.unaccepted === 404) assert.strictEqual(errorOf(got), "404 MANIFEST_UNKNOWN")
        else assert.deepStrictEqual([got.status, sha(got.bytes)], [200, images.index.manifest.digest])
      }))

    it.live("does not send a manifest again to who has it", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        yield* putImage(ask, "app", images.oci, "1")
        const etag = (yield* ask("GET", "/v2/app/manifests/1", { headers: { accept } })).headers.get("etag") ?? ""
        assert.notStrictEqual(etag, "")
        for (const method of ["GET", "HEAD"]) {
          const ifNoneMatch = (tag: string) =>
            ask(method, "/v2/app/manifests/1", { headers: { accept, "if-none-match": tag } })
          const same = yield* ifNoneMatch(etag)
          assert.deepStrictEqual([same.status, same.bytes.length], [304, 0])
          assert.strictEqual((yield* ifNoneMatch("\"other\"")).status, 200)
        }
      }))

    it.live("serves blobs with their length, the empty one too", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        for (const content of [blob, Buffer.alloc(0), Buffer.from("{}")]) {
          const { digest } = yield* putBlob(ask, "app", content)
          const got = yield* ask("GET", `/v2/app/blobs/${digest}`)
          assert.strictEqual(got.status, 200)
          assert.deepStrictEqual(Buffer.from(got.bytes), content)
          const head = yield* ask("HEAD", `/v2/app/blobs/${digest}`)
          assert.deepStrictEqual([head.status, head.headers.get("content-length")], [200, String(content.length)])
          assert.strictEqual(head.bytes.length, 0)
        }
      }))

    it.live.each(ranges)("serves the range %s of a blob", ([range, first, last]) =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const { digest } = yield* putBlob(ask, "app", blob)
        const got = yield* ask("GET", `/v2/app/blobs/${digest}`, { headers: { range } })
        assert.strictEqual(got.status, 206)
        assert.strictEqual(got.headers.get("content-range"), `bytes ${first}-${last}/${whole}`)
        assert.strictEqual(got.headers.get("content-length"), String(last - first + 1))
        assert.deepStrictEqual(Buffer.from(got.bytes), blob.subarray(first, last + 1))
      }))

    it.live("says 416 of a range outside of the blob, and ignores what is no range", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const { digest } = yield* putBlob(ask, "app", blob)
        const get = (range: string) => ask("GET", `/v2/app/blobs/${digest}`, { headers: { range } })
        for (const range of [`bytes=${whole}-`, "bytes=3000-4000"]) {
          const outside = yield* Effect.option(get(range))
          if (Option.isNone(outside)) assert.isTrue(server.may.breaksRange)
          else {assert.deepStrictEqual([outside.value.status, outside.value.headers.get("content-range")], [
              416,
              `bytes */${whole}`
            ])}
        }
        const none = yield* Effect.option(get("lines=1-2"))
        assert.include(server.may.breaksRange ? [undefined] : [200, 416], Option.getOrUndefined(none)?.status)
      }))

    it.live("tells in a body what is not there", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        yield* putImage(ask, "app", images.oci, "1")
        const code = (path: string) => Effect.map(ask("GET", `/v2/${path}`, { headers: { accept } }), errorOf)
        const nothing = sha("nothing")
        assert.strictEqual(yield* code("app/manifests/2"), "404 MANIFEST_UNKNOWN")
        assert.strictEqual(yield* code(`app/manifests/${nothing}`), "404 MANIFEST_UNKNOWN")
        assert.strictEqual(yield* code(`app/blobs/${nothing}`), "404 BLOB_UNKNOWN")
        assert.include(["404 NAME_UNKNOWN", "404 MANIFEST_UNKNOWN"], yield* code("none/manifests/1"))
        assert.include(["404 NAME_UNKNOWN", "404 BLOB_UNKNOWN"], yield* code(`none/blobs/${nothing}`))
        for (
          const path of ["app/manifests/2", `app/manifests/${nothing}`, `app/blobs/${nothing}`, "none/manifests/1"]
        ) {
          const head = yield* ask("HEAD", `/v2/${path}`, { headers: { accept } })
          assert.deepStrictEqual([head.status, head.bytes.length], [404, 0], path)
        }
      }))

    it.live("does not take for a digest or a name what is none", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        yield* putImage(ask, "app", images.oci, "1")
        const status = (path: string) =>
          Effect.map(ask("GET", `/v2/${path}`, { headers: { accept } }), (it) => it.status)
        assert.strictEqual(yield* status("app/blobs/sha256:12"), 400)
        assert.strictEqual(yield* status("app/manifests/sha256:baddigeststring"), server.may.noDigest)
        for (const path of ["App/manifests/1", "a__b/..%2f/manifests/1", "-a/manifests/1", "app/manifests/%zz"]) {
          assert.include([301, 400, 404], yield* status(path), path)
        }
      }))

    it.live("keeps what is one repository's from the others", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        yield* putImage(ask, "one/app", images.oci, "1")
        yield* putBlob(ask, "two/app", blob)
        for (
          const path of [
            "manifests/1",
            `manifests/${images.oci.manifest.digest}`,
            `blobs/${sha(images.oci.blobs[0] ?? "")}`
          ]
        ) {
          assert.strictEqual((yield* ask("HEAD", `/v2/two/app/${path}`, { headers: { accept } })).status, 404, path)
        }
      }))
  })
}
