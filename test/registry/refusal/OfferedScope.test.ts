import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { parseChallenges } from "../../../src/registry/auth/Challenge.ts"
import { otherScope, scopesIn } from "../../../src/registry/refusal/OfferedScope.ts"

const offered = (scope: string, ...asked: ReadonlyArray<string>) =>
  otherScope(parseChallenges(`Bearer realm="https://auth.test/",scope="${scope}"`), asked)

describe("the scope that a challenge offers", () => {
  it.each([
    // ours, or less than that: nothing that would do more
    ["repository:app:pull", "repository:app:pull", false],
    ["repository:app:pull", "repository:app:pull,push", false],
    ["repository:app:push,pull", "repository:app:pull,push", false],
    ["", "repository:app:pull", false],
    ["repository:app:pull,push", "repository:app:pull", true],
    ["repository:local/app:pull", "repository:app:pull", true],
    ["repository:app:*", "repository:app:pull", true],
    ["repository:host:5000/app:pull", "repository:app:pull", true],
    ["registry:catalog:*", "repository:app:pull", true],
    ["repository:app:pull group:team", "repository:app:pull", true],
    ["nonsense", "repository:app:pull", true]
  ])("%j, beside %s: another is %s", (text, asked, expected) => {
    assert.strictEqual(offered(text, asked), expected ? text : undefined)
  })

  it("is covered by all that is asked together", () => {
    const asked = ["repository:app:pull,push", "repository:from:pull"]
    assert.isUndefined(offered("repository:from:pull repository:app:pull", ...asked))
    assert.isDefined(offered("repository:from:push", ...asked))
  })

  it("is none where there is no Bearer challenge, or it has none", () => {
    assert.isUndefined(otherScope(parseChallenges("Basic realm=\"x\", scope=\"a:b:c\""), ["repository:app:pull"]))
    assert.isUndefined(otherScope(parseChallenges("Bearer realm=\"https://auth.test/\""), ["repository:app:pull"]))
    assert.isUndefined(offered("x".repeat(2049), "repository:app:pull"))
  })

  it.effect.prop(
    "is never another than what it is made of",
    [Schema.Array(Schema.String.check(Schema.isPattern(/^[a-z]{1,9}:[a-z/:0-9]{1,20}:[a-z,*]{1,9}$/)))],
    ([scopes]) => Effect.sync(() => assert.isUndefined(offered(scopes.join("  "), ...scopes)))
  )

  it("comes in parts, however many blanks there are between", () => {
    assert.deepStrictEqual(scopesIn(" a:b:c  d:e:f "), ["a:b:c", "d:e:f"])
  })
})
