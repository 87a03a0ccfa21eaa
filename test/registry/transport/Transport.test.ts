// Addresses, redirects, bounds, time-outs and rests, over real sockets against fake registries.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, FileSystem, Option } from "effect"
import { NodeServices } from "@effect/platform-node"
import { type AddressInfo, createServer, type LookupFunction, type Server, type Socket } from "node:net"
import { Readable } from "node:stream"
import { ociIndex } from "../../../src/image/ManifestDocument.ts"
import { RegistryClient } from "../../../src/registry/RegistryClient.ts"
import type { RegistryError } from "../../../src/registry/RegistryError.ts"
import { makeCertificates } from "../../kube/Certificates.ts"
import { refuse, startFakeRegistry, startServer } from "../../support/FakeRegistry.ts"
import { clientLayer, type TestOptions } from "../../support/Registries.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"

const image = imageOf([layerOf("a")])

const using = <A, E>(
  options: TestOptions,
  use: (client: RegistryClient["Service"]) => Effect.Effect<A, E>
): Effect.Effect<A, E> => Effect.flatMap(RegistryClient, use).pipe(Effect.provide(clientLayer(options)))

const head = (registry: string) => (client: RegistryClient["Service"]) =>
  client.headManifest({ registry, repository: "app" }, "1")

/** The port of a server that does with every socket what it is told. */
const listen = (then: (socket: Socket) => void) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Server>((resume) => {
        const sockets = new Set<Socket>()
        const server = createServer((socket) => {
          sockets.add(socket.on("error", () => {}))
          then(socket)
        })
        server.once("close", () => sockets.forEach((it) => it.destroy()))
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => void server.close())
    ),
    (server) => (server.address() as AddressInfo).port // it listens on a port, so the address is not a pipe's
  )

describe("addresses", () => {
  it.live.each([
    ["127.0.0.1:1"],
    ["169.254.169.254"],
    ["[::1]:1"],
    ["[::ffff:127.0.0.1]:1"],
    ["0x7f.1"],
    ["10.0.0.1:6443"]
  ])("%s named as a registry is told apart, and refused without a packet", ([registry]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(using({ backup: "b.test" }, head(registry ?? "")))
      assert.strictEqual(error.reason, "Internal")
      assert.isFalse(error.retryable)
      assert.include(error.message, "PRIVATE_REGISTRIES")
    }))

  it.live("a name that resolves to a private one is refused at every connection, however it resolved before", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      registry.add("app", image, "1")
      const name = registry.host.replace("127.0.0.1", "rebinding.test")
      let asked = 0
      const error = yield* Effect.flip(using({
        backup: "b.test",
        lookup: (_, options, callback) => {
          asked++
          const address = asked === 1 ? "169.254.169.254" : "127.0.0.1"
          return options.all === true ? callback(null, [{ address, family: 4 }]) : callback(null, address, 4)
        }
      }, head(name)))
      assert.strictEqual(error.reason, "Internal")
      assert.include(error.message, "169.254.169.254")
      assert.strictEqual(registry.seen.length, 0)
    }))

  it.live("a redirect to a metadata service is refused", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      registry.on(/./, (_, response) =>
        response.writeHead(307, { location: "http://169.254.169.254/latest/meta-data" }).end())
      const error = yield* Effect.flip(using({ backup: "b.test", plainHttp: [registry.host] }, head(registry.host)))
      assert.strictEqual(error.reason, "Refused")
    }))

  it.live("a redirect to a name that resolves to a private one is refused", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      const port = registry.host.split(":")[1] ?? ""
      registry.on(/HEAD/, (_, response) =>
        response.writeHead(307, { location: `http://registry.test:${port}/other` }).end())
      const error = yield* Effect.flip(using({
        backup: "b.test",
        plainHttp: [registry.host],
        lookup: (_, options, callback) =>
          options.all === true ? callback(null, [{ address: "10.0.0.1", family: 4 }]) : callback(null, "10.0.0.1", 4)
      }, head(registry.host)))
      assert.strictEqual(error.reason, "Refused")
    }))

  it.live("a realm and an upload's Location there are refused", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      const other = yield* startServer((_, response) => response.writeHead(201).end())
      registry.on(/HEAD/, (_, response) =>
        refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="http://localhost:1/token"` }))
      registry.on(/POST/, (_, response) =>
        response.writeHead(202, { location: `${other.origin}/x` }).end())
      const errors = yield* using(
        { backup: registry.host, plainHttp: [registry.host] },
        (client) =>
          Effect.all([
            Effect.flip(head(registry.host)(client)),
            client.startUpload({ registry: registry.host, repository: "mirror/app" }).pipe(
              Effect.flatMap((upload) =>
                client.putBlob(upload, layerOf("a").digest, 0, undefined)
              ),
              Effect.flip
            )
          ])
      )
      assert.deepStrictEqual(errors.map((it) => it.reason), ["Refused", "Refused"])
      assert.strictEqual(other.seen.length, 0)
    }))

  it.live("a realm that may be private does not open the way to others that may not", () =>
    Effect.gen(function*() {
      const inside = yield* startServer((_, response) => response.writeHead(200).end("{\"token\":\"x\"}"))
      const realm = yield* startServer((_, response) => response.writeHead(302, { location: inside.origin }).end())
      const registry = yield* startFakeRegistry()
      registry.on(/./, (_, response) =>
        refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="${realm.origin}/token"` }))
      const error = yield* Effect.flip(using({ backup: "b.test", plainHttp: [registry.host] }, head(registry.host)))
      assert.strictEqual(error.reason, "Refused")
      assert.strictEqual(realm.seen.length, 1)
      assert.strictEqual(inside.seen.length, 0)
    }))

  it.live("a name that is no host is not supported", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(using({ backup: "b.test" }, head("1.2.3.4.5")))
      assert.strictEqual(error.reason, "Unsupported")
    }))
})

