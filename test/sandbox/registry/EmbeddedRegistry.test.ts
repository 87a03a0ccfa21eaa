// The embedded registry against the distribution specification, as a client sees it.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { request } from "node:http"
import * as EmbeddedRegistry from "../../../sandbox/registry/EmbeddedRegistry.ts"
import * as MediaTypes from "../../../sandbox/registry/MediaTypes.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import { send } from "../Http.ts"

const sha256 = (content: Uint8Array | string) => `sha256:${createHash("sha256").update(content).digest("hex")}`
const absolute = (url: string, location: string | null) => new URL(location ?? "", url).href
/** A Location as it was given, with the digest behind it: never rebuilt. */
const closing = (url: string, location: string | null, digest: string) =>
  `${location?.startsWith("http") === true ? "" : url}${location ?? ""}&digest=${encodeURIComponent(digest)}`

const content = Buffer.from("the bytes of a layer, some of them more than once: the bytes")
const digest = sha256(content)

const started = (url: string, name: string, query = "") =>
  send(`${url}/v2/${name}/blobs/uploads/${query}`, { method: "POST" })
const pushBlob = (url: string, name: string, blob: Uint8Array) =>
  send(`${url}/v2/${name}/blobs/uploads/?digest=${sha256(blob)}`, { method: "POST", body: Uint8Array.from(blob) })
const putManifest = (url: string, reference: string, bytes: Uint8Array | string, type: string) =>
  send(`${url}/v2/app/manifests/${reference}`, {
    method: "PUT",
    headers: { "content-type": type },
    body: typeof bytes === "string" ? bytes : Uint8Array.from(bytes)
  })

describe("pull", () => {
  it.live("answers the ping", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const answer = yield* send(`${registry.url}/v2/`)
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.headers.get("docker-distribution-api-version"), "registry/2.0")
    }))

  it.live("serves manifests by tag and digest, byte for byte, with their digest", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const image = SampleImage.twoPlatforms("app")
      yield* registry.load("library/app", image, "1.0")
      for (const reference of ["1.0", image.manifest.digest]) {
        const got = yield* send(`${registry.url}/v2/library/app/manifests/${reference}`, {
          headers: { accept: MediaTypes.ociIndex }
        })
        assert.strictEqual(got.status, 200)
        assert.strictEqual(got.headers.get("docker-content-digest"), image.manifest.digest)
        assert.strictEqual(got.headers.get("content-type"), MediaTypes.ociIndex)
        assert.strictEqual(sha256(got.bytes), image.manifest.digest)
        const head = yield* send(`${registry.url}/v2/library/app/manifests/${reference}`, { method: "HEAD" })
        assert.strictEqual(head.status, 200)
        assert.strictEqual(head.headers.get("content-length"), String(image.manifest.bytes.length))
        assert.strictEqual(head.bytes.length, 0)
      }
      for (const child of image.children) {
        const got = yield* send(`${registry.url}/v2/library/app/manifests/${child.digest}`)
        assert.strictEqual(sha256(got.bytes), child.digest)
      }
    }))

  it.live("hides an index from a client that does not accept one", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      yield* registry.load("app", SampleImage.twoPlatforms("app"), "1")
      const got = yield* send(`${registry.url}/v2/app/manifests/1`, { headers: { accept: MediaTypes.dockerManifest } })
      assert.strictEqual(got.status, 404)
      assert.strictEqual(got.json().errors[0].code, "MANIFEST_UNKNOWN")
    }))

  it.live("tells an unknown name, manifest and blob apart", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      yield* registry.load("app", SampleImage.image("app"), "1")
      const code = (suffix: string) =>
        Effect.map(send(`${registry.url}/v2/${suffix}`), (it) => `${it.status} ${it.json().errors[0].code}`)
      assert.strictEqual(yield* code("none/manifests/1"), "404 NAME_UNKNOWN")
      assert.strictEqual(yield* code("app/manifests/2"), "404 MANIFEST_UNKNOWN")
      assert.strictEqual(yield* code(`app/blobs/${digest}`), "404 BLOB_UNKNOWN")
      assert.strictEqual(yield* code("app/blobs/sha256:12"), "400 DIGEST_INVALID")
      assert.strictEqual(yield* code("App/manifests/1"), "400 NAME_INVALID")
    }))

  it.live("serves ranges of a blob, and 416 outside it", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      yield* registry.loadBlob("app", content)
      const get = (range: string) => send(`${registry.url}/v2/app/blobs/${digest}`, { headers: { range } })
      const middle = yield* get("bytes=4-9")
      assert.strictEqual(middle.status, 206)
      assert.strictEqual(middle.text, content.subarray(4, 10).toString())
      assert.strictEqual(middle.headers.get("content-range"), `bytes 4-9/${content.length}`)
      assert.strictEqual((yield* get("bytes=50-")).text, content.subarray(50).toString())
      assert.strictEqual((yield* get("bytes=-5")).text, content.subarray(-5).toString())
      const outside = yield* get(`bytes=${content.length}-`)
      assert.strictEqual(outside.status, 416)
      assert.strictEqual(outside.headers.get("content-range"), `bytes */${content.length}`)
    }))
})

