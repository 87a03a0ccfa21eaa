import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { parseHostPattern } from "../../../src/registry/auth/HostPattern.ts"

const matches = (pattern: string, registry: string) => Option.getOrThrow(parseHostPattern(pattern)).matches(registry)

describe("a host pattern", () => {
  // the examples of Kubernetes' "Interpretation of config.json", and what they leave open
  it.each<[string, string, boolean]>([
    ["*.kubernetes.io", "abc.kubernetes.io", true],
    ["*.kubernetes.io", "kubernetes.io", false],
    ["*.kubernetes.io", "a.b.kubernetes.io", false],
    ["*.*.kubernetes.io", "abc.def.kubernetes.io", true],
    ["prefix.*.io", "prefix.kubernetes.io", true],
    ["*-good.kubernetes.io", "prefix-good.kubernetes.io", true],
    ["*-good.kubernetes.io", "prefix-bad.kubernetes.io", false],
    ["?.example.com", "a.example.com", true],
    ["?.example.com", "ab.example.com", false],
    ["r[0-9].example.com", "r7.example.com", true],
    ["r[0-9].example.com", "rx.example.com", false],
    ["r[^0-9].example.com", "rx.example.com", true],
    ["*.example.com", "a.example.com:5000", false],
    ["*.example.com:5000", "a.example.com:5000", true],
    ["*.example.com:5000", "a.example.com:5001", false],
    ["*.example.com:443", "a.example.com", true],
    ["*.EXAMPLE.com", "a.example.com", true],
    // a dot is a dot
    ["*.example.com", "aXexample.com", false],
    ["*.example.com", "a.exampleXcom", false],
    ["*", "localhost", true],
    ["*", "example.com", false],
    ["*", "[::1]", false],
    ["[::1]:5000", "[::1]:5000", true],
    ["Registry.Example:443", "registry.example", true],
    ["index.docker.io", "docker.io", true]
  ])("%s and %s: %s", (pattern, registry, expected) => {
    assert.strictEqual(matches(pattern, registry), expected)
  })

  it.each(["", "..", "*.", ".*", "a..b*", "*.x:99999999", "[a.io", "*/x", "* .io", "[z-a].io", "*.io:x"])(
    "is not %j",
    (text) => {
      assert.isTrue(Option.isNone(parseHostPattern(text)))
    }
  )

  const label = Schema.String.check(Schema.isPattern(/^[a-z0-9]{1,8}$/))
  it.prop("matches what it is made of, label by label", [
    Schema.Array(label).check(Schema.isBetweenLength(2, 5)),
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 })),
    label
  ], ([labels, at, other]) => {
    const index = at % labels.length
    const pattern = labels.map((it, place) => place === index ? "*" : it).join(".")
    assert.isTrue(matches(pattern, labels.join(".")))
    assert.isTrue(matches(pattern, labels.map((it, place) => place === index ? other : it).join(".")))
    assert.isFalse(matches(pattern, [other, ...labels].join(".")))
    assert.isFalse(matches(pattern, labels.slice(1).join(".")))
  }, { arbitrary: { runs: 200 } })

  it.prop("ends on any text", [Schema.String, Schema.String], ([pattern, registry]) => {
    Option.map(parseHostPattern(pattern), (it) => it.matches(registry))
    Option.map(parseHostPattern(`*${pattern}`), (it) => it.matches(registry))
  }, { arbitrary: { runs: 500 } })
})
