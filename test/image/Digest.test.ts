import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { algorithmOf, digestOf, hexOf, isAnother, isDigest } from "../../src/image/Digest.ts"

const hex64 = "0123456789abcdef".repeat(4)

describe("Digest", () => {
  it("takes the registered algorithms at their exact lengths", () => {
    assert.isTrue(isDigest(`sha256:${hex64}`))
    assert.isTrue(isDigest(`sha384:${hex64}${hex64.slice(32)}`))
    assert.isTrue(isDigest(`sha512:${hex64}${hex64}`))
  })

  it.each([
    "",
    "sha256",
    "sha256:",
    `sha256:${hex64.toUpperCase()}`,
    `sha256:${hex64}0`,
    `sha256:${hex64.slice(1)}`,
    `sha384:${hex64}`,
    `sha512:${hex64}`,
    `md5:${hex64.slice(32)}`,
    `SHA256:${hex64}`,
    `sha256:${hex64}\n`,
    ` sha256:${hex64}`,
    `sha256+b64:${hex64}`,
    `sha256:../${hex64.slice(3)}`
  ])("refuses %j", (text) => {
    assert.isFalse(isDigest(text))
  })

  it.prop("splits into what it was made of", [Schema.String.check(Schema.isPattern(/^[a-f0-9]{64}$/))], ([hex]) => {
    const text = `sha256:${hex}`
    if (!isDigest(text)) return assert.fail(text)
    assert.strictEqual(`${algorithmOf(text)}:${hexOf(text)}`, text)
  })
})

describe("isAnother", () => {
  const [one, other] = [digestOf(Buffer.from("a")), digestOf(Buffer.from("b"))]
  it.each<[string, string | undefined, boolean]>([
    ["the same", one, false],
    ["another", other, true],
    ["one by another algorithm", digestOf(Buffer.from("b"), "sha512"), false],
    ["none", undefined, false],
    ["nonsense", "sha256:x", false]
  ])("judges %s", (_, told, expected) => {
    assert.strictEqual(isAnother(told, one), expected)
  })
})