describe("redirects", () => {
  it.live("end after five", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      registry.on(/./, (seen, response) => response.writeHead(302, { location: `${seen.path}x` }).end())
      const error = yield* Effect.flip(using({ backup: "b.test", plainHttp: [registry.host] }, head(registry.host)))
      assert.strictEqual(error.reason, "Protocol")
      assert.strictEqual(registry.seen.length, 6)
    }))

  it.live("of a POST to another host are not followed", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      registry.on(/POST/, (_, response) => response.writeHead(307, { location: "http://b.test/elsewhere" }).end())
      const error = yield* Effect.flip(
        using({ backup: registry.host, plainHttp: [registry.host] }, (client) =>
          client.startUpload({ registry: registry.host, repository: "mirror/app" }))
      )
      assert.strictEqual(error.reason, "Protocol")
      assert.strictEqual(registry.seen.length, 1)
    }))

  it.live("never leave TLS, and a query's secrets are not told", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* Effect.promise(makeCertificates)
      const registry = yield* startFakeRegistry({ certificate: server.cert, key: server.key })
      registry.on(/./, (_, response) =>
        response.writeHead(302, { location: "http://plain.test/x?X-Amz-Signature=secret" }).end())
      const certificates = yield* certsDir({ [registry.host]: ca })
      const error = yield* Effect.flip(
        using({ backup: registry.host, certificates }, (client) =>
          head(registry.host)(client))
      )
      assert.strictEqual(error.reason, "Refused")
      assert.include(error.message, "would leave TLS")
      assert.notInclude(error.message, "secret")
    }).pipe(Effect.provide(NodeServices.layer)))
})

/** A folder in CERTS_DIR's layout. */
const certsDir = (of: Record<string, string>) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const directory = yield* fs.makeTempDirectoryScoped()
    for (const [host, pem] of Object.entries(of)) {
      yield* fs.makeDirectory(`${directory}/certs.d/${host}`, { recursive: true })
      yield* fs.writeFileString(`${directory}/certs.d/${host}/ca.crt`, pem)
    }
    return directory
  })

