import { assert, describe, it } from "@effect/vitest"
import { Option, Redacted, Schema } from "effect"
import { BlockList } from "node:net"
import { parseProxies, proxyFor } from "../../src/settings/Proxies.ts"

const read = (variables: Readonly<Record<string, string>>) =>
  parseProxies((name) => Option.fromUndefinedOr(variables[name]))

const isDirect = (noProxy: string, url: string): boolean => {
  const { problems, proxies } = read({
    HTTPS_PROXY: "http://p.test:3128",
    HTTP_PROXY: "http://p.test:3128",
    NO_PROXY: noProxy
  })
  assert.deepStrictEqual(problems, [])
  return Option.isNone(proxyFor(proxies, new URL(url)))
}

describe("HTTPS_PROXY and HTTP_PROXY", () => {
  const originOf = (variables: Readonly<Record<string, string>>, url: string) =>
    Option.getOrUndefined(Option.map(proxyFor(read(variables).proxies, new URL(url)), ({ origin }) => origin))

  it("are each for their own scheme, upper case before lower case, http:// if they do not say", () => {
    const both = { HTTPS_PROXY: "https://a.test", HTTP_PROXY: "b.test:8080", https_proxy: "http://c.test" }
    assert.strictEqual(originOf(both, "https://quay.io/v2/"), "https://a.test")
    assert.strictEqual(originOf(both, "http://quay.io/v2/"), "http://b.test:8080")
    assert.strictEqual(originOf({ http_proxy: "c.test" }, "http://quay.io/"), "http://c.test")
    assert.isUndefined(originOf({ HTTP_PROXY: "b.test" }, "https://quay.io/"))
    assert.isUndefined(originOf({ HTTPS_PROXY: "b.test" }, "http://quay.io/"))
    assert.isUndefined(originOf({}, "https://quay.io/"))
  })

  it("may hold a login, which nothing prints", () => {
    const { https } = read({ HTTPS_PROXY: "http://me:p%40ss@p.test:3128" }).proxies
    const proxy = Option.getOrThrow(https)
    assert.strictEqual(proxy.origin, "http://p.test:3128")
    const header = Redacted.value(Option.getOrThrow(proxy.authorization))
    assert.strictEqual(header, `Basic ${Buffer.from("me:p@ss").toString("base64")}`)
    assert.notMatch(`${JSON.stringify(proxy)} ${String(proxy.authorization)}`, /p@ss|p%40ss|bWU6/)
  })

  it.each([
    "socks5://p.test",
    "http://",
    "http://p.test/path",
    "http://me:hidden%@p.test",
    "ftp://me:hidden@p.test",
    "http://me:hidden@p.test:99999"
  ])("cannot be %j; what is said tells no password", (text) => {
    const { problems } = read({ HTTPS_PROXY: text })
    assert.deepStrictEqual(problems.map((it) => it.key), ["HTTPS_PROXY"])
    assert.notInclude(problems[0]?.problem, "hidden")
  })
})

describe("NO_PROXY", () => {
  it.each<[string, string, boolean]>([
    ["*", "https://quay.io", true],
    ["example.com", "https://example.com", true],
    ["example.com", "https://registry.example.com", true],
    ["example.com", "https://notexample.com", false],
    ["example.com", "https://example.com.evil.io", false],
    [".example.com", "https://example.com", false],
    [".example.com", "https://a.b.example.com", true],
    ["*.example.com", "https://a.example.com", true],
    ["*.example.com", "https://example.com", false],
    ["EXAMPLE.com", "https://Registry.example.COM", true],
    ["example.com.", "https://example.com", true],
    ["example.com", "https://example.com./", true],
    ["example.com:5000", "https://example.com:5000", true],
    ["example.com:5000", "https://example.com", false],
    ["example.com:443", "https://example.com", true],
    ["example.com:80", "http://example.com", true],
    // as users of Kubernetes write them
    [".svc,.svc.cluster.local,10.0.0.0/8", "https://registry.tools.svc:5000", true],
    [".svc,.svc.cluster.local,10.0.0.0/8", "https://registry.tools.svc.cluster.local", true],
    [".svc,.svc.cluster.local,10.0.0.0/8", "https://10.96.0.1", true],
    [".svc,.svc.cluster.local,10.0.0.0/8", "https://11.96.0.1", false],
    [".svc,.svc.cluster.local,10.0.0.0/8", "https://registry.tools", false],
    ["kubernetes.default", "https://kubernetes.default", true],
    ["registry", "https://registry:5000", true],
    [" a.io ,, b.io\tc.io", "https://c.io", true],
    ["10.1.2.3", "https://10.1.2.3:5000", true],
    ["10.1.2.3:5000", "https://10.1.2.3:5000", true],
    ["10.1.2.3:5000", "https://10.1.2.3", false],
    ["0x0a.1.2.3", "https://10.1.2.3", true],
    ["::ffff:10.1.2.3", "https://10.1.2.3", true],
    ["10.0.0.0/8", "https://[::ffff:10.1.2.3]", true],
    ["fd00::/8", "https://[fd12::1]:5000", true],
    ["fd00::/8", "https://[2001:db8::1]", false],
    ["[fd12::1]:5000", "https://[fd12::1]:5000", true],
    ["[fd12::1]:5000", "https://[fd12::1]", false],
    ["fd12::1", "https://[fd12::1]", true],
    // a network is for addresses: a name is not resolved for it
    ["0.0.0.0/0", "https://quay.io", false]
  ])("%j and %s: direct %s", (noProxy, url, expected) => {
    assert.strictEqual(isDirect(noProxy, url), expected)
  })

  it.each([
    "https://localhost:5000",
    "http://127.0.0.1",
    "https://127.8.9.1",
    "https://[::1]:5000",
    "https://a.localhost"
  ])(
    "need not name %s",
    (url) => {
      assert.isTrue(isDirect("", url))
    }
  )

  it.each(["10.0.0.0/99", "10.0.0/8", "a/b", "<local>", "a b!", "http://a.io", "*.*", "192.168.*", "a.io:x"])(
    "cannot hold %j",
    (entry) => {
      const { problems } = read({ NO_PROXY: `ok.io,${entry.replaceAll(" ", "_")}` })
      assert.deepStrictEqual(problems.map((it) => it.key), ["NO_PROXY"])
    }
  )

  const octet = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
  const bits = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 32 }))
  it.prop(
    "networks are those of net.BlockList",
    [octet, octet, octet, octet, bits, octet],
    ([a, b, c, d, prefix, e]) => {
      const network = `${a}.${b}.${c}.${d}`
      const list = new BlockList()
      list.addSubnet(network, prefix)
      for (
        const address of [`${a}.${b}.${c}.${e}`, `${a}.${b}.${e}.${d}`, `${a}.${e}.${c}.${d}`, `${e}.${b}.${c}.${d}`]
      ) {
        const loopback = address.startsWith("127.")
        assert.strictEqual(isDirect(`${network}/${prefix}`, `https://${address}`), loopback || list.check(address))
      }
    },
    { arbitrary: { runs: 300 } }
  )

  it.prop("ends on any text", [Schema.String], ([text]) => {
    read({ NO_PROXY: text, HTTPS_PROXY: text })
  }, { arbitrary: { runs: 500 } })
})
