import { assert, describe, it } from "@effect/vitest"
import { isTrustedRealm } from "../../src/registry/Realm.ts"

const trusted = (registry: string, realm: string, endpoint = `https://${registry}`) =>
  isTrustedRealm(registry, new URL(endpoint), new URL(realm))

describe("isTrustedRealm", () => {
  it.each<[string, string]>([
    ["quay.io", "https://quay.io/v2/auth"],
    ["registry.example.com", "https://gitlab.example.com/jwt/auth"],
    ["registry.example.com", "https://example.com/auth"],
    ["harbor.internal:8443", "https://harbor.internal:9443/token"],
    ["nvcr.io", "https://authn.nvidia.com/token"],
    ["10.0.0.1:5000", "https://10.0.0.1:5001/auth"]
  ])("%s may send its credential to %s", (registry, realm) => {
    assert.isTrue(trusted(registry, realm))
  })

  it("Docker Hub's token server is its own", () => {
    assert.isTrue(trusted("docker.io", "https://auth.docker.io/token", "https://registry-1.docker.io"))
    assert.isFalse(trusted("docker.io", "https://auth.docker.io.evil.example/token", "https://registry-1.docker.io"))
  })

  it.each<[string, string]>([
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
    // a name that JavaScript's objects know
    ["constructor", "https://evil.example/token"],
    ["registry.example.com", "https://gitlab.example.com./token"],
    ["registry.example.com", "http://registry.example.com/token"]
  ])("%s may not send its credential to %s", (registry, realm) => {
    assert.isFalse(trusted(registry, realm))
  })
})
