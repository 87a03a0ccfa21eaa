import { assert, describe, it } from "@effect/vitest"
import { targetOf } from "../../src/image/Repository.ts"

describe("targetOf", () => {
  it.each([
    ["1.27", "ghcr.io/a/b:1.27"],
    [`sha256:${"a".repeat(64)}`, `ghcr.io/a/b@sha256:${"a".repeat(64)}`],
    ["sha256-abc.sig", "ghcr.io/a/b:sha256-abc.sig"]
  ])("names %j as people write it", (reference, expected) => {
    assert.strictEqual(targetOf({ registry: "ghcr.io", repository: "a/b" }, reference), expected)
  })
})
