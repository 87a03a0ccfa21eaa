import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { isTrustedRealm } from "../../../src/registry/auth/Realm.ts"

const trusted = (registry: string, realm: string, endpoint = `https://${registry}`) =>
  isTrustedRealm(registry, new URL(endpoint), new URL(realm))

describe("isTrustedRealm", () => {
  const friends: ReadonlyArray<[string, string]> = [
    ["quay.io", "https://quay.io/v2/auth"],
    ["registry.example.com", "https://gitlab.example.com/jwt/auth"],
    ["registry.example.com", "https://example.com/auth"],
    ["harbor.internal:8443", "https://harbor.internal:9443/token"],
    ["nvcr.io", "https://authn.nvidia.com/token"],
    ["registry.shop.example.co.uk", "https://auth.shop.example.co.uk/token"],
    ["registry.corp.internal", "https://sso.corp.internal/token"],
    ["registry.gitlab.com", "https://gitlab.com/jwt/auth"],
    ["ghcr.io", "https://ghcr.io/token"],
    ["public.ecr.aws", "https://public.ecr.aws/token/"],
    ["10.0.0.1:5000", "https://10.0.0.1:5001/auth"],
    ["rg.fr-par.scw.cloud", "https://api.scaleway.com/registry-internal/v1/regions/fr-par/tokens"],
    ["registry.digitalocean.com", "https://api.digitalocean.com/v2/registry/auth"],
    ["registry.cn-hangzhou.aliyuncs.com", "https://dockerauth.cn-hangzhou.aliyuncs.com/auth"],
    ["mine-registry.cn-shanghai.cr.aliyuncs.com", "https://dockerauth.cn-hangzhou.aliyuncs.com/auth"]
  ]
  for (const [registry, realm] of friends) {
    it.effect(`${registry} may send its credential to ${realm}`, () =>
      Effect.map(trusted(registry, realm), (it) => assert.isTrue(it)))
  }

  it.effect(
    "Docker Hub's token server is its own",
    Effect.fnUntraced(function*() {
      const hub = "https://registry-1.docker.io"
      assert.isTrue(yield* trusted("docker.io", "https://auth.docker.io/token", hub))
      assert.isFalse(yield* trusted("docker.io", "https://auth.docker.io.evil.example/token", hub))
    })
  )

  const strangers: ReadonlyArray<[string, string]> = [
    ["registry.example.com", "https://evil.example/token"],
    ["registry.example.com", "https://example.com.evil.example/token"],
    ["quay.io", "https://evil.io/token"],
    ["mine.azurecr.io", "https://evil.azurecr.io/token"],
    ["a.co.uk", "https://b.co.uk/token"],
    ["mine.github.io", "https://evil.github.io/token"],
    ["1.dkr.ecr.eu-west-1.amazonaws.com", "https://2.dkr.ecr.eu-west-1.amazonaws.com/token"],
    ["mine.a.run.app", "https://evil.a.run.app/token"],
    ["mine.jfrog.io", "https://evil.jfrog.io/token"],
    ["10.0.0.1", "https://10.0.0.2/token"],
    // neighbours that were trusted: a short list of shared domains erred on the side of "yes"
    ["a.ddns.net", "https://b.ddns.net/token"],
    ["a.ddns.net", "https://ddns.net/token"],
    ["mine.onrender.com", "https://evil.onrender.com/token"],
    ["reg.azurecr.us", "https://evil.azurecr.us/token"],
    ["reg.azurecr.de", "https://evil.azurecr.de/token"],
    ["reg.eastus.geo.azurecr.io", "https://evil.eastus.geo.azurecr.io/token"],
    ["mine.cloudsmith.io", "https://evil.cloudsmith.io/token"],
    ["1.dkr.ecr.cn-north-1.amazonaws.com.cn", "https://2.dkr.ecr.cn-north-1.amazonaws.com.cn/token"],
    ["1.dkr-ecr.eu-west-1.on.aws", "https://2.dkr-ecr.eu-west-1.on.aws/token"],
    ["europe-docker.pkg.dev", "https://evil.pkg.dev/token"],
    ["registry.10.0.0.1.nip.io", "https://evil.10.0.0.1.nip.io/token"],
    ["a.com.br", "https://b.com.br/token"],
    ["a.s3.dualstack.eu-west-1.amazonaws.com", "https://s3.dualstack.eu-west-1.amazonaws.com/token"],
    ["rg.fr-par.scw.cloud", "https://api.scaleway.com.evil.example/token"],
    ["rg.fr-par.scw.cloud", "https://evil.scw.cloud/token"],
    ["evil.rg.fr-par.scw.cloud", "https://api.scaleway.com/token"],
    ["rg.fr-par.scw.cloud.evil.example", "https://api.scaleway.com/token"],
    ["notnvcr.io", "https://authn.nvidia.com/token"],
    ["registry.cn-hangzhou.aliyuncs.com", "https://mine.cn-hangzhou.aliyuncs.com/auth"],
    ["[::1]", "https://[::2]/token"],
    ["registry", "https://other/token"],
    // a name that JavaScript's objects know
    ["constructor", "https://evil.example/token"],
    ["registry.example.com", "https://gitlab.example.com./token"],
    ["registry.example.com", "http://registry.example.com/token"]
  ]
  for (const [registry, realm] of strangers) {
    it.effect(`${registry} may not send its credential to ${realm}`, () =>
      Effect.map(trusted(registry, realm), (it) => assert.isFalse(it)))
  }

  it.effect(
    "one that the settings name is trusted, exactly as it is written and never without TLS",
    Effect.fnUntraced(function*() {
      const named = (registry: string, realm: string, ...pairs: ReadonlyArray<string>) =>
        isTrustedRealm(registry, new URL(`https://${registry}`), new URL(realm), pairs)
      const pair = "reg.example.com=auth.example.net"
      assert.isTrue(yield* named("reg.example.com", "https://auth.example.net/token", "a=b", pair))
      assert.isFalse(yield* named("reg.example.com", "https://auth.example.net:8443/token", pair))
      assert.isFalse(yield* named("reg.example.com", "https://evil.auth.example.net/token", pair))
      assert.isFalse(yield* named("other.example.com", "https://auth.example.net/token", pair))
      assert.isFalse(yield* named("reg.example.com", "http://auth.example.net/token", pair, `${pair}:80`))
      assert.isTrue(
        yield* isTrustedRealm(
          "reg.example.com",
          new URL("http://reg.example.com"),
          new URL("http://auth.example.net/token"),
          [`${pair}:80`]
        )
      )
    })
  )

  const label = Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9]{0,8}$/))
  const suffixes = ["azurecr.io", "azurecr.us", "jfrog.io", "cloudsmith.io", "github.io", "ddns.net", "co.uk", "com.au"]

  it.effect.prop(
    "never from one customer to another, whatever they are called",
    [label, label, Schema.Literals(suffixes)],
    Effect.fnUntraced(function*([one, other, suffix]) {
      assert.strictEqual(yield* trusted(`${one}.${suffix}`, `https://${other}.${suffix}/token`), one === other)
      assert.isFalse(yield* trusted(`${one}.${suffix}`, `https://${suffix}/token`))
    })
  )
})