describe("push", () => {
  it.live("takes a blob as POST and PUT", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const session = yield* started(registry.url, "app")
      assert.strictEqual(session.status, 202)
      const done = yield* send(closing(registry.url, session.headers.get("location"), digest), {
        method: "PUT",
        body: content
      })
      assert.strictEqual(done.status, 201)
      assert.strictEqual(done.headers.get("docker-content-digest"), digest)
      const got = yield* send(absolute(registry.url, done.headers.get("location")))
      assert.strictEqual(sha256(got.bytes), digest)
    }))

  it.live("takes a blob in chunks, tells how far it is, and refuses one out of order", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make({ absoluteLocations: true })
      const session = yield* started(registry.url, "app")
      let location = session.headers.get("location") ?? ""
      const patch = (from: number, to: number) =>
        send(location, {
          method: "PATCH",
          headers: { "content-range": `${from}-${to}`, "content-type": "application/octet-stream" },
          body: content.subarray(from, to + 1)
        })
      const first = yield* patch(0, 9)
      assert.strictEqual(first.status, 202)
      assert.strictEqual(first.headers.get("range"), "0-9")
      location = first.headers.get("location") ?? ""
      const wrong = yield* patch(20, 29)
      assert.strictEqual(wrong.status, 416)
      const status = yield* send(location)
      assert.strictEqual(status.status, 204)
      assert.strictEqual(status.headers.get("range"), "0-9")
      assert.strictEqual((yield* patch(10, 19)).status, 202)
      const done = yield* send(closing(registry.url, location, digest), {
        method: "PUT",
        headers: { "content-range": `20-${content.length - 1}` },
        body: content.subarray(20)
      })
      assert.strictEqual(done.status, 201)
      assert.deepStrictEqual(Buffer.from(registry.blob(digest) ?? []), content)
    }))

  it.live("takes a blob in one POST, or opens a session where that is not supported", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const post = send(`${registry.url}/v2/app/blobs/uploads/?digest=${digest}`, { method: "POST", body: content })
      assert.strictEqual((yield* post).status, 201)
      registry.behaviour.singlePost = false
      assert.strictEqual((yield* post).status, 202)
    }))

  it.live("refuses bytes that have not the digest, and keeps nothing of them", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const session = yield* started(registry.url, "app")
      const url = closing(registry.url, session.headers.get("location"), digest)
      const done = yield* send(url, { method: "PUT", body: "other bytes" })
      assert.strictEqual(done.status, 400)
      assert.strictEqual(done.json().errors[0].code, "DIGEST_INVALID")
      assert.strictEqual((yield* send(url, { method: "PUT", body: content })).status, 404)
      assert.strictEqual((yield* send(`${registry.url}/v2/app/blobs/${digest}`)).status, 404)
    }))

  it.live("takes a Location that a client has rebuilt, unless it is told to refuse it", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make({ exactLocations: true })
      const put = Effect.gen(function*() {
        const session = yield* started(registry.url, "app")
        const url = new URL(session.headers.get("location") ?? "", registry.url)
        url.searchParams.set("digest", digest)
        return yield* send(url.href, { method: "PUT", body: content })
      })
      assert.strictEqual((yield* put).json().errors[0].code, "BLOB_UPLOAD_INVALID")
      registry.behaviour.exactLocations = false
      assert.strictEqual((yield* put).status, 201)
      const session = yield* started(registry.url, "app")
      const other = `${session.headers.get("location")?.replace(/_state=./, "_state=x")}&digest=${digest}`
      assert.strictEqual((yield* send(registry.url + other, { method: "PUT", body: content })).status, 400)
    }))

  it.live("mounts a blob from another repository, and opens a session when it is not there", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      yield* registry.loadBlob("one", content)
      const mounted = yield* started(registry.url, "two", `?mount=${digest}&from=one`)
      assert.strictEqual(mounted.status, 201)
      assert.isTrue(registry.hasBlob("two", digest))
      const other = yield* started(registry.url, "two", `?mount=${sha256("nothing")}&from=one`)
      assert.strictEqual(other.status, 202)
    }))

  it.live("forgets a cancelled upload", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const session = yield* started(registry.url, "app")
      const url = absolute(registry.url, session.headers.get("location"))
      assert.strictEqual((yield* send(url, { method: "DELETE" })).status, 204)
      assert.strictEqual((yield* send(url)).status, 404)
    }))

  it.live("wants every chunk but the last as large as it announced", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make({ chunkMinLength: 16 })
      const session = yield* started(registry.url, "app")
      assert.strictEqual(session.headers.get("oci-chunk-min-length"), "16")
      const url = absolute(registry.url, session.headers.get("location"))
      assert.strictEqual((yield* send(url, { method: "PATCH", body: content.subarray(0, 8) })).status, 202)
      assert.strictEqual((yield* send(url, { method: "PATCH", body: content.subarray(8) })).status, 400)
    }))

  it.live("keeps blobs in a folder when it is given one", () =>
    Effect.gen(function*() {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "registry-"))),
        (it) => Effect.sync(() => fs.rmSync(it, { recursive: true }))
      )
      const registry = yield* EmbeddedRegistry.make({ folder })
      for (const algorithm of ["sha256", "sha512"]) {
        const name = `${algorithm}:${createHash(algorithm).update(content).digest("hex")}`
        const session = yield* started(registry.url, "app")
        const put = yield* send(closing(registry.url, session.headers.get("location"), name), {
          method: "PUT",
          body: content
        })
        assert.strictEqual(put.status, 201)
        assert.strictEqual((yield* send(`${registry.url}/v2/app/blobs/${name}`)).text, content.toString())
      }
      const part = yield* send(`${registry.url}/v2/app/blobs/${digest}`, { headers: { range: "bytes=1-3" } })
      assert.strictEqual(part.text, content.subarray(1, 4).toString())
      assert.strictEqual(fs.readdirSync(path.join(folder, "blobs")).length, 2)
      const deleted = yield* send(`${registry.url}/v2/app/blobs/${digest}`, { method: "DELETE" })
      assert.strictEqual(deleted.status, 202)
      assert.strictEqual(fs.readdirSync(path.join(folder, "blobs")).length, 1)
    }))

  it.live("drops an upload whose client goes away", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const session = yield* started(registry.url, "app")
      yield* Effect.callback<void>((resume) => {
        const put = request(closing(registry.url, session.headers.get("location"), digest), {
          method: "PUT",
          headers: { "content-length": content.length }
        })
        put.on("error", () => resume(Effect.void))
        put.write(content.subarray(0, 10), () => put.destroy(new Error("gone")))
      })
      assert.isFalse(registry.hasBlob("app", digest))
    }))
})

