// Registries behind a proxy, over real sockets: tunnels for TLS, whole URLs for plain HTTP, what is refused before it is
// asked, what is said when the proxy fails.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FileSystem, Layer, Option, References } from "effect"
import type { LookupFunction } from "node:net"
import { basic } from "../../../src/registry/auth/DockerConfig.ts"
import { RegistryClient } from "../../../src/registry/RegistryClient.ts"
import { parseProxies, type Proxies } from "../../../src/settings/Proxies.ts"
import { makeCertificatesFor } from "../../kube/Certificates.ts"
import { type FakeRegistry, refuse, startFakeRegistry, startServer } from "../../support/FakeRegistry.ts"
import { startForwardProxy } from "../../support/ForwardProxy.ts"
import { clientLayer, type TestOptions } from "../../support/Registries.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"

const silent = Layer.mergeAll(NodeServices.layer, Layer.succeed(References.MinimumLogLevel, "None"))
const image = imageOf([layerOf("a", 300_000)])
const blob = layerOf("a", 300_000)

const using = <A, E>(
  options: TestOptions,
  use: (client: RegistryClient["Service"]) => Effect.Effect<A, E>
): Effect.Effect<A, E> => Effect.flatMap(RegistryClient, use).pipe(Effect.provide(clientLayer(options)))

const through = (proxy: string, noProxy = ""): Proxies => {
  const variables: Readonly<Record<string, string>> = { HTTPS_PROXY: proxy, HTTP_PROXY: proxy, NO_PROXY: noProxy }
  return parseProxies((name) => Option.filter(Option.fromUndefinedOr(variables[name]), (it) => it !== "")).proxies
}

/** Nothing resolves here, as in networks whose only way out is a proxy. */
const nowhere: LookupFunction = (hostname, _, callback) => {
  callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: "ENOTFOUND" }), "", 0)
}

const resolvingTo = (address: string): LookupFunction => (_, options, callback) =>
  options.all === true ? callback(null, [{ address, family: 4 }]) : callback(null, address, 4)

const named = (registry: { readonly host: string }, name: string) => registry.host.replace("127.0.0.1", name)

const names = ["registry.test", "mirror.test"]

/** A registry over TLS with names of its own, and certs.d that trusts it. */
const world = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const files = yield* Effect.promise(() => makeCertificatesFor(names))
  const tls = { certificate: files.server.cert, key: files.server.key }
  const registry = yield* startFakeRegistry(tls)
  registry.add("team/app", image, "1")
  const certificates = yield* fs.makeTempDirectoryScoped()
  const trust = Effect.fnUntraced(function*(host: string) {
    yield* fs.makeDirectory(`${certificates}/certs.d/${host}`, { recursive: true })
    yield* fs.writeFileString(`${certificates}/certs.d/${host}/ca.crt`, files.ca)
  }, Effect.orDie)
  for (const name of names) yield* trust(named(registry, name))
  return { registry, certificates, tls, trust }
})

const head = (registry: string) => (client: RegistryClient["Service"]) =>
  client.headManifest({ registry, repository: "team/app" }, "1")

