import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { LookupAddress } from "node:dns"
import { BlockList, type LookupFunction } from "node:net"
import {
  isPublicAddress,
  mayBePrivate,
  publicOnly,
  refusedLiteral
} from "../../../src/registry/transport/AddressPolicy.ts"
import { registryOptions } from "../../support/Registries.ts"

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
    // local NAT64: the IPv4 address may be anywhere in it
    "64:ff9b:1::808:808",
    "64:ff9b:1:a9fe:a9:fe00:808:808",
    // IPv4-translated and IPv4-compatible
    "::ffff:0:127.0.0.1",
    "::10.0.0.1",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "3fff::1",
    "5f00::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    // what a URL or a resolver never gives
    "010.8.8.8",
    "0x8.8.8.8",
    "8.8.8",
    "134744072",
    " 8.8.8.8",
    "[2606:4700::1111]",
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
    const forms = [
      "http://2130706433/",
      "http://0x7f.1/",
      "http://0177.0.0.1/",
      "http://[::ffff:7f00:1]/",
      "http://127.0.0.1./",
      "http://0/",
      "http://0x7f000001:5000/",
      "http://[::127.0.0.1]/",
      "http://[64:ff9b::7f00:1]/",
      "http://１２７.0.0.1/"
    ]
    for (const text of forms) {
      assert.isDefined(refusedLiteral(new URL(text).hostname), text)
    }
    assert.isUndefined(refusedLiteral("8.8.8.8"))
    assert.isUndefined(refusedLiteral("registry.example"))
    assert.match(refusedLiteral("169.254.169.254")?.message ?? "", /PRIVATE_REGISTRIES/)
  })
})

// IANA's special-purpose address registries (RFC 6890 and those that amend it), written down once more
const special4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.31.196.0/24",
  "192.52.193.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "192.175.48.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "168.63.129.16/32"
]
const special6 = [
  // all but global unicast
  "::/3",
  "4000::/2",
  "8000::/1",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "2620:4f:8000::/48",
  "3fff::/20"
]

/** The same judgement by Node's BlockList. */
const oracle = (() => {
  const four = new BlockList()
  const six = new BlockList()
  const add = (list: BlockList, network: string) => {
    const [address = "", bits = ""] = network.split("/")
    list.addSubnet(address, Number(bits), address.includes(":") ? "ipv6" : "ipv4")
  }
  for (const network of special4) add(four, network)
  for (const network of special6) add(six, network)
  const v4 = (bytes: ReadonlyArray<number>) => !four.check(bytes.join("."), "ipv4")
  const v6 = (bytes: ReadonlyArray<number>) => {
    const starts = (...prefix: ReadonlyArray<number>) => prefix.every((it, index) => bytes[index] === it)
    if (starts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255)) return v4(bytes.slice(12))
    if (starts(0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0)) return v4(bytes.slice(12))
    return !six.check(textOf(bytes), "ipv6")
  }
  return { v4, v6 }
})()

const textOf = (bytes: ReadonlyArray<number>): string =>
  Array.from({ length: 8 }, (_, at) => ((bytes[2 * at] ?? 0) * 256 + (bytes[2 * at + 1] ?? 0)).toString(16)).join(":")

const bytesOf = (address: string): ReadonlyArray<number> => {
  if (!address.includes(":")) return address.split(".").map(Number)
  const groups = (text: string) => text === "" ? [] : text.split(":").map((it) => Number.parseInt(it, 16))
  const [head = [], tail = []] = address.split("::").map(groups)
  const all = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail]
  return all.flatMap((it) => [it >> 8, it & 255])
}

/** The first `bits` of the network, and then whatever the bytes say. */
const within = (network: string, bytes: ReadonlyArray<number>): ReadonlyArray<number> => {
  const [address = "", bits = ""] = network.split("/")
  const fixed = bytesOf(address)
  return fixed.map((it, at) => {
    const kept = Math.min(8, Math.max(0, Number(bits) - 8 * at))
    const mask = kept === 0 ? 0 : (0xff << (8 - kept)) & 0xff
    return (it & mask) | ((bytes[at] ?? 0) & ~mask & 0xff)
  })
}

