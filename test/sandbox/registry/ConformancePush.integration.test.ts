// The distribution specification's push part: blobs in every form, what is wrong with them, and manifests.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as MediaTypes from "../../../sandbox/registry/MediaTypes.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import type { Answer } from "../Http.ts"
import {
  bytesOf,
  client,
  closing,
  errorOf,
  locationOf,
  opened,
  putBlob,
  putImage,
  putManifest,
  type Send,
  servers,
  sha
} from "./Servers.ts"

const octets = { "content-type": "application/octet-stream" }
const blob = bytesOf("pushed", 3000)
const digest = sha(blob)

const patch = (ask: Send, location: string, from: number, to: number, content = blob.subarray(from, to + 1)) =>
  ask("PATCH", location, { headers: { ...octets, "content-range": `${from}-${to}` }, body: content })

/** What was stored is served, where the answer says and where the specification says. */
const assertStored = Effect.fnUntraced(function*(ask: Send, answer: Answer, content: Uint8Array, name = sha(content)) {
  assert.strictEqual(answer.status, 201)
  for (const path of [locationOf(answer), `/v2/app/blobs/${name}`]) {
    const got = yield* ask("GET", path)
    assert.deepStrictEqual([got.status, Buffer.from(got.bytes)], [200, Buffer.from(content)])
  }
})

const absent = (ask: Send, name: string) =>
  Effect.map(ask("HEAD", `/v2/app/blobs/${name}`), (it) => assert.strictEqual(it.status, 404))

