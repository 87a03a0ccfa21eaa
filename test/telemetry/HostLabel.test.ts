import { assert, describe, it } from "@effect/vitest"
import { makeHostLabel } from "../../src/telemetry/HostLabel.ts"

const use = (label: (host: string) => string, host: string, times: number) => {
  for (let i = 1; i < times; i++) label(host)
  return label(host)
}

describe("HostLabel", () => {
  it("names the configured hosts from the first request", () => {
    assert.strictEqual(makeHostLabel(["backup.example"])("backup.example"), "backup.example")
  })

  it("names another host once it is used a lot", () => {
    const label = makeHostLabel([])
    assert.strictEqual(use(label, "docker.io", 24), "other")
    assert.strictEqual(label("docker.io"), "docker.io")
  })

  it("names twenty hosts at most, whatever is asked", () => {
    const label = makeHostLabel(["backup.example"])
    const seen = new Set<string>()
    for (let host = 0; host < 100; host++) seen.add(use(label, `host-${host}.example`, 50))
    assert.strictEqual(seen.size, 21)
    assert.isTrue(seen.has("other"))
    assert.strictEqual(label("backup.example"), "backup.example")
  })

  it("keeps counting a busy host while names are sprayed at it", () => {
    const label = makeHostLabel([])
    for (let i = 0; i < 5000; i++) {
      label(`sprayed-${i}.example`)
      if (i % 100 === 0) label("docker.io")
    }
    assert.strictEqual(label("docker.io"), "docker.io")
  })
})
