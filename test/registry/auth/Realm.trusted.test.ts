// Token servers on another domain than their registry: who sees the login, what is said, and that a change of the settings is
// obeyed at once. Over real sockets against fake registries.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, References } from "effect"
import { basic } from "../../../src/registry/auth/DockerConfig.ts"
import { RegistryClient } from "../../../src/registry/RegistryClient.ts"
import { type RegistryOptions, RegistrySettings } from "../../../src/registry/RegistrySettings.ts"
import { refuse, startFakeRegistry, startServer } from "../../support/FakeRegistry.ts"
import { clientLayer, registryOptions } from "../../support/Registries.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"

const login = { ...basic("me", "secret"), origin: "auths of \"backup\" in /docker/config.json" }

/** A registry that wants a token that only a login gets, of a server that is called by another name. */
const world = Effect.gen(function*() {
  const realm = yield* startServer((seen, response) =>
    response.writeHead(200).end(JSON.stringify({ token: seen.headers.authorization === undefined ? "anybody" : "me" }))
  )
  const foreign = realm.host.replace("127.0.0.1", "localhost")
  const registry = yield* startFakeRegistry()
  registry.on(/./, (seen, response, next) =>
    seen.headers.authorization === "Bearer me"
      ? next()
      : refuse(response, 401, "UNAUTHORIZED", {
        "www-authenticate": `Bearer realm="http://${foreign}/token",service="test"`
      }))
  let options: RegistryOptions = registryOptions(registry.host, { plainHttp: [registry.host], privateHosts: [foreign] })
  const said: Array<string> = []
  const settings = Layer.succeed(RegistrySettings, RegistrySettings.of({ current: () => options }))
  return {
    realm,
    registry,
    foreign,
    said,
    set: (more: Partial<RegistryOptions>) => {
      options = { ...options, ...more }
    },
    repository: { registry: registry.host, repository: "mirror/app" },
    use: <A, E>(use: (client: RegistryClient["Service"]) => Effect.Effect<A, E>) =>
      Effect.flatMap(RegistryClient, use).pipe(
        Effect.provideService(References.MinimumLogLevel, "Warn"),
        Effect.provide([
          clientLayer({ backup: registry.host, credentials: () => login, settings }),
          Logger.layer([Logger.make(({ message }) => void said.push(String(message)))]),
          NodeServices.layer
        ])
      )
  }
})

describe("a token server on another domain", () => {
  it.live("is not shown the login; the error names it and the setting, one warning does, and none contradicts it", () =>
    Effect.gen(function*() {
      const { foreign, realm, registry, repository, said, use } = yield* world
      const errors = yield* use((client) =>
        Effect.all([Effect.flip(client.startUpload(repository)), Effect.flip(client.startUpload(repository))])
      )
      const pair = `TRUSTED_TOKEN_SERVERS=${registry.host}=${foreign}`
      for (const error of errors) {
        assert.strictEqual(error.reason, "Unauthorized")
        assert.include(error.message, pair)
        assert.include(error.message, `its token server ${foreign} is on another domain`)
        assert.notInclude(error.message, "secret")
      }
      assert.isTrue(realm.seen.every((it) => it.headers.authorization === undefined))
      assert.lengthOf(said, 1, said.join("\n"))
      assert.include(said[0], pair)
    }))

  it.live("that the settings trust is shown it, from the next request on", () =>
    Effect.gen(function*() {
      const { foreign, registry, repository, set, use } = yield* world
      yield* use((client) =>
        Effect.gen(function*() {
          yield* Effect.flip(client.startUpload(repository))
          // of another registry, or another port: nobody is trusted by that
          set({ trustedTokenServers: [`other.example=${foreign}`, `${registry.host}=localhost`] })
          yield* Effect.flip(client.startUpload(repository))
          set({ trustedTokenServers: [`${registry.host}=${foreign}`] })
          yield* client.startUpload(repository)
          set({ trustedTokenServers: [] })
          assert.strictEqual((yield* Effect.flip(client.startUpload(repository))).reason, "Unauthorized")
        })
      )
    }))

  it.live("of a source: anybody's copy goes on, and is asked for as often as without a login", () =>
    Effect.gen(function*() {
      const { registry, set, use } = yield* world
      set({ backup: { registry: "backup.test", prefix: "mirror", layout: "nested" }, sourceCredentials: "always" })
      const image = imageOf([layerOf("a")])
      registry.add("app", image, "1")
      const error = yield* use((client) =>
        Effect.flip(client.headManifest({ registry: registry.host, repository: "app" }, "1"))
      )
      assert.include(error.message, "TRUSTED_TOKEN_SERVERS")
      assert.strictEqual(registry.seen.length, 2)
    }))
})

describe("beside a refusal", () => {
  const closed = (registry: { readonly host: string }) => ({ registry: registry.host, repository: "mirror/app" })

  it.live("stands which entry of which file was used", () =>
    Effect.gen(function*() {
      const { foreign, registry, set, use } = yield* world
      set({ trustedTokenServers: [`${registry.host}=${foreign}`] })
      registry.on(/POST/, (_, response) => refuse(response, 403, "DENIED"))
      const error = yield* use((client) => Effect.flip(client.startUpload(closed(registry))))
      assert.strictEqual(error.reason, "Denied")
      assert.include(error.message, "asked with auths of \"backup\" in /docker/config.json")
      assert.notMatch(error.message, /secret|TRUSTED/)
    }))

  it.live("stands why there was no login", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      registry.on(/POST/, (_, response) => refuse(response, 401, "UNAUTHORIZED"))
      const error = yield* Effect.flip(Effect.flatMap(RegistryClient, (it) => it.startUpload(closed(registry)))).pipe(
        Effect.provide(clientLayer({ backup: registry.host, plainHttp: [registry.host] }))
      )
      assert.include(error.message, "asked without a login: DOCKER_CONFIG names no folder of logins")
    }))
})
