import { assert, describe, it } from "@effect/vitest"
import { Option, Redacted, Result } from "effect"
import { authsOf, type Credential, helperOf, parseDockerConfig } from "../../../src/registry/auth/DockerConfig.ts"

const base64 = (text: string) => Buffer.from(text).toString("base64")
const parsed = (json: unknown) => Result.getOrThrow(parseDockerConfig(JSON.stringify(json)))
const problem = (text: string) => Option.getOrThrow(Result.getFailure(parseDockerConfig(text)))

const told = (it: Credential): string =>
  it._tag === "Basic" ? `${it.username}:${Redacted.value(it.password)}` : `${it._tag} ${Redacted.value(it.token)}`

describe("auths", () => {
  const config = parsed({
    auths: {
      "https://index.docker.io/v1/": { auth: base64("hub:p:w\0\0") },
      "https://gcr.io": { username: "u", password: "p" },
      "quay.io": { auth: base64("all:1") },
      "quay.io/team": { auth: base64("team:2") },
      "quay.io/team/deep": { auth: base64("deep:3") },
      "Registry.Example:5000": { identitytoken: "refresh", auth: base64("x:y") },
      "token.example": { registrytoken: "bearer" },
      "elsewhere.example": {}
    },
    HttpHeaders: { "User-Agent": "docker" }
  })
  it.each<[string, string, ReadonlyArray<string>]>([
    ["docker.io", "library/nginx", ["hub:p:w"]],
    ["gcr.io", "a/b", ["u:p"]],
    ["quay.io", "other/x", ["all:1"]],
    ["quay.io", "team", ["team:2", "all:1"]],
    ["quay.io", "team/x", ["team:2", "all:1"]],
    ["quay.io", "team/deep/x", ["deep:3", "team:2", "all:1"]],
    // a prefix of the text is not a path above it
    ["quay.io", "teams/x", ["all:1"]],
    ["registry.example:5000", "a", ["IdentityToken refresh"]],
    ["registry.example", "a", []],
    ["token.example", "a", ["RegistryToken bearer"]],
    ["elsewhere.example", "a", []],
    ["evil.example", "quay.io/team/x", []]
  ])("%s/%s is spoken for by %s", (registry, repository, expected) => {
    assert.deepStrictEqual(authsOf(config, registry, repository).map(told), expected)
  })

  it("tells credentials apart by a fingerprint that does not give them away", () => {
    const of = (password: string) => {
      const [found] = authsOf(parsed({ auths: { "x.io": { auth: base64(`u:${password}`) } } }), "x.io", "a")
      return found ?? assert.fail("no entry")
    }
    assert.strictEqual(of("secret").fingerprint, of("secret").fingerprint)
    assert.notStrictEqual(of("secret").fingerprint, of("other").fingerprint)
    assert.notInclude(JSON.stringify(of("secret")), "secret")
    assert.notInclude(String(of("secret")), "secret")
  })

  it("keeps the login beside an identity token, unless it is only the token's name", () => {
    const loginOf = (entry: object) => {
      const [found] = authsOf(parsed({ auths: { "x.io": entry } }), "x.io", "a")
      return found?._tag === "IdentityToken" ? found.login?.username : "no identity token"
    }
    assert.strictEqual(loginOf({ identitytoken: "t", auth: base64("me:pw") }), "me")
    assert.strictEqual(loginOf({ identitytoken: "t", username: "me", password: "pw" }), "me")
    assert.isUndefined(loginOf({ identitytoken: "t", auth: base64("00000000-0000:") }))
    assert.isUndefined(loginOf({ identitytoken: "t", auth: base64("<token>:x") }))
    assert.isUndefined(loginOf({ identitytoken: "t" }))
  })
})

describe("helpers", () => {
  it("are known by host, under the name the file gives the server", () => {
    const config = parsed({
      credHelpers: { "https://index.docker.io/v1/": "hub", "123.dkr.ecr.eu-west-1.amazonaws.com": "ecr-login" },
      credsStore: "desktop"
    })
    assert.deepStrictEqual(Option.getOrUndefined(helperOf(config, "docker.io", "a/b")), {
      helper: "hub",
      serverUrl: "https://index.docker.io/v1/"
    })
    assert.isTrue(Option.isNone(helperOf(config, "quay.io", "a/b")))
    assert.deepStrictEqual(config.store, Option.some("desktop"))
  })
})

describe("a broken file", () => {
  it.each<[string, string, RegExp]>([
    ["no JSON", "{", /not docker's JSON/],
    ["another shape", "[]", /not docker's JSON/],
    ["an auth that is no base64 of a pair", JSON.stringify({ auths: { "x.io": { auth: "!!!" } } }), /x\.io.*base64/],
    [
      "a registrytoken with a line in it",
      JSON.stringify({ auths: { "x.io": { registrytoken: "a\r\nb" } } }),
      /x\.io.*registrytoken/
    ],
    ["a helper for many hosts", JSON.stringify({ credHelpers: { "*.x.io": "helper" } }), /cannot have wildcards/],
    ["no host", JSON.stringify({ auths: { "..": { auth: base64("a:b") } } }), /names no host/],
    [
      "a helper that is a path",
      JSON.stringify({ credHelpers: { "x.io": "../../bin/sh" }, credsStore: "a b" }),
      /no name of a helper.*credsStore/
    ]
  ])("with %s is named", (_, text, expected) => {
    assert.match(problem(text), expected)
  })

  it("names all that is wrong, and never a secret", () => {
    const text = problem(
      JSON.stringify({ auths: { "x.io": { auth: "c2VjcmV0" }, "-": { auth: base64("me:hidden") } } })
    )
    assert.include(text, "x.io")
    assert.include(text, "\"-\"")
    assert.notMatch(text, /secret|hidden|c2VjcmV0/)
    assert.notInclude(problem(`{"auths": {"x.io": {"auth": 5, "password": "hidden"}}}`), "hidden")
  })
})
