import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { dockerList, dockerManifest, ociIndex, ociManifest, parseManifest } from "../../src/image/ManifestDocument.ts"
import { imageOf, indexOf, layerOf } from "../support/TestImages.ts"

const read = (json: unknown, type = "") =>
  parseManifest(Buffer.from(typeof json === "string" ? json : JSON.stringify(json)), type)
const problem = (json: unknown, type = "") => {
  const result = read(json, type)
  return Result.isFailure(result) ? result.failure : assert.fail("was taken")
}
const descriptor = { mediaType: "x", digest: `sha256:${"a".repeat(64)}`, size: 1 }

describe("parseManifest", () => {
  it.each(["oci", "docker"] as const)("reads images and indexes, %s", (flavour) => {
    const image = imageOf([layerOf("a"), layerOf("b")], { flavour })
    const parsed = Result.getOrThrow(parseManifest(image.root.bytes, image.root.mediaType))
    assert.strictEqual(parsed.mediaType, flavour === "oci" ? ociManifest : dockerManifest)
    if (parsed.document._tag !== "Image") return assert.fail(parsed.document._tag)
    assert.strictEqual(parsed.document.config.digest, image.configs[0])
    assert.deepStrictEqual(
      parsed.document.layers.map((it) => [it.digest, it.size, it.foreign]),
      [[layerOf("a").digest, 20_000, false], [layerOf("b").digest, 20_000, false]]
    )
    const index = indexOf([image], flavour)
    const above = Result.getOrThrow(parseManifest(index.root.bytes, index.root.mediaType))
    assert.strictEqual(above.mediaType, flavour === "oci" ? ociIndex : dockerList)
    if (above.document._tag !== "Index") return assert.fail(above.document._tag)
    assert.deepStrictEqual(above.document.manifests.map((it) => it.digest), [image.root.digest])
  })

  it.each(["", "application/json", "text/plain; charset=utf-8", "application/octet-stream"])(
    "falls back to the body where the header %j says nothing",
    (type) => {
      assert.strictEqual(Result.getOrThrow(parseManifest(imageOf([]).root.bytes, type)).mediaType, ociManifest)
      assert.strictEqual(Result.getOrThrow(read({ manifests: [] }, type)).mediaType, ociIndex)
      assert.strictEqual(Result.getOrThrow(read({ fsLayers: [] }, type)).document._tag, "Schema1")
    }
  )

  it("knows layers that may be elsewhere only", () => {
    const layers = [
      { ...descriptor, urls: ["https://x.example/layer"] },
      { ...descriptor, mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" },
      { ...descriptor, mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar" },
      { ...descriptor, urls: [] },
      { ...descriptor, urls: null }
    ]
    const { document } = Result.getOrThrow(read({ config: descriptor, layers }, ociManifest))
    if (document._tag !== "Image") return assert.fail(document._tag)
    assert.deepStrictEqual(document.layers.map((it) => it.foreign), [true, true, true, false, false])
  })

  it("takes an empty type, or null, for none, of manifests and of what they refer to", () => {
    for (const mediaType of ["", null]) {
      const image = Result.getOrThrow(
        read({ mediaType, config: { ...descriptor, mediaType }, layers: [] }, ociManifest)
      )
      assert.strictEqual(image.mediaType, ociManifest)
      const index = Result.getOrThrow(read({ mediaType, manifests: [{ ...descriptor, mediaType }] }, ""))
      assert.strictEqual(index.mediaType, ociIndex)
      if (index.document._tag !== "Index") return assert.fail(index.document._tag)
      assert.deepStrictEqual(index.document.manifests.map((it) => it.mediaType), ["application/octet-stream"])
    }
  })

  it.effect.prop(
    "whatever platforms an index tells of, it is read, and they are words",
    [Schema.Unknown],
    ([platform]) =>
      Effect.sync(() => {
        const json = JSON.stringify({ manifests: [{ ...descriptor, platform: platform ?? null }] })
        const { document } = Result.getOrThrow(read(json, ociIndex))
        if (document._tag !== "Index") return assert.fail(document._tag)
        for (const it of document.manifests) if (it.platform !== undefined) assert.match(it.platform, /^[\w./-]+$/)
      })
  )

  it("knows for which platform an image is, where that can be said", () => {
    const platforms: ReadonlyArray<[unknown, string | undefined]> = [
      [{ os: "linux", architecture: "amd64" }, "linux/amd64"],
      [{ os: "linux", architecture: "arm64", variant: "v8" }, "linux/arm64/v8"],
      [{ os: "linux", architecture: "arm", variant: null }, "linux/arm"],
      [{ os: "linux", architecture: "\u001b[31m" }, undefined],
      [{ os: "linux" }, undefined],
      ["linux/amd64", undefined],
      [undefined, undefined]
    ]
    const manifests = platforms.map(([platform]) => ({ ...descriptor, platform }))
    const { document } = Result.getOrThrow(read({ manifests }, ociIndex))
    if (document._tag !== "Index") return assert.fail(document._tag)
    assert.deepStrictEqual(document.manifests.map((it) => it.platform), platforms.map(([, text]) => text))
  })

  it("takes an image without layers, and layers that are null", () => {
    assert.isTrue(Result.isSuccess(read({ config: descriptor, layers: null }, ociManifest)))
    assert.isTrue(Result.isSuccess(read({ config: descriptor }, ociManifest)))
  })

  it.each<[string, unknown, string, RegExp]>([
    ["no JSON", "<html>", ociManifest, /not a JSON object/],
    ["an array", "[]", ociManifest, /not a JSON object/],
    ["another type inside (CVE-2021-41190)", { mediaType: ociIndex, manifests: [] }, ociManifest, /calls itself/],
    ["both an index and an image", { manifests: [], config: descriptor, layers: [] }, ociIndex, /in one/],
    ["an index served as an image", { manifests: [] }, ociManifest, /another structure/],
    ["an image served as an index", { config: descriptor, layers: [] }, dockerList, /another structure/],
    ["keys that differ by case", { config: descriptor, layers: [], Layers: [] }, ociManifest, /by case/],
    ["keys of another case", { Manifests: [] }, ociIndex, /by case/],
    ["an unknown type", { any: 1 }, "application/vnd.x", /not known/],
    ["an image without config", { layers: [] }, ociManifest, /valid digest/],
    ["a digest that is none", { config: { ...descriptor, digest: "sha256:../x" } }, ociManifest, /valid digest/],
    ["upper-case hex", { config: { ...descriptor, digest: `sha256:${"A".repeat(64)}` } }, ociManifest, /valid digest/],
    ["a negative size", { config: { ...descriptor, size: -1 } }, ociManifest, /size/],
    ["a broken size", { config: { ...descriptor, size: 1.5 } }, ociManifest, /size/],
    ["a size no number can hold", { config: { ...descriptor, size: 2 ** 60 } }, ociManifest, /size/]
  ])("refuses %s", (_, json, type, expected) => {
    assert.match(problem(json, type), expected)
  })

  it.prop("gives a verdict on any bytes", [Schema.String, Schema.String], ([text, type]) => {
    assert.isBoolean(Result.isSuccess(read(text, type)))
  }, { arbitrary: { runs: 300 } })
})
