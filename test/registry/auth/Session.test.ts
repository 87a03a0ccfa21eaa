// Who is let in with what: challenges, tokens, realms, redirects, over real sockets against fake registries.
import { assert, describe, it } from "@effect/vitest"
import { NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Option } from "effect"
import type { ServerResponse } from "node:http"
import { basic, type Credential, identityToken } from "../../../src/registry/auth/DockerConfig.ts"
import { RegistryClient } from "../../../src/registry/RegistryClient.ts"
import { makeCertificates } from "../../kube/Certificates.ts"
import { type FakeRegistry, refuse, type Seen, startFakeRegistry, startServer } from "../../support/FakeRegistry.ts"
import { clientLayer, type TestOptions } from "../../support/Registries.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"

const image = imageOf([layerOf("a")])
const login = basic("me", "secret")
const header = `Basic ${Buffer.from("me:secret").toString("base64")}`

const token = (response: ServerResponse, value: string, more: object = {}) =>
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ token: value, ...more }))

/** A token server that gives everybody `anonymous` and whoever logs in `token-of-…`. */
const startRealm = startServer((seen, response) =>
  token(response, seen.headers.authorization === undefined ? "anonymous" : "authenticated")
)

/** Asks every request for a token of that realm, and takes any of `good`. */
const guard = (registry: FakeRegistry, realm: string, good: ReadonlyArray<string>) =>
  registry.on(/./, (seen, response, next) => {
    if (good.includes(seen.headers.authorization ?? "")) return next()
    refuse(response, 401, "UNAUTHORIZED", {
      "www-authenticate": `Bearer realm="${realm}/token",service="test"`
    })
  })

const using = <A, E>(
  options: TestOptions,
  use: (client: RegistryClient["Service"]) => Effect.Effect<A, E>
): Effect.Effect<A, E> => Effect.flatMap(RegistryClient, use).pipe(Effect.provide(clientLayer(options)))

const authorizations = (seen: ReadonlyArray<Seen>) => [...new Set(seen.map((it) => it.headers.authorization))]