describe("a registry with TLS", () => {
  it.live("is reached through a tunnel, both ways, and its login never leaves the tunnel", () =>
    Effect.gen(function*() {
      const { certificates, registry } = yield* world
      const proxy = yield* startForwardProxy()
      registry.on(/./, (seen, response, next) =>
        seen.headers.authorization === undefined
          ? refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic realm=\"x\"" })
          : next())
      const backup = named(registry, "mirror.test")
      const config = imageOf([]).blobs[0] ?? layerOf("config")
      yield* using({
        backup,
        certificates,
        lookup: nowhere,
        proxies: through(proxy.origin.replace("//", "//me:p%40ss@")),
        credentials: () => basic("owner", "password")
      }, (client) =>
        Effect.gen(function*() {
          const mirror = { registry: backup, repository: "mirror/app" }
          const upload = yield* client.startUpload(mirror)
          yield* Effect.ignore(client.putBlob(upload, config.digest, 0, undefined))
          yield* client.putManifest(mirror, "1", image.root)
          assert.isTrue(Option.isSome(yield* client.headManifest(mirror, "1")))
        }))
      assert.deepStrictEqual([...new Set(proxy.seen)], [`CONNECT ${backup}`])
      assert.deepStrictEqual([...new Set(proxy.logins)], [`Basic ${Buffer.from("me:p@ss").toString("base64")}`])
      assert.deepStrictEqual(proxy.authorizations, [])
      assert.isTrue(registry.seen.every((it) => it.headers["proxy-authorization"] === undefined))
    }).pipe(Effect.provide(silent)))

  it.live("sends blobs through it whole", () =>
    Effect.gen(function*() {
      const { certificates, registry } = yield* world
      const proxy = yield* startForwardProxy()
      const source = named(registry, "registry.test")
      const chunks: Array<Buffer> = []
      yield* using({ backup: "b.test", certificates, lookup: nowhere, proxies: through(proxy.origin) }, (client) =>
        Effect.scoped(Effect.gen(function*() {
          const open = yield* client.openBlob({ registry: source, repository: "team/app" }, blob.digest, 0)
          yield* Effect.callback<void>((resume) => {
            open.start({
              data: (chunk) => {
                chunks.push(Buffer.from(chunk))
                return true
              },
              end: () =>
                resume(Effect.void),
              error: (error) => resume(Effect.die(error))
            })
          })
        })))
      assert.deepStrictEqual(Buffer.concat(chunks), blob.bytes)
      assert.deepStrictEqual(proxy.seen, [`CONNECT ${source}`])
    }).pipe(Effect.provide(silent)))

  it.live("is reached through a proxy that is spoken to with TLS itself", () =>
    Effect.gen(function*() {
      const { certificates, registry, tls, trust } = yield* world
      const proxy = yield* startForwardProxy({ tls })
      const options = { backup: "b.test", certificates, lookup: nowhere, proxies: through(proxy.origin) }
      const source = named(registry, "registry.test")
      const error = yield* Effect.flip(using(options, head(source)))
      assert.include(error.message, `the proxy ${proxy.origin}`)
      yield* trust(proxy.origin.replace("https://", ""))
      assert.isTrue(Option.isSome(yield* using(options, head(source))))
    }).pipe(Effect.provide(silent)))

  it.live("named in NO_PROXY, or on loopback, is reached directly", () =>
    Effect.gen(function*() {
      const { certificates, registry } = yield* world
      const proxy = yield* startForwardProxy()
      const source = named(registry, "registry.test")
      const options = {
        backup: "b.test",
        certificates,
        lookup: resolvingTo("127.0.0.1"),
        privateHosts: [source, registry.host]
      }
      yield* using({ ...options, proxies: through(proxy.origin, ".test") }, head(source))
      yield* Effect.ignore(using({ ...options, proxies: through(proxy.origin) }, head(registry.host)))
      assert.deepStrictEqual(proxy.seen, [])
      yield* using({ ...options, proxies: through(proxy.origin) }, head(source))
      assert.deepStrictEqual(proxy.seen, [`CONNECT ${source}`])
    }).pipe(Effect.provide(silent)))

  it.live("that redirects to a plain host does not lead out of TLS through the other proxy", () =>
    Effect.gen(function*() {
      const { certificates, registry } = yield* world
      const proxy = yield* startForwardProxy()
      registry.on(/./, (_, response) => response.writeHead(302, { location: "http://plain.test/x" }).end())
      const error = yield* Effect.flip(
        using(
          { backup: "b.test", certificates, lookup: nowhere, proxies: through(proxy.origin) },
          head(named(registry, "registry.test"))
        )
      )
      assert.include(error.message, "would leave TLS")
      assert.strictEqual(proxy.seen.length, 1)
    }).pipe(Effect.provide(silent)))
})

describe("a plain-HTTP registry", () => {
  it.live("is asked for by its whole URL, with the proxy's login for the proxy only", () =>
    Effect.gen(function*() {
      const proxy = yield* startForwardProxy()
      const registry = yield* startFakeRegistry()
      registry.add("team/app", image, "1")
      const source = named(registry, "plain.test")
      yield* using({
        backup: "b.test",
        plainHttp: [source],
        lookup: nowhere,
        proxies: through(proxy.origin.replace("//", "//me:pw@"))
      }, (client) =>
        Effect.gen(function*() {
          yield* head(source)(client)
          const open = yield* Effect.scoped(
            client.openBlob({ registry: source, repository: "team/app" }, blob.digest, 0)
          )
          assert.strictEqual(open.size, 300_000)
        }))
      assert.deepStrictEqual(proxy.seen, [
        `HEAD http://${source}/v2/team/app/manifests/1`,
        `GET http://${source}/v2/team/app/blobs/${blob.digest}`
      ])
      assert.deepStrictEqual([...new Set(proxy.logins)], ["Basic bWU6cHc="])
      assert.deepStrictEqual([...new Set(registry.seen.map((it) => it.headers.host))], [source])
    }))
})