for (const server of servers) {
  describe.skipIf(server.skipped)(`${server.name}, blobs pushed to,`, () => {
    it.live("takes a blob by POST and PUT", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const { answer, location } = yield* opened(ask, "app")
        assert.deepStrictEqual([answer.status, answer.headers.get("content-length")], [202, "0"])
        assert.isNotEmpty(answer.headers.get("docker-upload-uuid"))
        const put = yield* ask("PUT", closing(location, digest), { headers: octets, body: blob })
        yield* assertStored(ask, put, blob)
        assert.strictEqual(put.headers.get("docker-content-digest"), digest)
      }))

    it.live("takes a Location whose query a client has parsed and rebuilt", () =>
      Effect.gen(function*() {
        const origin = yield* server.start()
        const ask = client(origin)
        const url = new URL((yield* opened(ask, "app")).location, origin)
        url.searchParams.set("digest", digest)
        yield* assertStored(ask, yield* ask("PUT", url.href, { headers: octets, body: blob }), blob)
      }))

    it.live("takes a blob by one POST, or opens a session for it", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const post = yield* ask("POST", `/v2/app/blobs/uploads/?digest=${digest}`, { headers: octets, body: blob })
        assert.strictEqual(post.status, server.may.singlePost)
        const done = post.status === 201
          ? post
          : yield* ask("PUT", closing(locationOf(post), digest), { headers: octets, body: blob })
        yield* assertStored(ask, done, blob)
      }))

    it.live("takes a blob in chunks, the last of them with the PUT or before it, and tells how far it is", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        for (const inPut of [true, false]) {
          let { location } = yield* opened(ask, "app")
          for (const from of inPut ? [0, 1000] : [0, 1000, 2000]) {
            const answer = yield* patch(ask, location, from, from + 999)
            assert.deepStrictEqual([answer.status, answer.headers.get("range")], [202, `0-${from + 999}`])
            location = locationOf(answer)
            const status = yield* ask("GET", location)
            assert.deepStrictEqual([status.status, status.headers.get("range")], [204, `0-${from + 999}`])
            location = locationOf(status)
          }
          const last = inPut
            ? { headers: { ...octets, "content-range": "2000-2999" }, body: blob.subarray(2000) }
            : {}
          yield* assertStored(ask, yield* ask("PUT", closing(location, digest), last), blob)
        }
      }))

    it.live("takes a blob as one stream of unknown length", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const { location } = yield* opened(ask, "app")
        const body = new ReadableStream<Uint8Array>({
          start: (controller) => {
            controller.enqueue(Uint8Array.from(blob.subarray(0, 1500)))
            controller.enqueue(Uint8Array.from(blob.subarray(1500)))
            controller.close()
          }
        })
        const sent = yield* ask("PATCH", location, { headers: octets, body })
        assert.strictEqual(sent.status, 202)
        yield* assertStored(ask, yield* ask("PUT", closing(locationOf(sent), digest)), blob)
      }))

    it.live("refuses a chunk out of order, says where it is, and goes on from there", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        let { location } = yield* opened(ask, "app")
        const refused = server.may.checksChunks ? 416 : 202
        const first = yield* patch(ask, location, 1000, 1999)
        assert.strictEqual(first.status, refused)
        if (refused === 202) return
        location = locationOf(yield* patch(ask, location, 0, 999))
        for (const from of [0, 500, 2000]) {
          assert.strictEqual((yield* patch(ask, location, from, from + 999)).status, 416)
        }
        const status = yield* ask("GET", location)
        assert.deepStrictEqual([status.status, status.headers.get("range")], [204, "0-999"])
        const rest = yield* patch(ask, locationOf(status), 1000, 2999)
        yield* assertStored(ask, yield* ask("PUT", closing(locationOf(rest), digest)), blob)
      }))

    it.live("refuses a chunk that is not as long as its range says", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const { location } = yield* opened(ask, "app")
        const answer = yield* patch(ask, location, 0, 999, blob.subarray(0, 500))
        if (server.may.checksChunks) assert.include([400, 416], answer.status)
        else assert.strictEqual(answer.status, 202)
      }))

    it.live.each<[string, Buffer, string]>([
      ["the empty one", Buffer.alloc(0), "sha256"],
      ["the empty JSON", Buffer.from("{}"), "sha256"],
      ["by sha512", blob, "sha512"]
    ])("takes special blobs: %s", ([, content, algorithm]) =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const { answer, digest: name } = yield* putBlob(ask, "app", content, algorithm)
        yield* assertStored(ask, answer, content, name)
        // and once more, though it is there
        const again = yield* putBlob(ask, "app", content, algorithm)
        assert.strictEqual(again.answer.status, 201)
      }))

    it.live("refuses other bytes than the digest's however they come, and keeps nothing of them", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const wrong = sha("something else")
        const session = yield* opened(ask, "app")
        const put = yield* ask("PUT", closing(session.location, wrong), { headers: octets, body: blob })
        assert.strictEqual(errorOf(put), "400 DIGEST_INVALID")
        const post = yield* ask("POST", `/v2/app/blobs/uploads/?digest=${wrong}`, { headers: octets, body: blob })
        if (post.status === 202) {
          const late = yield* ask("PUT", closing(locationOf(post), wrong), { headers: octets, body: blob })
          assert.strictEqual(errorOf(late), "400 DIGEST_INVALID")
        } else assert.strictEqual(errorOf(post), "400 DIGEST_INVALID")
        const chunked = yield* opened(ask, "app")
        const sent = yield* patch(ask, chunked.location, 0, 2999)
        assert.strictEqual(errorOf(yield* ask("PUT", closing(locationOf(sent), wrong))), "400 DIGEST_INVALID")
        yield* absent(ask, wrong)
        const none = yield* opened(ask, "app")
        const answer = yield* ask("PUT", closing(none.location, "sha256:12"), { headers: octets, body: blob })
        assert.strictEqual(errorOf(answer), "400 DIGEST_INVALID")
      }))

    it.live("mounts a blob of another repository, and opens a session where there is none", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        yield* putBlob(ask, "from/here", blob)
        const mount = (name: string, query: string) => ask("POST", `/v2/${name}/blobs/uploads/?mount=${query}`)
        yield* assertStored(ask, yield* mount("app", `${digest}&from=from%2Fhere`), blob)
        const nothing = yield* mount("app", `${sha("nothing")}&from=from%2Fhere`)
        assert.strictEqual(nothing.status, 202)
        const content = Buffer.from("nothing")
        const done = yield* ask("PUT", closing(locationOf(nothing), sha(content)), { headers: octets, body: content })
        yield* assertStored(ask, done, content)
        assert.strictEqual((yield* mount("app", `${digest}&from=not/there`)).status, 202)
        assert.strictEqual((yield* mount("other", digest)).status, server.may.mountFromAnywhere)
      }))

    it.live("forgets an upload that is ended", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const { location } = yield* opened(ask, "app")
        const sent = locationOf(yield* patch(ask, location, 0, 999))
        assert.strictEqual((yield* ask("DELETE", sent)).status, 204)
        assert.strictEqual(errorOf(yield* ask("GET", sent)), "404 BLOB_UPLOAD_UNKNOWN")
        assert.strictEqual((yield* patch(ask, sent, 1000, 1999)).status, 404)
        assert.strictEqual((yield* ask("PUT", closing(sent, digest), { headers: octets, body: blob })).status, 404)
        // what is done is over, too
        const other = yield* opened(ask, "app")
        yield* ask("PUT", closing(other.location, digest), { headers: octets, body: blob })
        assert.strictEqual((yield* ask("GET", other.location)).status, 404)
      }))
  })

  describe.skipIf(server.skipped)(`${server.name}, manifests pushed to,`, () => {
    const image = SampleImage.image("pushed")
    const index = SampleImage.twoPlatforms("indexed")

    it.live("takes a manifest by tag and by digest, says where it is, and moves a tag", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const answer = yield* putImage(ask, "app", image, "1")
        assert.strictEqual(answer.status, 201)
        assert.strictEqual(answer.headers.get("docker-content-digest"), image.manifest.digest)
        assert.strictEqual(
          sha((yield* ask("GET", locationOf(answer), { headers: { accept: MediaTypes.ociManifest } })).bytes),
          image.manifest.digest
        )
        yield* putImage(ask, "app", index, "1")
        const moved = yield* ask("HEAD", "/v2/app/manifests/1", { headers: { accept: MediaTypes.ociIndex } })
        assert.strictEqual(moved.headers.get("docker-content-digest"), index.manifest.digest)
        const kept = yield* ask("HEAD", `/v2/app/manifests/${image.manifest.digest}`, {
          headers: { accept: MediaTypes.ociManifest }
        })
        assert.strictEqual(kept.status, 200)
        // the same again changes nothing
        assert.strictEqual((yield* putManifest(ask, "app", "1", index.manifest)).status, 201)
      }))

    it.live("refuses a manifest under a digest that it has not, and one under none", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        yield* putImage(ask, "app", image)
        const other = yield* putManifest(ask, "app", sha("other"), image.manifest)
        assert.strictEqual(errorOf(other), "400 DIGEST_INVALID")
        const none = yield* putManifest(ask, "app", "sha256:baddigeststring", image.manifest)
        assert.strictEqual(none.status, server.may.noDigestPut)
        assert.strictEqual((yield* ask("HEAD", `/v2/app/manifests/${sha("other")}`)).status, 404)
      }))

    it.live("refuses a manifest whose blobs or children are not there", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const alone = yield* putManifest(ask, "app", image.manifest.digest, image.manifest)
        assert.deepStrictEqual([alone.status, alone.json().errors[0].code], [400, "MANIFEST_BLOB_UNKNOWN"])
        const sparse = yield* putManifest(ask, "app", "1", index.manifest)
        assert.strictEqual(sparse.status, 400)
        // a blob of another repository is not there
        for (const blobOf of image.blobs) yield* putBlob(ask, "other", blobOf)
        assert.strictEqual((yield* putManifest(ask, "app", "1", image.manifest)).status, 400)
        assert.strictEqual((yield* ask("HEAD", "/v2/app/manifests/1")).status, 404)
      }))

    it.live("takes a manifest whose foreign layers are elsewhere, or refuses it", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const config = Buffer.from("{}")
        yield* putBlob(ask, "app", config)
        const manifest = {
          mediaType: MediaTypes.ociManifest,
          bytes: JSON.stringify({
            schemaVersion: 2,
            mediaType: MediaTypes.ociManifest,
            config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: sha(config), size: 2 },
            layers: [{
              mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
              digest: sha("elsewhere"),
              size: 9
            }]
          })
        }
        const put = yield* putManifest(ask, "app", "1", manifest)
        assert.strictEqual(put.status, server.may.foreignLayers ? 201 : 400, put.text)
      }))

    it.live("takes what it does not know the meaning of: artifacts, data fields, unknown fields, no layers", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        const empty = Buffer.from("{}")
        yield* putBlob(ask, "app", empty)
        const descriptor = { mediaType: "application/vnd.oci.empty.v1+json", digest: sha(empty), size: 2, data: "e30=" }
        const common = { schemaVersion: 2, mediaType: MediaTypes.ociManifest, config: descriptor }
        const manifests = [
          { ...common, artifactType: "application/vnd.example", layers: [descriptor] },
          { ...common, artifactType: "application/vnd.example", layers: [] },
          { ...common, layers: [descriptor], "org.example.extra": { a: [1] } }
        ]
        for (const [at, it] of manifests.entries()) {
          const bytes = JSON.stringify(it)
          const put = yield* putManifest(ask, "app", `t${at}`, { mediaType: MediaTypes.ociManifest, bytes })
          assert.strictEqual(put.status, 201, bytes)
          const got = yield* ask("GET", `/v2/app/manifests/t${at}`, { headers: { accept: MediaTypes.ociManifest } })
          assert.strictEqual(got.text, bytes)
        }
      }))

    it.live.each<[string, string, string]>([
      ["is no JSON", "{", MediaTypes.ociManifest],
      ["calls itself something else", "docker", MediaTypes.dockerManifest],
      ["has an unknown type", "strange", "application/vnd.example.strange+json"],
      ["is an index and an image in one", "both", MediaTypes.ociIndex]
    ])("refuses a manifest that %s", ([, kind, mediaType]) =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        yield* putImage(ask, "app", image)
        const text = Buffer.from(image.manifest.bytes).toString()
        const bytes = kind === "{"
          ? "{"
          : kind === "both"
          ? JSON.stringify({ ...JSON.parse(text), mediaType: MediaTypes.ociIndex, manifests: [] })
          : text
        const put = yield* putManifest(ask, "app", "1", { mediaType, bytes })
        assert.include([400, 415], put.status)
        assert.match(errorOf(put), /MANIFEST_INVALID$/)
        assert.strictEqual((yield* ask("HEAD", "/v2/app/manifests/1")).status, 404)
      }))

    it.live("takes a manifest of 4 MiB, and none that is larger", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        yield* putImage(ask, "app", image)
        const json = JSON.parse(Buffer.from(image.manifest.bytes).toString())
        const padded = (size: number) => {
          const without = JSON.stringify({ ...json, annotations: { padding: "" } })
          const padding = "x".repeat(size - without.length)
          return JSON.stringify({ ...json, annotations: { padding } })
        }
        const put = (size: number) =>
          putManifest(ask, "app", "1", { mediaType: image.manifest.mediaType, bytes: padded(size) })
        const most = 4 * 1024 * 1024
        assert.strictEqual((yield* put(most)).status, 201)
        assert.strictEqual((yield* put(most + 1)).status, server.may.tooLarge)
      }))

    it.live("takes manifests by sha512, if it does", () =>
      Effect.gen(function*() {
        const ask = client(yield* server.start())
        yield* putImage(ask, "app", image)
        const name = sha(image.manifest.bytes, "sha512")
        const put = yield* putManifest(ask, "app", name, image.manifest)
        assert.strictEqual(put.status === 201, server.may.sha512Manifests, put.text)
        if (put.status !== 201) return
        const got = yield* ask("GET", `/v2/app/manifests/${name}`, { headers: { accept: MediaTypes.ociManifest } })
        assert.deepStrictEqual([got.status, sha(got.bytes, "sha512")], [200, name])
      }))
  })
}
