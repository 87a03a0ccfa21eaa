// In which form blobs are sent to whom: as the clouds are known to take them, and as others have taught.
import { assert, describe, it } from "@effect/vitest"
import { makeUploadSizes } from "../../../src/registry/api/UploadSizes.ts"
import { layerOf } from "../../support/TestImages.ts"

const { digest } = layerOf("a")
const ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
const mebibyte = 1024 * 1024

describe("a blob", () => {
  it.each<[string, number, boolean]>([
    ["registry.example", 10_000 * mebibyte, false],
    [ecr, 10_000 * mebibyte, false],
    ["europe-west3-docker.pkg.dev", 10_000 * mebibyte, false],
    ["example.azurecr.io", 20_000_000, false],
    ["example.azurecr.io", 20_000_001, true]
  ])("for %s of %s bytes is sent in chunks: %s", (registry, size, expected) => {
    assert.strictEqual(makeUploadSizes().needsChunks(registry, digest, size), expected)
  })

  it("that ECR has cut off twice is sent in parts that ECR takes", () => {
    const sizes = makeUploadSizes()
    sizes.cutOff(digest)
    sizes.cutOff(digest)
    assert.isTrue(sizes.needsChunks(ecr, digest, 11 * mebibyte))
    assert.isFalse(sizes.needsChunks(ecr, digest, 10 * mebibyte))
    assert.strictEqual(sizes.chunkLength(ecr), 10 * mebibyte)
    assert.strictEqual(sizes.chunkLength("registry.example"), 4 * mebibyte)
  })

  it("for Artifact Registry is never sent in chunks, whatever went wrong", () => {
    const sizes = makeUploadSizes()
    sizes.cutOff(digest)
    sizes.cutOff(digest)
    assert.isFalse(sizes.refusedWhole("europe-west3-docker.pkg.dev", 100 * mebibyte))
    assert.isFalse(sizes.needsChunks("europe-west3-docker.pkg.dev", digest, 100 * mebibyte))
  })

  it("that was too large is sent in chunks from then on, and all that are as large", () => {
    const sizes = makeUploadSizes()
    assert.isTrue(sizes.refusedWhole("registry.example", 8 * mebibyte))
    assert.isTrue(sizes.needsChunks("registry.example", digest, 8 * mebibyte))
    assert.isFalse(sizes.needsChunks("registry.example", digest, 7 * mebibyte))
  })
})
