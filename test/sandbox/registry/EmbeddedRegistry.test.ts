// The embedded registry as a client sees it that only reads.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as EmbeddedRegistry from "../../../sandbox/registry/EmbeddedRegistry.ts"
import * as MediaTypes from "../../../sandbox/registry/MediaTypes.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import { send } from "../Http.ts"
import { content, digest, pushBlob, sha256 } from "./Requests.ts"

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

describe("the registry", () => {
  it.live("is read-only when it is told so", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make({ readOnly: true })
      yield* registry.load("app", SampleImage.image("app"), "1")
      assert.strictEqual((yield* pushBlob(registry.url, "app", content)).status, 405)
      assert.strictEqual((yield* send(`${registry.url}/v2/app/manifests/1`)).status, 200)
    }))
})