describe("addresses behind a proxy", () => {
  it.live.each(
    [
      ["169.254.169.254", nowhere],
      ["10.0.0.1:6443", nowhere],
      ["[::ffff:10.0.0.1]", nowhere],
      ["0x0a.1", nowhere],
      ["inside.test", resolvingTo("10.96.0.1")]
    ] as const
  )("%s is refused before the proxy is asked", ([host, lookup]) =>
    Effect.gen(function*() {
      const proxy = yield* startForwardProxy()
      const error = yield* Effect.flip(using({ backup: "b.test", lookup, proxies: through(proxy.origin) }, head(host)))
      assert.strictEqual(error.reason, "Internal")
      assert.deepStrictEqual(proxy.seen, [])
    }))

  it.live("one forbidden address among several is enough: the proxy would take any of them", () =>
    Effect.gen(function*() {
      const proxy = yield* startForwardProxy()
      const lookup: LookupFunction = (_, __, callback) =>
        callback(null, [{ address: "8.8.8.8", family: 4 }, { address: "10.0.0.1", family: 4 }])
      const error = yield* Effect.flip(
        using({ backup: "b.test", lookup, proxies: through(proxy.origin) }, head("both.test"))
      )
      assert.strictEqual(error.reason, "Internal")
      assert.deepStrictEqual(proxy.seen, [])
    }))

  it.live("plain-HTTP redirects are judged too", () =>
    Effect.gen(function*() {
      const proxy = yield* startForwardProxy()
      const registry = yield* startFakeRegistry()
      registry.on(/./, (_, response) => response.writeHead(302, { location: "http://169.254.169.254/latest" }).end())
      const source = named(registry, "plain.test")
      const error = yield* Effect.flip(
        using({ backup: "b.test", plainHttp: [source], lookup: nowhere, proxies: through(proxy.origin) }, head(source))
      )
      assert.strictEqual(error.reason, "Refused")
      assert.strictEqual(proxy.seen.length, 1)
    }))

  it.live("the proxy itself may be anywhere, but nobody gets to it by its name", () =>
    Effect.gen(function*() {
      const proxy = yield* startForwardProxy()
      const at = proxy.origin.replace("http://", "")
      const error = yield* Effect.flip(
        using({ backup: "b.test", lookup: nowhere, proxies: through(proxy.origin) }, head(at))
      )
      assert.strictEqual(error.reason, "Internal")
      assert.deepStrictEqual(proxy.seen, [])
    }))

  it.live("a resolver that hangs does not hang us", () =>
    Effect.gen(function*() {
      const { certificates, registry } = yield* world
      const proxy = yield* startForwardProxy()
      const source = named(registry, "registry.test")
      let asked = 0
      const lookup: LookupFunction = () => {
        asked++
      }
      yield* using(
        { backup: "b.test", certificates, lookup, proxies: through(proxy.origin) },
        (client) =>
          Effect.andThen(
            head(source)(client),
            Effect.scoped(client.openBlob({ registry: source, repository: "team/app" }, blob.digest, 0))
          )
      )
      assert.strictEqual(asked, 1)
      assert.strictEqual(proxy.seen.length, 2)
    }).pipe(Effect.provide(silent)), 10_000)
})

describe("a proxy that", () => {
  const failing = (registry: FakeRegistry, proxy: string, more: Partial<TestOptions> = {}) =>
    Effect.flip(using({
      backup: "b.test",
      lookup: nowhere,
      plainHttp: [named(registry, "plain.test")],
      proxies: through(proxy),
      limits: { attempts: 1, connectTimeout: Duration.millis(300), answerTimeout: Duration.millis(300) },
      ...more
    }, head(named(registry, "registry.test"))))

  it.live("is dead is named, without its password", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      const dead = yield* Effect.scoped(Effect.map(startServer(() => {}), ({ origin }) => origin))
      for (const host of [named(registry, "registry.test"), named(registry, "plain.test")]) {
        const error = yield* Effect.flip(using({
          backup: "b.test",
          lookup: nowhere,
          plainHttp: [named(registry, "plain.test")],
          proxies: through(dead.replace("//", "//me:hidden@")),
          limits: { attempts: 1 }
        }, head(host)))
        assert.strictEqual(error.reason, "Unreachable")
        assert.isTrue(error.retryable)
        assert.include(error.message, `the proxy ${dead} gives no answer (ECONNREFUSED)`)
        assert.notMatch(`${error.message} ${String(error.cause)} ${JSON.stringify(error)}`, /hidden|bWU6/)
      }
    }))

  it.live.each(
    [[403, /refuses to connect to registry\.test:\d+ \(HTTP 403\)/], [407, /wants a login \(HTTP 407\)/], [
      503,
      /HTTP 503/
    ]] as const
  )("answers %s says so", ([status, expected]) =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      const proxy = yield* startForwardProxy({ refuse: () => status })
      const error = yield* failing(registry, proxy.origin)
      assert.strictEqual(error.reason, "Unreachable")
      assert.isTrue(error.retryable)
      assert.include(error.message, proxy.origin)
      assert.match(error.message, expected)
    }))

  it.live("wants a login for plain HTTP says so as well", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      const proxy = yield* startForwardProxy({ refuse: () => 407 })
      const source = named(registry, "plain.test")
      const error = yield* Effect.flip(
        using({ backup: "b.test", plainHttp: [source], lookup: nowhere, proxies: through(proxy.origin) }, head(source))
      )
      assert.strictEqual(error.reason, "Unreachable")
      assert.match(error.message, /the proxy http:\/\/127\.0\.0\.1:\d+ wants a login/)
    }))

  it.live("never answers a CONNECT is given up", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      const proxy = yield* startForwardProxy({ refuse: () => "hang" })
      const started = performance.now()
      const error = yield* failing(registry, proxy.origin)
      assert.strictEqual(error.reason, "Unreachable")
      assert.include(error.message, `the proxy ${proxy.origin} gives no answer`)
      assert.isBelow(performance.now() - started, 4000)
    }))
})
