// Settings that change while requests are sent: what is remembered of them must not outlive them.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { RegistryClient } from "../../src/registry/RegistryClient.ts"
import { includesHost, RegistrySettings } from "../../src/registry/RegistrySettings.ts"
import { hostIn } from "../../src/registry/identity/CloudOptions.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { SettingsRef } from "../../src/settings/SettingsRef.ts"
import { startFakeRegistry } from "../support/FakeRegistry.ts"
import { clientLayer, registryOptions } from "../support/Registries.ts"
import { imageOf, layerOf } from "../support/TestImages.ts"

describe("the hosts without TLS", () => {
  it.live("are those of the settings as they are now", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      registry.add("app", imageOf([layerOf("a")]), "1")
      const { host } = registry
      const options = (plainHttp: ReadonlyArray<string>) =>
        registryOptions("b.test", { plainHttp, privateHosts: [host] })
      let now = options([])
      yield* Effect.gen(function*() {
        const client = yield* RegistryClient
        const look = Effect.result(client.headManifest({ registry: host, repository: "app" }, "1"))
        const seen: Array<string> = []
        for (const plainHttp of [[], [host], [], [host.toUpperCase()]]) {
          now = options(plainHttp)
          const outcome = yield* look
          seen.push(outcome._tag === "Success" ? String(Option.isSome(outcome.success)) : outcome.failure.reason)
        }
        assert.deepStrictEqual(seen, ["Certificate", "true", "Certificate", "true"])
      }).pipe(
        Effect.provide(clientLayer({
          backup: "b.test",
          settings: Layer.succeed(RegistrySettings, RegistrySettings.of({ current: () => now }))
        }))
      )
    }))

  it("are found however they are written", () => {
    const hosts = ["Registry.Example:5000", "index.docker.io"]
    assert.isTrue(includesHost(hosts, "registry.example:5000"))
    assert.isTrue(includesHost(hosts, "docker.io"))
    assert.isFalse(includesHost(hosts, "registry.example"))
    assert.isFalse(includesHost([...hosts].slice(1), "registry.example:5000"))
  })
})

describe("the token servers that see a login", () => {
  it.effect("are those that are named, and that of a cloud's registry which a host stands for", () =>
    Effect.gen(function*() {
      const { current } = yield* RegistrySettings
      assert.deepStrictEqual(current().trustedTokenServers, [
        "a.example=sso.example",
        "b.example=example.azurecr.io"
      ])
      const { clouds } = current()
      assert.strictEqual(clouds === undefined ? undefined : hostIn(clouds, "b.example")?.cloud, "azure")
    }).pipe(Effect.provide(
      RegistrySettings.layer().pipe(Layer.provide(SettingsRef.layerOf(settingsOf("a.b/c", {
        TRUSTED_TOKEN_SERVERS: ["a.example=sso.example"],
        CLOUD_DOMAINS: ["b.example=example.azurecr.io"]
      }))))
    )))
})
