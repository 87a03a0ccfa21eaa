import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { parseChallenges } from "../../../src/registry/auth/Challenge.ts"

const plain = (header: string | ReadonlyArray<string> | undefined) =>
  parseChallenges(header).map((it) => [it.scheme, Object.fromEntries(it.parameters)] as const)

describe("parseChallenges", () => {
  it.each<[string, string | ReadonlyArray<string> | undefined, ReturnType<typeof plain>]>([
    ["nothing", undefined, []],
    ["Harbor's empty header", "", []],
    [
      "Docker Hub's",
      "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull\"",
      [["bearer", {
        realm: "https://auth.docker.io/token",
        service: "registry.docker.io",
        scope: "repository:a/b:pull"
      }]]
    ],
    ["a comma within quotes", "Bearer scope=\"repository:a:pull,push\",realm=\"x\"", [
      ["bearer", { scope: "repository:a:pull,push", realm: "x" }]
    ]],
    ["escaped quotes", "Basic realm=\"a \\\"b\\\" c\"", [["basic", { realm: "a \"b\" c" }]]],
    ["any case of names", "BEARER Realm=\"x\", SERVICE=\"y\"", [["bearer", { realm: "x", service: "y" }]]],
    ["unquoted values", "Bearer realm=https://x.io/token?a=b,service=y", [
      ["bearer", { realm: "https://x.io/token?a=b", service: "y" }]
    ]],
    ["blanks around the equals sign", "Bearer realm = \"x\" , service= \"y\"", [
      ["bearer", { realm: "x", service: "y" }]
    ]],
    ["several challenges in one header", "Basic realm=\"a\", Bearer realm=\"b\", Negotiate", [
      ["basic", { realm: "a" }],
      ["bearer", { realm: "b" }],
      ["negotiate", {}]
    ]],
    ["several headers", ["Basic realm=\"a\"", "Bearer realm=\"b\""], [
      ["basic", { realm: "a" }],
      ["bearer", { realm: "b" }]
    ]],
    ["the first of doubled parameters", "Bearer realm=\"a\",realm=\"b\"", [["bearer", { realm: "a" }]]],
    ["a quote that never ends", "Bearer realm=\"abc", [["bearer", { realm: "abc" }]]],
    ["nonsense", "=,\"\"; ###", []]
  ])("reads %s", (_, header, expected) => {
    const found = plain(header)
    // what is no challenge may leave words behind, but never a Bearer or a Basic
    assert.deepStrictEqual(
      expected.length === 0 ? found.filter(([scheme]) => scheme === "bearer" || scheme === "basic") : found,
      expected
    )
  })

  const value = Schema.String.check(Schema.isPattern(/^[ -~]{0,30}$/))
  it.prop("gives back whatever was quoted", [value, value], ([realm, service]) => {
    const quote = (text: string) => `"${text.replaceAll(/["\\]/g, "\\$&")}"`
    assert.deepStrictEqual(plain(`Bearer realm=${quote(realm)}, service=${quote(service)}`), [
      ["bearer", { realm, service }]
    ])
  }, { arbitrary: { runs: 500 } })

  it.prop("ends on any text", [Schema.String], ([text]) => {
    assert.isArray(parseChallenges(text))
  }, { arbitrary: { runs: 500 } })
})
