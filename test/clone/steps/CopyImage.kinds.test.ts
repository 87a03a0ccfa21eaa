// Images that are unlike others: empty blobs, other digest algorithms, artifacts, tags that cannot be moved.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { digestOf } from "../../../src/image/Digest.ts"
import { ociManifest } from "../../../src/image/ManifestDocument.ts"
import { refuse } from "../../support/FakeRegistry.ts"
import { imageOf, layerOf, manifestOf, type TestBlob, type TestImage } from "../../support/TestImages.ts"
import { assertWhole, betweenRegistries, image, protection } from "../../support/SourceAndBackup.ts"

/** A manifest of any types over any blobs; the first is its config. */
const artifactOf = (
  blobs: ReadonlyArray<TestBlob>,
  types: readonly [config: string, layer: string],
  more: object = {}
): TestImage => {
  const described = blobs.map((it, at) => ({
    mediaType: at === 0 ? types[0] : types[1],
    digest: it.digest,
    size: it.bytes.length
  }))
  const root = manifestOf(ociManifest, {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: described[0],
    layers: described.slice(1),
    ...more
  })
  return { root, manifests: [root], blobs, configs: described.slice(0, 1).map((it) => it.digest) }
}
const blobOf = (text: string, algorithm: "sha256" | "sha512" = "sha256"): TestBlob => {
  const bytes = Buffer.from(text)
  return { bytes, digest: digestOf(bytes, algorithm) }
}

describe("an artifact", () => {
  it.live.each<[string, TestImage]>([
    [
      "Helm chart",
      artifactOf([blobOf("{\"name\":\"chart\"}"), layerOf("chart", 3000)], [
        "application/vnd.cncf.helm.config.v1+json",
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
      ])
    ],
    [
      "WASM module",
      artifactOf([blobOf("{}"), layerOf("wasm", 3000)], ["application/vnd.wasm.config.v0+json", "application/wasm"])
    ],
    [
      "artifact with the empty config and a type of its own",
      artifactOf([blobOf("{}"), layerOf("thing", 300)], ["application/vnd.oci.empty.v1+json", "text/plain"], {
        artifactType: "application/vnd.example.thing"
      })
    ],
    ["artifact without layers", artifactOf([blobOf("{}")], ["application/vnd.oci.empty.v1+json", ""])]
  ])(
    "such as a %s is copied as it is",
    ([, artifact]) =>
      betweenRegistries(({ backup, clone, into, source }) =>
        Effect.gen(function*() {
          source.add("app", artifact, "1")
          const copied = yield* clone()
          assert.strictEqual(copied.digest, artifact.root.digest)
          assertWhole(backup, into, artifact)
          assert.isTrue((yield* clone()).upToDate)
        })
      )
  )
})

describe("a blob", () => {
  it.live("of no bytes is uploaded without asking for ranges or chunks", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        const nothing = imageOf([blobOf(""), layerOf("a")])
        source.add("app", nothing, "1")
        yield* clone()
        assertWhole(backup, into, nothing)
        const put = backup.seen.find((it) => it.query.get("digest") === digestOf(Buffer.alloc(0)))
        assert.strictEqual(put?.headers["content-length"], "0")
        assert.isTrue(source.seen.every((it) => it.headers.range === undefined))
      })
    ))

  it.live("with a sha512 digest is hashed so, and the registry is told", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        const long = blobOf("hashed otherwise", "sha512")
        const other = imageOf([long, layerOf("a")])
        source.add("app", other, "1")
        yield* clone()
        assertWhole(backup, into, other)
        assert.strictEqual(backup.count(/POST .*digest-algorithm=sha512/), 1)
        assert.strictEqual(backup.count(/POST .*digest-algorithm/), 1)
      })
    ))

  it.live("with a sha512 digest and other bytes is found out", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        const long = blobOf("hashed otherwise", "sha512")
        source.add("app", imageOf([{ ...long, bytes: Buffer.from("hashed Otherwise") }]), "1")
        assert.strictEqual((yield* Effect.flip(clone())).reason, "corrupt")
        assert.isUndefined(backup.manifest(into, "1"))
      })
    ))
})

describe("a backup whose tags cannot be moved", () => {
  it.live.each<[number, string]>([[400, "TAG_INVALID"], [409, "TAG_IMMUTABLE"], [412, "PRECONDITION"]])(
    "(%s %s) is not bothered with what it has, and a moved tag is a final answer",
    ([status, code]) =>
      betweenRegistries(({ backup, clone, into, source }) =>
        Effect.gen(function*() {
          const moved = imageOf([layerOf("moved")])
          source.add("app", image, "1")
          backup.on(/PUT .*manifests\//, (seen, response, next) =>
            backup.manifest(into, seen.path.split("/").at(-1) ?? "") === undefined
              ? next()
              : refuse(response, status, code))
          yield* clone()
          assert.isTrue((yield* clone()).upToDate)
          source.add("app", moved, "1")
          const error = yield* Effect.flip(clone())
          assert.deepStrictEqual([error.reason, error.side, error.retryable], ["denied", "backup", false])
          assert.include(error.message, "does not let this tag be moved")
          // the old one stays, and the new one is safe under its own tag
          assert.isTrue(backup.manifest(into, "1")?.equals(image.root.bytes))
          assert.isDefined(backup.manifest(into, protection(moved.root.digest)))
        })
      )
  )
})
