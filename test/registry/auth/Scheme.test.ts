import { assert, describe, it } from "@effect/vitest"
import { parseChallenges } from "../../../src/registry/auth/Challenge.ts"
import { makeSchemes, schemeOf } from "../../../src/registry/auth/Scheme.ts"

const at = new URL("https://registry.test")
const told = (header: string) => {
  const scheme = schemeOf(parseChallenges(header), at)
  return scheme?._tag === "Bearer" ? [scheme.realm.href, scheme.service] : scheme?._tag
}

describe("what a registry asks for", () => {
  it.each([
    ["Bearer realm=\"https://auth.test/token\",service=\"s\"", ["https://auth.test/token", "s"]],
    ["Basic realm=\"r\", Bearer realm=\"https://auth.test/\"", ["https://auth.test/", undefined]],
    ["Basic realm=\"r\"", "Basic"],
    // a login in the realm would be sent along, and a path is one of the registry's own
    ["Bearer realm=\"https://me:secret@auth.test/\"", ["https://auth.test/", undefined]],
    ["Bearer realm=\"/token\"", ["https://registry.test/token", undefined]],
    ["Bearer realm=\"file:///etc/passwd\"", undefined],
    ["Bearer service=\"s\"", undefined],
    [`Bearer realm="https://auth.test/${"x".repeat(2048)}"`, undefined],
    [`Bearer realm="https://auth.test/",service="${"x".repeat(2049)}"`, ["https://auth.test/", undefined]],
    ["Negotiate", undefined],
    ["", undefined]
  ])("by %j is %j", (header, expected) => {
    assert.deepStrictEqual(told(header), expected)
  })

  it("is learnt anew with every challenge, but for a Basic after a Bearer", () => {
    const schemes = makeSchemes()
    const learn = (header: string) => schemes.learn(at, parseChallenges(header))
    assert.isFalse(learn("Negotiate"))
    assert.isUndefined(schemes.of(at))
    assert.isTrue(learn("Basic realm=\"r\""))
    assert.isTrue(learn("Bearer realm=\"https://auth.test/\""))
    assert.isFalse(learn("Basic realm=\"r\""))
    assert.strictEqual(schemes.of(at)?._tag, "Bearer")
  })
})
