// Which manifests the embedded registry takes, and what goes with one that is deleted.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as EmbeddedRegistry from "../../../sandbox/registry/EmbeddedRegistry.ts"
import * as MediaTypes from "../../../sandbox/registry/MediaTypes.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import { send } from "../Http.ts"
import { digest, pushBlob, putManifest, sha256 } from "./Requests.ts"

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
})