describe("a registry with a token server", () => {
  it.live("gives an anonymous token, once for many requests at a time", () =>
    Effect.gen(function*() {
      const realm = yield* startRealm
      const registry = yield* startFakeRegistry()
      registry.add("team/app", image, "1")
      guard(registry, realm.origin, ["Bearer anonymous"])
      const repository = { registry: registry.host, repository: "team/app" }
      yield* using({ backup: "b.test", plainHttp: [registry.host] }, (client) =>
        Effect.gen(function*() {
          // learns how the registry wants it
          yield* client.headManifest(repository, "1")
          yield* Effect.all(Array.from({ length: 10 }, () => client.getManifest(repository, "1")), {
            concurrency: "unbounded"
          })
        }))
      assert.strictEqual(realm.seen.length, 1)
      assert.deepStrictEqual(realm.seen[0]?.query.getAll("scope"), ["repository:team/app:pull"])
      assert.strictEqual(realm.seen[0]?.query.get("service"), "test")
      assert.isUndefined(realm.seen[0]?.headers.authorization)
      assert.strictEqual(registry.count(/HEAD/), 2)
    }))

  it.live("gets the backup's login for pushing below the prefix, and pull,push as its scope", () =>
    Effect.gen(function*() {
      const realm = yield* startRealm
      const registry = yield* startFakeRegistry()
      guard(registry, realm.origin, ["Bearer authenticated"])
      const repository = { registry: registry.host, repository: "mirror/app" }
      yield* using(
        { backup: registry.host, plainHttp: [registry.host], credentials: () => login },
        (client) => client.startUpload(repository)
      )
      assert.deepStrictEqual(authorizations(realm.seen), [header])
      assert.deepStrictEqual(realm.seen[0]?.query.getAll("scope"), ["repository:mirror/app:pull,push"])
    }))

  it.live("is asked for the origin of a mount after the target, and without it if it will not", () =>
    Effect.gen(function*() {
      const realm = yield* startServer((seen, response) =>
        seen.query.getAll("scope").length > 1 ? refuse(response, 400, "BAD_SCOPE") : token(response, "one")
      )
      const registry = yield* startFakeRegistry()
      registry.add("mirror/other", image)
      guard(registry, realm.origin, ["Bearer one"])
      const layer = layerOf("a").digest
      const at = (repository: string) => ({ registry: registry.host, repository })
      const mounted = yield* using(
        { backup: registry.host, plainHttp: [registry.host], credentials: () => login },
        (client) =>
          Effect.andThen(
            client.hasBlob(at("mirror/app"), layer),
            client.mountBlob(at("mirror/app"), layer, at("mirror/other"))
          )
      )
      assert.strictEqual(mounted, "mounted")
      assert.deepStrictEqual(
        realm.seen.map((it) => it.query.getAll("scope")).find((it) => it.length > 1),
        ["repository:mirror/app:pull,push", "repository:mirror/other:pull"]
      )
    }))

  it.live("that takes a token no longer is asked for another, once", () =>
    Effect.gen(function*() {
      let given = 0
      const realm = yield* startServer((_, response) => token(response, `t${++given}`))
      const registry = yield* startFakeRegistry()
      registry.add("app", image, "1")
      const good = ["Bearer t1"]
      guard(registry, realm.origin, good)
      const repository = { registry: registry.host, repository: "app" }
      yield* using({ backup: "b.test", plainHttp: [registry.host] }, (client) =>
        Effect.gen(function*() {
          yield* client.getManifest(repository, "1")
          good[0] = "Bearer t2"
          yield* client.getManifest(repository, "1")
          assert.strictEqual(given, 2)
          good[0] = "none"
          const error = yield* Effect.flip(client.getManifest(repository, "1"))
          assert.strictEqual(error.reason, "Unauthorized")
          assert.isFalse(error.retryable)
          assert.strictEqual(given, 3)
        }))
    }))

  it.live("is paid with an identity token by POST", () =>
    Effect.gen(function*() {
      const realm = yield* startServer((_, response) =>
        response.writeHead(200).end(JSON.stringify({ access_token: "oauth", expires_in: 300 }))
      )
      const registry = yield* startFakeRegistry()
      guard(registry, realm.origin, ["Bearer oauth"])
      yield* using(
        { backup: registry.host, plainHttp: [registry.host], credentials: () => identityToken("refresh") },
        (client) => client.startUpload({ registry: registry.host, repository: "mirror/app" })
      )
      const form = new URLSearchParams(realm.seen[0]?.body.toString())
      assert.strictEqual(realm.seen[0]?.method, "POST")
      assert.strictEqual(form.get("grant_type"), "refresh_token")
      assert.strictEqual(form.get("refresh_token"), "refresh")
      assert.strictEqual(form.get("scope"), "repository:mirror/app:pull,push")
      assert.isUndefined(realm.seen[0]?.headers.authorization)
    }))

  it.live.each([
    ["smuggles a header", JSON.stringify({ token: "a\r\nx: y" })],
    ["sends no token", "{}"],
    ["sends HTML", "<html>"]
  ])("that %s is not believed", ([, body]) =>
    Effect.gen(function*() {
      const realm = yield* startServer((_, response) => response.writeHead(200).end(body))
      const registry = yield* startFakeRegistry()
      guard(registry, realm.origin, ["Bearer x"])
      const error = yield* Effect.flip(
        using({ backup: "b.test", plainHttp: [registry.host] }, (client) =>
          client.headManifest({ registry: registry.host, repository: "app" }, "1"))
      )
      assert.strictEqual(error.reason, "Protocol")
    }))
})