describe("TLS", () => {
  it.live("where a host is said to do without: named, whether it sends an alert or hangs up", () =>
    Effect.gen(function*() {
      const alert = yield* listen((socket) => {
        socket.once("data", () => socket.end(Buffer.from([0x15, 3, 1, 0, 2, 2, 70])))
      })
      const certain = yield* Effect.flip(
        using({ backup: "b.test", plainHttp: [`127.0.0.1:${alert}`] }, head(`127.0.0.1:${alert}`))
      )
      assert.strictEqual(certain.reason, "Certificate")
      assert.include(certain.message, "the host speaks TLS; it is spoken to without, because PLAIN_HTTP_REGISTRIES")
      const silent = yield* listen((socket) => {
        socket.once("data", () => socket.destroy())
      })
      const perhaps = yield* Effect.flip(using({
        backup: "b.test",
        plainHttp: [`127.0.0.1:${silent}`],
        limits: { attempts: 2 }
      }, head(`127.0.0.1:${silent}`)))
      assert.strictEqual(perhaps.reason, "Unreachable")
      assert.include(perhaps.message, "does the host want TLS?")
    }))

  it.live("where a host hangs up on it: perhaps it does not speak it", () =>
    Effect.gen(function*() {
      const port = yield* listen((socket) => {
        socket.once("data", () => socket.end())
      })
      const perhaps = yield* Effect.flip(using({
        backup: "b.test",
        privateHosts: [`127.0.0.1:${port}`],
        limits: { attempts: 2 }
      }, head(`127.0.0.1:${port}`)))
      assert.strictEqual(perhaps.reason, "Unreachable")
      assert.include(perhaps.message, "PLAIN_HTTP_REGISTRIES")
    }))

  it.live("trusts the authorities of CERTS_DIR for their host, and says what is missing elsewhere", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* Effect.promise(makeCertificates)
      const registry = yield* startFakeRegistry({ certificate: server.cert, key: server.key })
      registry.add("app", image, "1")
      const certificates = yield* certsDir({ [registry.host]: ca, "broken.test": "no certificate" })
      const found = yield* using({ backup: registry.host, certificates }, head(registry.host))
      assert.isTrue(Option.isSome(found))
      const error = yield* Effect.flip(using({ backup: registry.host }, head(registry.host)))
      assert.strictEqual(error.reason, "Certificate")
      assert.isFalse(error.retryable)
      assert.include(error.message, "CERTS_DIR")
    }).pipe(Effect.provide(NodeServices.layer)))

  it.live("is never given up for a host that speaks plain HTTP", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      const error = yield* Effect.flip(using({ backup: registry.host }, head(registry.host)))
      assert.strictEqual(error.reason, "Certificate")
      assert.include(error.message, "PLAIN_HTTP_REGISTRIES")
      assert.strictEqual(registry.seen.length, 0)
    }))
})

