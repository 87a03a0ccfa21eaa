// In which form blobs are sent to whom: as the clouds are known to take them, and as others have taught.
import { assert, describe, it } from "@effect/vitest"
import { cloudIn, cloudOptionsOf } from "../../../src/registry/identity/CloudOptions.ts"
import { settingsOf } from "../../../src/settings/Settings.ts"
import { makeUploadSizes } from "../../../src/registry/api/UploadSizes.ts"
import { layerOf } from "../../support/TestImages.ts"

const { digest } = layerOf("a")
const ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
const mebibyte = 1024 * 1024

/** With an own domain of each cloud, and none of them asked for a login. */
const options = cloudOptionsOf(settingsOf("a.b/c", {
  CLOUD_IDENTITIES: [],
  ECR_DOMAINS: ["ecr.example:5000=eu-west-1"],
  CLOUD_DOMAINS: ["acr.example=example.azurecr.io", "gar.example=europe-docker.pkg.dev", `aws.example=${ecr}`]
}))
const sizesOf = () => makeUploadSizes((registry) => cloudIn(options, registry))

describe("a blob", () => {
  it.each<[string, number, boolean]>([
    ["registry.example", 10_000 * mebibyte, false],
    [ecr, 10_000 * mebibyte, false],
    ["europe-west3-docker.pkg.dev", 10_000 * mebibyte, false],
    ["example.azurecr.io", 20_000_000, false],
    ["example.azurecr.io", 20_000_001, true],
    ["acr.example", 20_000_001, true],
    ["other.example", 20_000_001, false]
  ])("for %s of %s bytes is sent in chunks: %s", (registry, size, expected) => {
    assert.strictEqual(sizesOf().needsChunks(registry, digest, size), expected)
  })

  it("that ECR has cut off twice is sent in parts that ECR takes", () => {
    const sizes = sizesOf()
    sizes.cutOff(digest)
    sizes.cutOff(digest)
    assert.isTrue(sizes.needsChunks(ecr, digest, 11 * mebibyte))
    assert.isFalse(sizes.needsChunks(ecr, digest, 10 * mebibyte))
    assert.strictEqual(sizes.chunkLength(ecr), 10 * mebibyte)
    assert.strictEqual(sizes.chunkLength("registry.example"), 4 * mebibyte)
  })

  it.each(["europe-west3-docker.pkg.dev", "gar.example"])(
    "for Artifact Registry at %s is never sent in chunks, whatever went wrong",
    (registry) => {
      const sizes = sizesOf()
      sizes.cutOff(digest)
      sizes.cutOff(digest)
      assert.isFalse(sizes.refusedWhole(registry, 100 * mebibyte))
      assert.isFalse(sizes.needsChunks(registry, digest, 100 * mebibyte))
    }
  )

  it.each([ecr, "ecr.example:5000", "aws.example", "public.ecr.aws"])(
    "for ECR at %s goes in parts of 10 MiB, and of 5 MiB at least",
    (registry) => {
      const sizes = sizesOf()
      assert.strictEqual(sizes.chunkLength(registry), 10 * mebibyte)
      assert.strictEqual(sizes.refusedChunk(registry, 10 * mebibyte, 0), 5 * mebibyte)
      assert.strictEqual(sizes.chunkLength(registry), 5 * mebibyte)
      assert.isUndefined(sizes.refusedChunk(registry, 5 * mebibyte, 0))
      // the last part may be smaller, and helps nothing
      assert.isFalse(sizes.refusedWhole(registry, 5 * mebibyte))
      assert.isTrue(sizes.refusedWhole(registry, 6 * mebibyte))
      assert.strictEqual(sizes.chunkLength(registry), 5 * mebibyte)
    }
  )

  it("that was too large is sent in chunks from then on, and all that are as large", () => {
    const sizes = sizesOf()
    assert.isTrue(sizes.refusedWhole("registry.example", 8 * mebibyte))
    assert.isTrue(sizes.needsChunks("registry.example", digest, 8 * mebibyte))
    assert.isFalse(sizes.needsChunks("registry.example", digest, 7 * mebibyte))
  })
})