describe("isPublicAddress and an oracle", () => {
  const byte = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
  const four = Schema.Tuple([byte, byte, byte, byte])
  const sixteen = Schema.Array(byte).check(Schema.isBetweenLength(16, 16))

  it.prop("agree on any IPv4 address, in every form that a URL can have", [
    four,
    Schema.Literals(["0.0.0.0/0", ...special4])
  ], ([random, network]) => {
    const [a = 0, b = 0, c = 0, d = 0] = within(network, random)
    const text = [a, b, c, d].join(".")
    const expected = oracle.v4([a, b, c, d])
    assert.strictEqual(isPublicAddress(text), expected, text)
    const number = ((a * 256 + b) * 256 + c) * 256 + d
    const octal = (it: number) => `0${it.toString(8)}`
    const forms = [
      text,
      `${text}.`,
      String(number),
      `0x${number.toString(16)}`,
      [a, b, c * 256 + d].join("."),
      [a, (b * 256 + c) * 256 + d].join("."),
      [a, b, c, d].map(octal).join("."),
      [a, b, c, d].map((it) => `0x${it.toString(16)}`).join("."),
      [`0X${a.toString(16)}`, octal(b), c, d].join("."),
      `[::ffff:${text}]`,
      `[64:ff9b::${text}]`
    ]
    for (const form of forms) {
      const { hostname } = new URL(`https://${form}/`)
      assert.strictEqual(refusedLiteral(hostname) === undefined, expected, `${form} as ${hostname}`)
    }
    assert.isFalse(isPublicAddress(`::${text}`), "IPv4-compatible")
    assert.isFalse(isPublicAddress(`::ffff:0:${text}`), "IPv4-translated")
    assert.isFalse(isPublicAddress(`64:ff9b:1::${text}`), "local NAT64")
  }, { arbitrary: { runs: 2000 } })

  it.prop("agree on any IPv6 address", [
    sixteen,
    Schema.Literals([
      "::/0",
      "2000::/3",
      "2400::/12",
      "::ffff:0:0/96",
      "64:ff9b::/96",
      "64:ff9b:1::/48",
      "fe80::/10",
      "fc00::/7",
      "fec0::/10",
      "ff00::/8",
      "100::/64",
      "2001::/32",
      "2001:10::/28",
      "2001:20::/28",
      "5f00::/16",
      "fd00:ec2::254/128",
      ...special6
    ])
  ], ([random, network]) => {
    const bytes = within(network, random)
    const text = textOf(bytes)
    const expected = oracle.v6(bytes)
    assert.strictEqual(isPublicAddress(text), expected, text)
    assert.strictEqual(isPublicAddress(text.toUpperCase()), expected)
    assert.isFalse(isPublicAddress(`${text}%1`))
    assert.strictEqual(refusedLiteral(new URL(`https://[${text}]/`).hostname) === undefined, expected)
  }, { arbitrary: { runs: 2000 } })

  it("know that the ranges are what they say", () => {
    assert.deepStrictEqual(bytesOf("2001:db8::").slice(0, 5), [0x20, 0x01, 0x0d, 0xb8, 0])
    assert.deepStrictEqual(bytesOf("::ffff:0:0").slice(9, 13), [0, 255, 255, 0])
    assert.strictEqual(bytesOf("64:ff9b:1::").length, 16)
    assert.isTrue(oracle.v4([8, 8, 8, 8]))
    assert.isFalse(oracle.v6(bytesOf("fe80::")))
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
  const options = registryOptions("backup.internal:5000", {
    plainHttp: ["PLAIN.internal:80"],
    privateHosts: ["private.internal", "10.0.0.1:5000"]
  })
  it("is true of configured hosts only, port and all", () => {
    for (const host of ["backup.internal:5000", "plain.internal:80", "private.internal", "10.0.0.1:5000"]) {
      assert.isTrue(mayBePrivate(options, host), host)
    }
    for (const host of ["backup.internal", "backup.internal:6443", "10.0.0.1", "10.0.0.1:6443", "x.private.internal"]) {
      assert.isFalse(mayBePrivate(options, host), host)
    }
  })
})