describe("answers", () => {
  const quick: Partial<TestOptions> = { limits: { answerTimeout: Duration.millis(600), attempts: 2 } }

  it.live("that do not come end in a time-out, tried again", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      registry.on(/./, () => {})
      const error = yield* Effect.flip(
        using({ backup: "b.test", plainHttp: [registry.host], ...quick }, head(registry.host))
      )
      assert.strictEqual(error.reason, "Timeout")
      assert.isTrue(error.retryable)
      assert.strictEqual(registry.seen.length, 2)
    }))

  it.live.each(["HEAD", "GET", "blob"])(
    "that trickle for ever come to an end: %s",
    (what) =>
      Effect.gen(function*() {
        const registry = yield* startFakeRegistry()
        registry.on(/./, (seen, response) => {
          const { socket } = response
          const drip = setInterval(() => socket?.write(seen.method === "HEAD" ? "x" : "1\r\nx\r\n"), 50)
          response.on("close", () => clearInterval(drip))
          const status = what === "blob" ? "404 Not Found" : "200 OK"
          socket?.write(
            `HTTP/1.1 ${status}\r\n${seen.method === "HEAD" ? "x-slow: " : "transfer-encoding: chunked\r\n\r\n"}`
          )
        })
        const started = performance.now()
        const error = yield* Effect.flip(
          using({
            backup: "b.test",
            plainHttp: [registry.host],
            limits: { answerTimeout: Duration.millis(600), wholeTimeout: Duration.millis(1500), attempts: 1 }
          }, (client): Effect.Effect<unknown, RegistryError> => {
            const repository = { registry: registry.host, repository: "app" }
            if (what === "HEAD") return client.headManifest(repository, "1")
            if (what === "GET") return client.getManifest(repository, "1")
            return Effect.scoped(client.openBlob(repository, layerOf("a").digest, 0))
          })
        )
        // a refusal is one as soon as its status is there
        assert.strictEqual(error.reason, what === "blob" ? "NotFound" : "Timeout")
        assert.isBelow(performance.now() - started, 4000)
      })
  )

  it.live.each(["HEAD", "blob", "upload"])(
    "that are announced by 103 for ever come to an end: %s",
    (what) =>
      Effect.gen(function*() {
        const registry = yield* startFakeRegistry()
        registry.on(/HEAD|GET|PUT/, (_, response) => {
          const hints = setInterval(() => response.socket?.write("HTTP/1.1 103 Early Hints\r\n\r\n"), 100)
          response.on("close", () => clearInterval(hints))
        })
        const patient = Duration.millis(600)
        const error = yield* Effect.flip(
          using({
            backup: registry.host,
            plainHttp: [registry.host],
            limits: { answerTimeout: patient, commitTimeout: patient, attempts: 1 }
          }, (client): Effect.Effect<unknown, RegistryError> => {
            const repository = { registry: registry.host, repository: "mirror/app" }
            if (what === "HEAD") return client.headManifest(repository, "1")
            if (what === "blob") return Effect.scoped(client.openBlob(repository, layerOf("a").digest, 0))
            const { bytes, digest } = layerOf("a")
            return Effect.flatMap(
              client.startUpload(repository),
              (upload) => client.putBlob(upload, digest, bytes.length, Readable.from([bytes], { objectMode: false }))
            )
          }).pipe(Effect.timeout("8 seconds"))
        )
        assert.deepStrictEqual([error._tag, "reason" in error && error.reason], ["RegistryError", "Timeout"])
        assert.include(error.message, "1xx")
      }),
    10_000
  )

  it.live("that are announced by 102 while a blob is still being sent are waited for until it is sent", () =>
    Effect.gen(function*() {
      const { bytes, digest } = layerOf("a", 40_000)
      let announced = 0
      const storage = yield* startServer((_, response) => response.writeHead(201).end(), undefined, {
        early: (_, __, response) => {
          announced++
          response.writeProcessing()
          return false
        }
      })
      const registry = yield* startFakeRegistry()
      registry.on(/POST/, (_, response) => response.writeHead(202, { location: `${storage.origin}/put` }).end())
      let at = 0
      const slow = new Readable({
        read() {
          setTimeout(() => this.push(at < bytes.length ? bytes.subarray(at, at += 4_000) : null), 200)
        }
      })
      yield* using({
        backup: registry.host,
        plainHttp: [registry.host, storage.host],
        limits: { commitTimeout: Duration.millis(1200), attempts: 1 }
      }, (client) =>
        Effect.flatMap(
          client.startUpload({ registry: registry.host, repository: "mirror/app" }),
          (upload) => client.putBlob(upload, digest, bytes.length, slow)
        ))
      assert.strictEqual(announced, 1)
      assert.isTrue(storage.seen[0]?.body.equals(bytes))
    }))

  it.live("have up to 4 MiB, and up to 8 MiB where they may be schema 1 of a source", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      const mebibytes = (of: string) =>
        registry.on(new RegExp(`GET /v2/${of}/manifests`), (seen, response) =>
          response.writeHead(200, { "content-type": of === "index" ? ociIndex : "application/json" }).end(
            Buffer.alloc(Number(seen.path.split("/").at(-1)) * 1024 * 1024, " ")
          ))
      mebibytes("app")
      mebibytes("index")
      mebibytes("mirror/app")
      const read = (repository: string, size: number) =>
        using({ backup: registry.host, plainHttp: [registry.host] }, (client) =>
          Effect.result(client.getManifest({ registry: registry.host, repository }, String(size))))
      const outcomes = yield* Effect.forEach([
        read("app", 8),
        read("app", 9),
        read("index", 4),
        read("index", 5),
        read("mirror/app", 4),
        read("mirror/app", 5)
      ], (it) =>
        Effect.map(it, (outcome) =>
          outcome._tag === "Success" ? "read" : outcome.failure.reason))
      assert.deepStrictEqual(outcomes, ["read", "TooLarge", "read", "Unsupported", "read", "TooLarge"])
    }))

  it.live("of more are refused, and read no further", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      let sent = 0
      registry.on(/GET/, (_, response) => {
        const more = () => {
          while (sent < 200 * 1024 * 1024) {
            sent += 65_536
            if (!response.write(Buffer.alloc(65_536))) return response.once("drain", more)
          }
          return response.end()
        }
        response.writeHead(200, { "content-type": "application/json" })
        more()
      })
      const error = yield* Effect.flip(
        using({ backup: "b.test", plainHttp: [registry.host] }, (client) =>
          client.getManifest({ registry: registry.host, repository: "app" }, "1"))
      )
      assert.strictEqual(error.reason, "TooLarge")
      assert.isBelow(sent, 30 * 1024 * 1024)
    }))

  it.live("5xx and cut connections are tried again, up to five times", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      registry.add("app", image, "1")
      const options = { backup: "b.test", plainHttp: [registry.host] }
      registry.on(/./, (_, response) => response.writeHead(502).end("<html>"), 2)
      registry.on(/./, (_, response) => response.destroy(), 2)
      assert.isTrue(Option.isSome(yield* using(options, head(registry.host))))
      assert.strictEqual(registry.seen.length, 5)
      registry.forget()
      registry.on(/./, (_, response) => response.writeHead(503).end())
      const error = yield* Effect.flip(using(options, head(registry.host)))
      assert.strictEqual(error.reason, "Unavailable")
      assert.strictEqual(registry.seen.length, 5)
    }))

  it.live("an unreachable host is an error that can pass", () =>
    Effect.gen(function*() {
      const gone = yield* Effect.scoped(Effect.map(startFakeRegistry(), (it) => it.host))
      const error = yield* Effect.flip(using({ backup: "b.test", plainHttp: [gone] }, head(gone)))
      assert.strictEqual(error.reason, "Unreachable")
      assert.isTrue(error.retryable)
    }))

  it.live("connections are kept over HEADs", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      registry.add("app", image, "1")
      const sockets = new Set<unknown>()
      registry.on(/./, (_, response, next) => {
        sockets.add(response.socket)
        next()
      })
      yield* using({ backup: "b.test", plainHttp: [registry.host] }, (client) =>
        Effect.forEach(Array.from({ length: 10 }), () => head(registry.host)(client)))
      // undici frees a connection just after the answer is handed over, so a second one may be opened, never a third
      assert.isAtMost(sockets.size, 2)
    }))
})