describe("a credential stays with its registry", () => {
  it.live("a realm on a foreign host is asked without it", () =>
    Effect.gen(function*() {
      const realm = yield* startRealm
      const registry = yield* startFakeRegistry()
      // 127.0.0.1 against localhost: another host, on an address that the test may dial
      const foreign = realm.origin.replace("127.0.0.1", "localhost")
      guard(registry, foreign, ["Bearer authenticated"])
      const error = yield* Effect.flip(using(
        {
          backup: registry.host,
          plainHttp: [registry.host],
          privateHosts: [realm.host.replace("127.0.0.1", "localhost")],
          credentials: () => login
        },
        (client) => client.startUpload({ registry: registry.host, repository: "mirror/app" })
      ))
      assert.strictEqual(error.reason, "Unauthorized")
      assert.isAbove(realm.seen.length, 0)
      assert.deepStrictEqual(authorizations(realm.seen), [undefined])
    }))

  it.live("a redirect to another origin drops it, one to the same keeps it", () =>
    Effect.gen(function*() {
      const storage = yield* startServer((_, response) =>
        response.writeHead(200, { "content-length": 20_000 }).end(layerOf("a").bytes)
      )
      const registry = yield* startFakeRegistry()
      registry.add("mirror/app", image, "1")
      guard(registry, "http://none", [header])
      registry.on(/blobs\/sha256/, (_, response) =>
        response.writeHead(307, { location: `${storage.origin}/signed?X-Amz-Signature=s` }).end())
      registry.on(/manifests\/moved/, (_, response) =>
        response.writeHead(302, { location: "/v2/mirror/app/manifests/1" }).end())
      registry.on(/HEAD \/v2\/mirror\/app\/blobs/, (_, response) =>
        refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic realm=\"x\"" }), 1)
      const repository = { registry: registry.host, repository: "mirror/app" }
      yield* using(
        {
          backup: registry.host,
          plainHttp: [registry.host],
          privateHosts: [storage.host],
          credentials: () =>
            login
        },
        (client) =>
          Effect.gen(function*() {
            yield* client.hasBlob(repository, layerOf("a").digest)
            const open = yield* Effect.scoped(client.openBlob(repository, layerOf("a").digest, 0))
            assert.strictEqual(open.size, 20_000)
            assert.strictEqual((yield* client.getManifest(repository, "moved")).digest, image.root.digest)
          })
      )
      assert.isAbove(storage.seen.length, 0)
      assert.deepStrictEqual(authorizations(storage.seen), [undefined])
    }))

  it.live("an upload's Location on another host gets none", () =>
    Effect.gen(function*() {
      const storage = yield* startServer((_, response) => response.writeHead(201).end())
      const registry = yield* startFakeRegistry()
      registry.on(/./, (seen, response, next) =>
        seen.headers.authorization === header
          ? next()
          : refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic realm=\"x\"" }))
      registry.on(/POST/, (seen, response, next) =>
        seen.headers.authorization === header
          ? response.writeHead(202, { location: `${storage.origin}/put?sig=a%2Bb` }).end()
          : next())
      const empty = imageOf([]).blobs[0]
      if (empty === undefined) return assert.fail("no config")
      yield* using(
        {
          backup: registry.host,
          plainHttp: [registry.host],
          privateHosts: [storage.host],
          credentials: () => login
        },
        (client) =>
          Effect.gen(function*() {
            const upload = yield* client.startUpload({ registry: registry.host, repository: "mirror/app" })
            yield* client.putBlob(upload, empty.digest, 0, undefined)
          })
      )
      assert.deepStrictEqual(authorizations(storage.seen), [undefined])
      // the query as the registry encoded it, and the digest behind
      assert.strictEqual(storage.seen[0]?.query.get("sig"), "a+b")
      assert.strictEqual(storage.seen[0]?.query.get("digest"), empty.digest)
    }))
})

