import { assert, describe, it } from "@effect/vitest"
import { endpointOf } from "../../src/registry/Endpoints.ts"
import { registryOptions } from "../support/Registries.ts"

const options = registryOptions("backup.test", { plainHttp: ["plain.test:5000"] })

describe("a registry's endpoint", () => {
  it.each([
    ["quay.io", "https://quay.io"],
    ["docker.io", "https://registry-1.docker.io"],
    ["plain.test:5000", "http://plain.test:5000"],
    ["[::1]:5000", "https://[::1]:5000"],
    ["1.2.3.4.5", undefined]
  ])("of %s is %s", (registry, origin) => {
    assert.strictEqual(endpointOf(options, registry)?.origin, origin)
  })

  it("is another once the settings are", () => {
    assert.strictEqual(endpointOf(options, "plain.test:5000"), endpointOf(options, "plain.test:5000"))
    assert.strictEqual(endpointOf({ ...options, plainHttp: [] }, "plain.test:5000")?.protocol, "https:")
  })
})