describe("a connection", () => {
  const failing = (code: string): LookupFunction => (host, _, callback) =>
    // as Node says it
    callback(Object.assign(new Error(`getaddrinfo ${code} ${host}`), { code, syscall: "getaddrinfo" }), "", 0)

  it.live.each(
    [
      ["is refused", "127.0.0.1:1", ["127.0.0.1:1"], undefined],
      ["has no name to go to", "gone.test", [], "ENOTFOUND"],
      ["has no resolver", "gone.test", ["gone.test"], "EAI_AGAIN"]
    ] as const
  )("does not come about where it %s", ([, host, plainHttp, code]) =>
    Effect.gen(function*() {
      const lookup = code === undefined ? {} : { lookup: failing(code) }
      const error = yield* Effect.flip(using({ backup: "b.test", plainHttp, ...lookup }, head(host)))
      assert.deepStrictEqual([error.reason, error.noConnection, error.retryable], ["Unreachable", true, true])
    }))

  it.live.each([["never answered", false, "Timeout"], ["cut", true, "Unreachable"]] as const)(
    "does not come about where its handshake is %s",
    ([, cuts, reason]) =>
      Effect.gen(function*() {
        const port = yield* listen((socket) => void (cuts && socket.destroy()))
        const error = yield* Effect.flip(using({
          backup: "b.test",
          privateHosts: [`127.0.0.1:${port}`],
          limits: { connectTimeout: Duration.millis(200), attempts: 1 }
        }, head(`127.0.0.1:${port}`)))
        assert.deepStrictEqual([error.reason, error.noConnection], [reason, true])
      })
  )

  it.live("has come about where it breaks later, or no answer comes over it", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      const options = {
        backup: "b.test",
        plainHttp: [registry.host],
        limits: { answerTimeout: Duration.millis(100), attempts: 1 }
      }
      registry.on(/./, (_, response) => void response.destroy(), 1)
      const cut = yield* Effect.flip(using(options, head(registry.host)))
      registry.on(/./, () => {}, 1)
      const slow = yield* Effect.flip(using(options, head(registry.host)))
      assert.deepStrictEqual([cut.reason, cut.noConnection], ["Unreachable", false])
      assert.deepStrictEqual([slow.reason, slow.noConnection], ["Timeout", false])
    }))
})