describe("a URL that a registry gives", () => {
  it.live("whose path begins with two slashes is not a host", () =>
    Effect.gen(function*() {
      const other = yield* startServer((_, response) => response.writeHead(200).end("{}"))
      const registry = yield* startFakeRegistry()
      const path = `//${other.host}/list`
      registry.on(
        /referrers/,
        (_, response) => response.writeHead(302, { location: `${registry.origin}${path}` }).end()
      )
      registry.on(/list/, (_, response) =>
        response.writeHead(200, {
          "content-type": "application/vnd.oci.image.index.v1+json",
          link: `<${registry.origin}${path}?n=2>; rel="next"`
        }).end("{\"manifests\":[]}"))
      yield* using(
        { backup: "b.test", plainHttp: [registry.host], privateHosts: [other.host] },
        (client) => client.referrersOf({ registry: registry.host, repository: "team/app" }, image.root.digest)
      )
      assert.isAbove(registry.count(/list/), 1)
      assert.strictEqual(other.seen.length, 0)
    }))

  it.live("as the token server of another registry, without TLS, is not asked", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* Effect.promise(makeCertificates)
      const tls = { certificate: server.cert, key: server.key }
      const realm = yield* startRealm
      const behind = yield* startFakeRegistry(tls)
      const front = yield* startFakeRegistry(tls)
      guard(behind, realm.origin, ["Bearer anonymous"])
      front.on(/./, (seen, response) => response.writeHead(307, { location: `${behind.origin}${seen.path}` }).end())
      const fs = yield* FileSystem.FileSystem
      const certificates = yield* fs.makeTempDirectoryScoped()
      for (const { host } of [front, behind]) {
        yield* fs.makeDirectory(`${certificates}/certs.d/${host}`, { recursive: true })
        yield* fs.writeFileString(`${certificates}/certs.d/${host}/ca.crt`, ca)
      }
      const error = yield* Effect.flip(using(
        { backup: "b.test", privateHosts: [front.host, behind.host, realm.host], certificates },
        (client) => client.getManifest({ registry: front.host, repository: "team/app" }, "1")
      ))
      assert.strictEqual(error.reason, "Refused")
      assert.include(error.message, "without TLS")
      assert.strictEqual(realm.seen.length, 0)
    }).pipe(Effect.provide(NodeServices.layer)))
})

