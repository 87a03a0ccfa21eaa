import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { LookupAddress } from "node:dns"
import type { LookupFunction } from "node:net"
import { isPublicAddress, mayBePrivate, publicOnly, refusedLiteral } from "../../src/registry/AddressPolicy.ts"
import type { RegistryOptions } from "../../src/registry/RegistrySettings.ts"

describe("isPublicAddress", () => {
  it.each([
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "198.18.0.1",
    "203.0.113.5",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:7f00:1",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2001::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "nonsense",
    ""
  ])("refuses %s", (address) => {
    assert.isFalse(isPublicAddress(address))
  })

  it.each(["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])(
    "takes %s",
    (address) => {
      assert.isTrue(isPublicAddress(address))
    }
  )

  const octet = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
  it.prop("an IPv4 address mapped into IPv6 is judged as itself", [octet, octet, octet, octet], (parts) => {
    const address = parts.join(".")
    assert.strictEqual(isPublicAddress(`::ffff:${address}`), isPublicAddress(address))
  }, { arbitrary: { runs: 500 } })
})

describe("refusedLiteral", () => {
  it("judges what no resolver is asked about, in the forms a URL can have", () => {
    for (const text of ["http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/", "http://[::ffff:7f00:1]/"]) {
      assert.isDefined(refusedLiteral(new URL(text).hostname), text)
    }
    assert.isUndefined(refusedLiteral("8.8.8.8"))
    assert.isUndefined(refusedLiteral("registry.example"))
    assert.match(refusedLiteral("169.254.169.254")?.message ?? "", /PRIVATE_REGISTRIES/)
  })
})

describe("publicOnly", () => {
  const resolving = (...addresses: ReadonlyArray<string>): LookupFunction => (_, options, callback) => {
    const all = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }))
    return options.all === true ? callback(null, all) : callback(null, all[0]?.address ?? "", all[0]?.family)
  }
  const ask = (lookup: LookupFunction, all: boolean) => {
    let got: { error: Error | null; found: string | ReadonlyArray<LookupAddress> } | undefined
    publicOnly(lookup)("host.example", { all }, (error, found) => {
      got = { error, found }
    })
    return got
  }

  it("leaves the public addresses of a name", () => {
    const found = ask(resolving("10.0.0.1", "8.8.8.8", "::1"), true)?.found
    assert.deepStrictEqual(found, [{ address: "8.8.8.8", family: 4 }])
    assert.strictEqual(ask(resolving("10.0.0.1", "8.8.8.8"), false)?.found, "8.8.8.8")
  })

  it("fails where none is left, and says which", () => {
    assert.match(ask(resolving("169.254.169.254"), true)?.error?.message ?? "", /resolves to 169\.254\.169\.254/)
    assert.isNotNull(ask(resolving(), true)?.error ?? null)
  })
})

describe("mayBePrivate", () => {
  const options: RegistryOptions = {
    backup: { registry: "backup.internal:5000", prefix: "x", layout: "nested" },
    plainHttp: ["PLAIN.internal:80"],
    privateHosts: ["private.internal", "10.0.0.1:5000"],
    sourceCredentials: "proven-public",
    referrers: false,
    mostImageBytes: undefined,
    reserve: 0.2
  }
  it("is true of configured hosts only, port and all", () => {
    for (const host of ["backup.internal:5000", "plain.internal:80", "private.internal", "10.0.0.1:5000"]) {
      assert.isTrue(mayBePrivate(options, host), host)
    }
    for (const host of ["backup.internal", "backup.internal:6443", "10.0.0.1", "10.0.0.1:6443", "x.private.internal"]) {
      assert.isFalse(mayBePrivate(options, host), host)
    }
  })
})