describe("a rate limit", () => {
  it.live("is waited for by every request to the host", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      registry.add("app", image, "1")
      registry.on(/./, (_, response) => refuse(response, 429, "TOOMANYREQUESTS", { "retry-after": "1" }), 1)
      const started = Date.now()
      yield* using({ backup: "b.test", plainHttp: [registry.host] }, (client) =>
        Effect.gen(function*() {
          const limited = yield* Effect.forkChild(head(registry.host)(client), { startImmediately: true })
          yield* Effect.sleep("200 millis")
          yield* head(registry.host)(client)
          yield* Fiber.join(limited)
        }))
      assert.isAtLeast(Date.now() - started, 1000)
      assert.strictEqual(registry.seen.length, 3)
    }))

  it.live("of hours fails at once with its time, and so does the next request, unsent", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      registry.on(/./, (_, response) => refuse(response, 429, "TOOMANYREQUESTS", { "retry-after": "21600" }))
      yield* using({ backup: "b.test", plainHttp: [registry.host] }, (client) =>
        Effect.gen(function*() {
          for (let index = 0; index < 2; index++) {
            const error = yield* Effect.flip(head(registry.host)(client))
            assert.strictEqual(error.reason, "RateLimited")
            assert.isTrue(error.retryable)
            const after = error.retryAfter
            if (after === undefined) return assert.fail("no time")
            assert.approximately(Duration.toSeconds(after), 21_600, 5)
          }
        }))
      assert.strictEqual(registry.seen.length, 1)
    }))

  it.live("in a 403 without a body is found by asking again with GET", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      registry.on(/./, (seen, response) =>
        seen.method === "HEAD"
          ? response.writeHead(403).end()
          : refuse(response, 403, "DENIED", {}, "You have exceeded a secondary rate limit"))
      const error = yield* Effect.flip(using({ backup: "b.test", plainHttp: [registry.host] }, head(registry.host)))
      assert.strictEqual(error.reason, "RateLimited")
    }))

  it.live("announced and nearly used up withholds GETs of manifests, not HEADs", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      registry.add("app", image, "1")
      registry.on(/manifests/, (_, response, next) => {
        response.setHeader("ratelimit-limit", "100;w=21600")
        response.setHeader("ratelimit-remaining", "19;w=21600")
        next()
      })
      const repository = { registry: registry.host, repository: "app" }
      yield* using({ backup: "b.test", plainHttp: [registry.host] }, (client) =>
        Effect.gen(function*() {
          yield* client.headManifest(repository, "1")
          const error = yield* Effect.flip(client.getManifest(repository, "1"))
          assert.strictEqual(error.reason, "RateLimited")
          yield* client.headManifest(repository, "1")
        }))
      assert.strictEqual(registry.count(/GET/), 0)
    }))
})
