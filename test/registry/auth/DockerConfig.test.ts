import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted, Result, Schema } from "effect"
import {
  authsOf,
  type Credential,
  flawsOf,
  helperOf,
  parseDockerConfig
} from "../../../src/registry/auth/DockerConfig.ts"

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

const flaws = (json: unknown) => parsed(json).flaws.map((it) => it.text)

describe("a file that is no config.json", () => {
  it.each<[string, string, RegExp]>([
    ["no JSON", "{", /nor any other/],
    ["an array", "[]", /not docker's JSON/],
    ["a text", "\"me:pw\"", /not docker's JSON/],
    ["auths that are a text", "{\"auths\":\"me:pw\"}", /auths is no object/],
    ["auths that are a list", "{\"auths\":[{}]}", /auths is no object/]
  ])("%s is an error, which tells nothing of it", (_, text, expected) => {
    assert.match(problem(text), expected)
    assert.notInclude(problem(text), "me:pw")
  })

  it.each([["nothing", ""], ["blanks", " \n"], ["null", "null"], ["only a byte order mark", "\ufeff"]])(
    "%s is no logins",
    (_, text) => assert.deepStrictEqual(Result.getOrThrow(parseDockerConfig(text)).auths, [])
  )
})

describe("members that are null, or empty", () => {
  const good = { "x.io": { auth: base64("me:pw") } }
  it.each<[string, object]>([
    ["credHelpers", { auths: good, credHelpers: null }],
    ["credsStore", { auths: good, credsStore: null }],
    ["an entry", { auths: { ...good, "y.io": null } }],
    ["an auth", { auths: { ...good, "y.io": { auth: null } } }],
    ["all that an entry has", {
      auths: { "x.io": { ...good["x.io"], username: null, password: null, identitytoken: null, registrytoken: null } }
    }],
    ["a helper", { auths: good, credHelpers: { "x.io": null } }],
    ["an empty list for a map", { auths: good, credHelpers: [] }],
    ["an empty store", { auths: good, credsStore: "" }],
    ["names in other letters", { Auths: { "x.io": { Auth: base64("me:pw") } } }]
  ])("%s: as good as missing", (_, json) => {
    const config = parsed(json)
    assert.deepStrictEqual(authsOf(config, "x.io", "a").map(told), ["me:pw"])
    assert.deepStrictEqual(authsOf(config, "y.io", "a"), [])
    assert.isTrue(Option.isNone(helperOf(config, "x.io", "a")))
    assert.deepStrictEqual(config.flaws, [])
  })

  it("auths: nobody is known", () => assert.deepStrictEqual(parsed({ auths: null }).auths, []))
})

describe("an entry that cannot be used", () => {
  it.each<[string, { readonly auths?: object; readonly [other: string]: unknown }, RegExp]>([
    ["an auth that is no base64 of a pair", { auths: { "x.io": { auth: "!!!" } } }, /x\.io.*base64/],
    ["an auth without a user", { auths: { "x.io": { auth: base64(":token") } } }, /x\.io.*base64/],
    ["an auth that is a number", { auths: { "x.io": { auth: 5 } } }, /x\.io.*its auth is no text/],
    ["an entry that is a text", { auths: { "x.io": "me:pw" } }, /x\.io.*no object/],
    ["a registrytoken with a line in it", { auths: { "x.io": { registrytoken: "a\r\nb" } } }, /x\.io.*registrytoken/],
    ["a helper that is a path", { credHelpers: { "x.io": "../../bin/sh" } }, /x\.io.*no name of a helper/],
    ["a helper that is an object", { credHelpers: { "x.io": {} } }, /x\.io.*no name of a helper/],
    ["a store that is a path", { credsStore: "a/b" }, /credsStore is no name/],
    ["helpers that are a text", { credHelpers: "ecr-login" }, /credHelpers is no object/]
  ])("%s is named where its host is asked for", (_, json, expected) => {
    const config = parsed({ ...json, auths: { "good.io": { auth: base64("me:pw") }, ...json.auths } })
    assert.match(flawsOf(config, "x.io", "a").join(), expected)
    assert.deepStrictEqual(authsOf(config, "good.io", "a").map(told), ["me:pw"])
  })

  it.each([
    "qual_registry:5000",
    "https://",
    "user@old.example",
    "my registry",
    "",
    "..",
    "x.io:port",
    "[*.io",
    "oci://x.io"
  ])("with the key %j, which names no host, is none of anybody's", (key) => {
    const config = parsed({ auths: { [key]: { auth: base64("a:b") }, "good.io": { auth: base64("me:pw") } } })
    assert.match(config.flaws.map((it) => it.text).join(), /^auths names no host with/)
    assert.deepStrictEqual(flawsOf(config, "good.io", "a"), [])
    assert.deepStrictEqual(authsOf(config, "good.io", "a").map(told), ["me:pw"])
  })

  it("of helpers for many hosts is none", () => {
    assert.match(flaws({ credHelpers: { "*.x.io": "helper" } }).join(), /cannot have wildcards/)
  })

  it("never tells a secret", () => {
    const text = flaws({
      auths: {
        "x.io": { auth: "c2VjcmV0" },
        "-": { auth: base64("me:hidden") },
        "y.io": { auth: 5, password: "hidden" },
        [`${"k".repeat(200)}_`]: {}
      }
    }).join()
    assert.include(text, "x.io")
    assert.include(text, "\"-\"")
    assert.notMatch(text, /secret|hidden|c2VjcmV0|k{101}/)
  })
})

describe("keys of repositories, as podman and kubelet write them", () => {
  const entry = (user: string) => ({ auth: base64(`${user}:pw`) })
  const config = parsed({
    auths: {
      "docker.io/library/nginx": entry("nginx"),
      "docker.io/library": entry("library"),
      "index.docker.io/v1/": entry("hub"),
      "https://x.io/v2/team": entry("kubelet"),
      "*.example.com/team/app": entry("wild-app"),
      "eu.example.com": entry("eu"),
      "*.example.com": entry("wild")
    }
  })
  it.each<[string, string, ReadonlyArray<string>]>([
    ["docker.io", "library/nginx", ["nginx", "library", "hub"]],
    ["docker.io", "library/redis", ["library", "hub"]],
    ["docker.io", "team/nginx", ["hub"]],
    ["x.io", "team/a", ["kubelet"]],
    ["x.io", "other", []],
    ["eu.example.com", "team/app", ["wild-app", "eu", "wild"]],
    ["us.example.com", "team/application", ["wild"]],
    ["a.eu.example.com", "team/app", []]
  ])("%s/%s: %s", (registry, repository, expected) => {
    assert.deepStrictEqual(
      authsOf(config, registry, repository).map((it) => it._tag === "Basic" ? it.username : it._tag),
      expected
    )
  })

  it("say where each login is from", () => {
    const [found] = authsOf(
      Result.getOrThrow(parseDockerConfig(JSON.stringify({ auths: { "x.io/a": entry("me") } }), "/c/config.json")),
      "x.io",
      "a"
    )
    assert.strictEqual(found?.origin, "auths of \"x.io/a\" in /c/config.json")
  })
})

/** Anything that JSON can say, a little deep. */
const anyJson = Schema.Union([
  Schema.Null,
  Schema.Boolean,
  Schema.Finite,
  Schema.String,
  Schema.Array(Schema.NullOr(Schema.String)),
  Schema.Record(Schema.String, Schema.NullOr(Schema.String))
])
const someEntry = Schema.Union([
  anyJson,
  Schema.Struct({ auth: anyJson }),
  Schema.Struct({ username: anyJson, password: anyJson, identitytoken: anyJson, registrytoken: anyJson })
])

describe("whatever else a file says", () => {
  it.effect.prop(
    "the good entry of a host is found, and what is left out is named",
    [Schema.Record(Schema.String, someEntry), Schema.Record(Schema.String, anyJson), anyJson],
    ([entries, helpers, other]) =>
      Effect.sync(() => {
        // neither of these hosts can be meant by chance
        const config = parsed({
          ...Object.fromEntries([["HttpHeaders", other]]),
          auths: { ...entries, "good.example/team": { auth: base64("me:pw") } },
          credHelpers: { ...helpers, "helped.example": "helper" }
        })
        assert.deepStrictEqual(authsOf(config, "good.example", "team/app").map(told)[0], "me:pw")
        assert.strictEqual(Option.getOrUndefined(helperOf(config, "helped.example", "a"))?.helper, "helper")
        const used = config.auths.length + config.helpers.length + config.flaws.length
        assert.isAtMost(used, Object.keys(entries).length + Object.keys(helpers).length + 2)
      })
  )

  it.effect.prop("any text is read or refused, and nothing is thrown", [Schema.String], ([text]) =>
    Effect.sync(() => {
      for (const one of [text, `\ufeff${text}`, `{"auths":${text}}`, `{"auths":{"x.io":${text}}}`]) {
        const result = parseDockerConfig(one)
        if (Result.isFailure(result)) assert.notInclude(result.failure, text.length > 8 ? text : "\0")
      }
    }))
})
