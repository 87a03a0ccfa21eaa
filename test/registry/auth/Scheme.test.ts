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

  const basic = "Basic realm=\"r\""
  const one = "Bearer realm=\"https://auth.test/\""
  const other = "Bearer realm=\"https://other.test/\""
  const learning = () => {
    const schemes = makeSchemes()
    return {
      learn: (repository: string, header: string) => schemes.learn(at, repository, parseChallenges(header)),
      forget: (repository: string) => schemes.forget(at, repository),
      of: (repository: string) => {
        const known = schemes.of(at, repository)
        if (known === undefined) return undefined
        const { own, scheme } = known
        return `${own ? "own" : "a neighbour's"} ${scheme._tag === "Bearer" ? scheme.realm.host : scheme._tag}`
      }
    }
  }

  it("is learnt anew with every challenge, but for a Basic after a Bearer", () => {
    const { learn, of } = learning()
    assert.isFalse(learn("a", "Negotiate"))
    assert.isUndefined(of("a"))
    assert.isTrue(learn("a", basic))
    assert.isTrue(learn("a", one))
    assert.isFalse(learn("a", basic))
    assert.strictEqual(of("a"), "own auth.test")
  })

  it("is a neighbour's until a repository has said what it wants, and then its own", () => {
    const { learn, of } = learning()
    learn("a", one)
    assert.strictEqual(of("b"), "a neighbour's auth.test")
    learn("b", one)
    assert.strictEqual(of("b"), "own auth.test")
    assert.strictEqual(of("c"), "a neighbour's auth.test")
    learn("c", other)
    assert.deepStrictEqual([of("a"), of("b"), of("c")], ["own auth.test", "own auth.test", "own other.test"])
    // nobody speaks for the others any more
    assert.isUndefined(of("d"))
    learn("a", other)
    assert.deepStrictEqual([of("a"), of("b")], ["own other.test", "own auth.test"])
  })

  it("is forgotten with a server that is gone, by those too who were only thought to have the same", () => {
    const { forget, learn, of } = learning()
    learn("a", one)
    learn("b", one)
    forget("b")
    assert.deepStrictEqual([of("a"), of("b"), of("c")], [undefined, undefined, undefined])
    learn("b", basic)
    assert.deepStrictEqual([of("b"), of("c")], ["own Basic", "a neighbour's Basic"])
  })

  it("is forgotten by one alone where repositories differ, and they go on differing", () => {
    const { forget, learn, of } = learning()
    learn("a", one)
    learn("b", other)
    forget("b")
    assert.deepStrictEqual([of("a"), of("b"), of("c")], ["own auth.test", undefined, undefined])
    learn("b", other)
    forget("a")
    assert.deepStrictEqual([of("a"), of("b")], [undefined, "own other.test"])
    learn("a", other)
    assert.deepStrictEqual([of("a"), of("c")], ["own other.test", undefined])
    // of whom nothing is known nothing is forgotten
    forget("d")
    assert.strictEqual(of("a"), "own other.test")
  })

  it("moves with the whole host where nobody differs", () => {
    const { learn, of } = learning()
    learn("a", one)
    learn("a", other)
    assert.strictEqual(of("b"), "a neighbour's other.test")
  })

  it("of Basic beside Bearer is that repository's alone: it may be Harbor, which has one realm", () => {
    const { learn, of } = learning()
    learn("a", one)
    assert.isTrue(learn("b", basic))
    assert.deepStrictEqual([of("a"), of("b"), of("c")], ["own auth.test", "own Basic", "a neighbour's auth.test"])
    learn("b", one)
    assert.isFalse(learn("b", basic))
    assert.strictEqual(of("b"), "own auth.test")
  })

  it("moves for one repository that names another token server than before, and may go back", () => {
    const schemes = makeSchemes()
    const challenge = (header: string) => parseChallenges(header)
    const realmOf = (repository: string) => {
      const scheme = schemes.of(at, repository)?.scheme
      return scheme?._tag === "Bearer" ? scheme.realm.host : scheme?._tag
    }
    assert.isFalse(schemes.moves(at, "a", challenge(one)))
    schemes.learn(at, "a", challenge(one))
    assert.isFalse(schemes.moves(at, "a", challenge(one)))
    assert.isFalse(schemes.moves(at, "a", challenge(basic)))
    // a neighbour's may be anything
    assert.isFalse(schemes.moves(at, "b", challenge(other)))
    assert.isTrue(schemes.moves(at, "a", challenge(other)))
    schemes.move(at, "a", challenge(other))
    assert.deepStrictEqual([realmOf("a"), realmOf("b")], ["other.test", "auth.test"])
    schemes.stay(at, "a")
    assert.strictEqual(realmOf("a"), "auth.test")
  })
})
