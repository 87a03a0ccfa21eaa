// Logging in at the embedded registry: Basic, Bearer with its token server, private repositories, TLS.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { Login } from "../../../sandbox/registry/Access.ts"
import * as EmbeddedRegistry from "../../../sandbox/registry/EmbeddedRegistry.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import { basic, send } from "../Http.ts"

const login: Login = {
  users: [
    { name: "owner", password: Redacted.make("secret") },
    { name: "team", password: Redacted.make("word"), repositories: ["team"] }
  ],
  private: ["hidden"]
}
const images = Effect.fnUntraced(function*(registry: EmbeddedRegistry.EmbeddedRegistry) {
  yield* registry.load("library/app", SampleImage.image("app"), "1")
  yield* registry.load("hidden/app", SampleImage.image("hidden"), "1")
})

describe("Basic", () => {
  it.live("lets anyone pull what is public, users pull what is private, and users push", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make({ auth: { _tag: "Basic", ...login } })
      yield* images(registry)
      const status = (path: string, method: string, authorization?: string) =>
        Effect.map(
          send(`${registry.url}/v2/${path}`, { method, headers: authorization === undefined ? {} : { authorization } }),
          (it) => it.status
        )
      const owner = basic("owner", "secret")
      assert.strictEqual(yield* status("library/app/manifests/1", "GET"), 200)
      assert.strictEqual(yield* status("hidden/app/manifests/1", "GET"), 401)
      assert.strictEqual(yield* status("hidden/none/manifests/1", "GET"), 401)
      assert.strictEqual(yield* status("hidden/app/manifests/1", "GET", owner), 200)
      assert.strictEqual(yield* status("hidden/app/manifests/1", "GET", basic("team", "word")), 401)
      assert.strictEqual(yield* status("library/app/manifests/1", "GET", basic("owner", "wrong")), 401)
      assert.strictEqual(yield* status("x/blobs/uploads/", "POST"), 401)
      assert.strictEqual(yield* status("x/blobs/uploads/", "POST", owner), 202)
      assert.strictEqual(yield* status("team/x/blobs/uploads/", "POST", basic("team", "word")), 202)
    }))

  it.live("names the scheme, and asks everybody where nobody is let in", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make({ auth: { _tag: "Basic", ...login, anonymousPull: false } })
      const ping = yield* send(`${registry.url}/v2/`)
      assert.strictEqual(ping.status, 401)
      assert.match(ping.headers.get("www-authenticate") ?? "", /^Basic realm=/)
      const logged = yield* send(`${registry.url}/v2/`, { headers: { authorization: basic("owner", "secret") } })
      assert.strictEqual(logged.status, 200)
      assert.deepStrictEqual(registry.log.entries().map((it) => it.credential), ["none", "basic"])
    }))
})

describe("Bearer", () => {
  const tokenFor = Effect.fnUntraced(function*(url: string, scope: string, authorization?: string) {
    const answer = yield* send(`${url}/token?service=sandbox&scope=${scope}`, {
      headers: authorization === undefined ? {} : { authorization }
    })
    return { status: answer.status, token: answer.status === 200 ? `Bearer ${answer.json().token}` : "" }
  })

  it.live("challenges with realm, service and scope, and accepts the token it issues", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make({ auth: { _tag: "Bearer", ...login } })
      yield* images(registry)
      const url = `${registry.url}/v2/library/app/manifests/1`
      const refused = yield* send(url)
      assert.strictEqual(refused.status, 401)
      assert.strictEqual(
        refused.headers.get("www-authenticate"),
        `Bearer realm="${registry.url}/token",service="sandbox",scope="repository:library/app:pull"`
      )
      const { token } = yield* tokenFor(registry.url, "repository:library/app:pull")
      assert.strictEqual((yield* send(url, { headers: { authorization: token } })).status, 200)
      yield* registry.revokeTokens
      assert.strictEqual((yield* send(url, { headers: { authorization: token } })).status, 401)
    }))

  it.live("grants only what the user has: nothing private to nobody, no push without a user", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make({ auth: { _tag: "Bearer", ...login } })
      yield* images(registry)
      const owner = basic("owner", "secret")
      const pull = Effect.fnUntraced(function*(name: string, authorization?: string) {
        const { token } = yield* tokenFor(registry.url, `repository:${name}:pull,push`, authorization)
        return (yield* send(`${registry.url}/v2/${name}/manifests/1`, { headers: { authorization: token } })).status
      })
      assert.strictEqual(yield* pull("hidden/app"), 401)
      assert.strictEqual(yield* pull("hidden/app", owner), 200)
      assert.strictEqual((yield* tokenFor(registry.url, "", basic("owner", "wrong"))).status, 401)
      const push = Effect.fnUntraced(function*(authorization?: string) {
        const { token } = yield* tokenFor(registry.url, "repository:x:pull,push", authorization)
        const url = `${registry.url}/v2/x/blobs/uploads/`
        return (yield* send(url, { method: "POST", headers: { authorization: token } })).status
      })
      assert.strictEqual(yield* push(), 401)
      assert.strictEqual(yield* push(owner), 202)
    }))

  it.live("mounts only from what the token may read", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make({ auth: { _tag: "Bearer", ...login } })
      const digest = yield* registry.loadBlob("team/one", Buffer.from("blob"))
      const mount = Effect.fnUntraced(function*(scope: string) {
        const { token } = yield* tokenFor(registry.url, scope, basic("team", "word"))
        const url = `${registry.url}/v2/team/two/blobs/uploads/?mount=${digest}&from=team/one`
        return (yield* send(url, { method: "POST", headers: { authorization: token } })).status
      })
      assert.strictEqual(yield* mount("repository:team/two:pull,push"), 202)
      assert.strictEqual(yield* mount("repository:team/two:pull,push&scope=repository:team/one:pull"), 201)
    }))

  it.live("gives tokens for a refresh token by POST, and lets them expire", () =>
    Effect.gen(function*() {
      const registry = yield* EmbeddedRegistry.make({ auth: { _tag: "Bearer", ...login, tokenLifetime: "100 millis" } })
      yield* images(registry)
      const answer = yield* send(`${registry.url}/token`, {
        method: "POST",
        body: new URLSearchParams({
          grant_type: "refresh_token",
          refresh_token: "secret",
          scope: "repository:hidden/app:pull"
        })
      })
      const authorization = `Bearer ${answer.json().access_token}`
      const url = `${registry.url}/v2/hidden/app/manifests/1`
      assert.strictEqual((yield* send(url, { headers: { authorization } })).status, 200)
      yield* Effect.sleep("150 millis")
      assert.strictEqual((yield* send(url, { headers: { authorization } })).status, 401)
    }))
})