describe("a source", () => {
  const source = Effect.gen(function*() {
    const realm = yield* startRealm
    const registry = yield* startFakeRegistry()
    registry.add("team/app", image, "1")
    return { realm, registry, repository: { registry: registry.host, repository: "team/app" } }
  })
  const options = (registry: FakeRegistry, of: ReadonlyArray<Credential> = [login]): TestOptions => ({
    backup: "b.test",
    plainHttp: [registry.host],
    credentials: (host) => host === registry.host ? of : undefined
  })

  it.live("is asked anonymously first; then the login is used", () =>
    Effect.gen(function*() {
      const { realm, registry, repository } = yield* source
      guard(registry, realm.origin, ["Bearer anonymous", "Bearer authenticated"])
      yield* using(options(registry), (client) => client.getManifest(repository, "1"))
      assert.deepStrictEqual(authorizations(registry.seen), [undefined, "Bearer anonymous", "Bearer authenticated"])
      assert.deepStrictEqual(
        registry.seen.filter((it) => it.headers.authorization === "Bearer anonymous").map((it) => it.method),
        ["HEAD"]
      )
    }))

  it.live("that lets nobody in anonymously never sees the login", () =>
    Effect.gen(function*() {
      const { realm, registry, repository } = yield* source
      guard(registry, realm.origin, ["Bearer authenticated"])
      const errors = yield* using(options(registry), (client) =>
        Effect.all([
          Effect.flip(client.headManifest(repository, "1")),
          Effect.flip(client.getManifest(repository, "1")),
          Effect.flip(Effect.scoped(client.openBlob(repository, layerOf("a").digest, 0)))
        ]))
      assert.deepStrictEqual(errors.map((it) => it.reason), ["Unauthorized", "Unauthorized", "Unauthorized"])
      assert.deepStrictEqual(authorizations(realm.seen), [undefined])
      assert.notInclude(authorizations(registry.seen), "Bearer authenticated")
    }))

  it.live("on the backup's host outside the prefix is asked anonymously only", () =>
    Effect.gen(function*() {
      const { realm, registry, repository } = yield* source
      guard(registry, realm.origin, ["Bearer authenticated"])
      const error = yield* Effect.flip(
        using({ ...options(registry), backup: registry.host }, (client) => client.getManifest(repository, "1"))
      )
      assert.strictEqual(error.reason, "Unauthorized")
      assert.deepStrictEqual(authorizations(realm.seen), [undefined])
    }))

  it.live("is read with whatever there is by hand", () =>
    Effect.gen(function*() {
      const { realm, registry, repository } = yield* source
      guard(registry, realm.origin, ["Bearer authenticated"])
      yield* using(
        { ...options(registry), sourceCredentials: "always" },
        (client) => client.getManifest(repository, "1")
      )
      assert.deepStrictEqual(authorizations(realm.seen), [header])
    }))

  it.live("stays readable when the login has gone stale", () =>
    Effect.gen(function*() {
      const { registry, repository } = yield* source
      const realm = yield* startServer((seen, response) =>
        seen.headers.authorization === undefined
          ? token(response, "anonymous")
          : refuse(response, 401, "UNAUTHORIZED")
      )
      guard(registry, realm.origin, ["Bearer anonymous"])
      yield* using(options(registry), (client) =>
        Effect.gen(function*() {
          yield* client.getManifest(repository, "1")
          yield* client.getManifest(repository, "1")
        }))
      // tried once, then left alone
      assert.strictEqual(realm.seen.filter((it) => it.headers.authorization !== undefined).length, 1)
    }))

  it.live("that redirects to a registry with a token server of its own is read anonymously there", () =>
    Effect.gen(function*() {
      const { realm, registry: behind } = yield* source
      guard(behind, realm.origin, ["Bearer anonymous"])
      const front = yield* startFakeRegistry()
      front.on(/./, (seen, response) => response.writeHead(307, { location: `${behind.origin}${seen.path}` }).end())
      const manifest = yield* using(
        {
          backup: "b.test",
          plainHttp: [front.host],
          privateHosts: [behind.host, realm.host],
          credentials: () => login
        },
        (client) => client.getManifest({ registry: front.host, repository: "team/app" }, "1")
      )
      assert.strictEqual(manifest.digest, image.root.digest)
      assert.deepStrictEqual(authorizations(realm.seen), [undefined])
    }))

  it.live("without a challenge, or with an empty one, is just closed", () =>
    Effect.gen(function*() {
      const { registry, repository } = yield* source
      for (const headers of [{}, { "www-authenticate": "" }]) {
        registry.on(/./, (_, response) => refuse(response, 401, "UNAUTHORIZED", headers))
        registry.forget()
        const error = yield* Effect.flip(using(options(registry), (client) => client.headManifest(repository, "1")))
        assert.strictEqual(error.reason, "Unauthorized")
        assert.strictEqual(registry.seen.length, 1)
      }
    }))

  it.live("that turns to Basic after a token keeps being spoken to with tokens", () =>
    Effect.gen(function*() {
      const { realm, registry, repository } = yield* source
      registry.on(/./, (seen, response, next) =>
        seen.headers.authorization === "Bearer anonymous"
          ? next()
          : refuse(response, 401, "UNAUTHORIZED", {
            "www-authenticate": seen.headers.authorization === undefined
              ? `Bearer realm="${realm.origin}/token",service="harbor"`
              : "Basic realm=\"harbor\""
          }))
      const found = yield* using(options(registry), (client) => client.headManifest(repository, "1"))
      assert.isTrue(Option.isSome(found))
    }))
})