describe("manifests", () => {
  it.live("wants everything a manifest names to be there first", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const image = SampleImage.twoPlatforms("app")
      const push = (manifest: { bytes: Uint8Array; mediaType: string; digest: string }, reference: string) =>
        putManifest(registry.url, reference, manifest.bytes, manifest.mediaType)
      const [child] = image.children
      if (child === undefined) return assert.fail("no child")
      assert.strictEqual((yield* push(child, child.digest)).json().errors[0].code, "MANIFEST_BLOB_UNKNOWN")
      for (const blob of image.blobs) assert.strictEqual((yield* pushBlob(registry.url, "app", blob)).status, 201)
      assert.strictEqual((yield* push(image.manifest, "1")).json().errors[0].code, "MANIFEST_BLOB_UNKNOWN")
      for (const it of image.children) assert.strictEqual((yield* push(it, it.digest)).status, 201)
      const done = yield* push(image.manifest, "1")
      assert.strictEqual(done.status, 201)
      assert.strictEqual(done.headers.get("docker-content-digest"), image.manifest.digest)
      assert.strictEqual(registry.resolve("app", "1"), image.manifest.digest)
    }))

  it.live("refuses a manifest under another digest, of another type, or that is none", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const image = SampleImage.image("app")
      yield* registry.load("app", image, "1")
      const { bytes, mediaType } = image.manifest
      const code = (reference: string, body: Uint8Array | string, type: string) =>
        Effect.map(putManifest(registry.url, reference, body, type), (it) => it.json().errors[0].code)
      assert.strictEqual(yield* code(digest, bytes, mediaType), "DIGEST_INVALID")
      assert.strictEqual(yield* code("2", bytes, MediaTypes.dockerManifest), "MANIFEST_INVALID")
      assert.strictEqual(yield* code("2", "[]", mediaType), "MANIFEST_INVALID")
      assert.strictEqual(yield* code("2", "{}", MediaTypes.dockerSchema1), "MANIFEST_INVALID")
      assert.strictEqual(yield* code("-2", bytes, mediaType), "MANIFEST_INVALID")
      assert.deepStrictEqual(registry.tags("app"), ["1"])
    }))

  it.live("ends manifests at 4 MiB", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const body = Buffer.alloc(4 * 1024 * 1024 + 1, " ")
      assert.strictEqual((yield* putManifest(registry.url, "1", body, MediaTypes.ociIndex)).status, 413)
    }))

  it.live("deletes a tag alone, a manifest with its tags, and a blob", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const image = SampleImage.image("app")
      yield* registry.load("app", image, "1")
      yield* registry.load("app", image, "2")
      const remove = (what: string) =>
        Effect.map(send(`${registry.url}/v2/app/${what}`, { method: "DELETE" }), (it) => it.status)
      assert.strictEqual(yield* remove("manifests/1"), 202)
      assert.strictEqual(registry.resolve("app", "2"), image.manifest.digest)
      assert.strictEqual(yield* remove(`manifests/${image.manifest.digest}`), 202)
      assert.deepStrictEqual(registry.tags("app"), [])
      assert.strictEqual(yield* remove(`manifests/${image.manifest.digest}`), 404)
      const blob = sha256(image.blobs[0] ?? "")
      assert.strictEqual(yield* remove(`blobs/${blob}`), 202)
      assert.strictEqual(yield* remove(`blobs/${blob}`), 404)
    }))

  it.live("lists tags in pages", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      for (const tag of ["c", "a", "d", "b", "e"]) yield* registry.load("app", SampleImage.image("app"), tag)
      const seen: Array<string> = []
      let next: string | undefined = "/v2/app/tags/list?n=2"
      while (next !== undefined) {
        const answer: { headers: Headers; json: () => { tags: Array<string> } } = yield* send(registry.url + next)
        const page = answer.json().tags
        assert.isAtMost(page.length, 2)
        seen.push(...page)
        next = /<([^>]+)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1]
      }
      assert.deepStrictEqual(seen, ["a", "b", "c", "d", "e"])
    }))

  it.live("answers who refers to a manifest, filtered by type", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make()
      const image = SampleImage.image("app")
      yield* registry.load("app", image, "1")
      const signature = SampleImage.artifact(image.manifest, "application/vnd.test.signature", "signed", { by: "me" })
      const sbom = SampleImage.artifact(image.manifest, "application/vnd.test.sbom", "packages")
      yield* registry.load("app", sbom)
      for (const blob of signature.blobs) yield* pushBlob(registry.url, "app", blob)
      const { bytes, digest: name, mediaType } = signature.manifest
      const pushed = yield* putManifest(registry.url, name, bytes, mediaType)
      assert.strictEqual(pushed.headers.get("oci-subject"), image.manifest.digest)
      const referrers = (query: string) => send(`${registry.url}/v2/app/referrers/${image.manifest.digest}${query}`)
      const all = yield* referrers("")
      assert.strictEqual(all.headers.get("content-type"), MediaTypes.ociIndex)
      assert.strictEqual(all.json().manifests.length, 2)
      const some = yield* referrers("?artifactType=application/vnd.test.signature")
      assert.strictEqual(some.headers.get("oci-filters-applied"), "artifactType")
      assert.deepStrictEqual(some.json().manifests, [{
        mediaType,
        digest: name,
        size: bytes.length,
        artifactType: "application/vnd.test.signature",
        annotations: { by: "me" }
      }])
      registry.behaviour.referrers = false
      assert.strictEqual((yield* referrers("")).status, 404)
    }))

  it.live("is read-only when it is told so", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make({ readOnly: true })
      yield* registry.load("app", SampleImage.image("app"), "1")
      assert.strictEqual((yield* pushBlob(registry.url, "app", content)).status, 405)
      assert.strictEqual((yield* send(`${registry.url}/v2/app/manifests/1`)).status, 200)
    }))
})
