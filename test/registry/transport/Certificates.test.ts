// certs.d: which files count for which host, what a broken one does, how a rotation is noticed; and, over real TLS, who sees
// a client certificate.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Logger, Option, References } from "effect"
import { TestClock } from "effect/testing"
import { type Certificates, makeCertificates } from "../../../src/registry/transport/Certificates.ts"
import { basic, type Credential } from "../../../src/registry/auth/DockerConfig.ts"
import { RegistryClient } from "../../../src/registry/RegistryClient.ts"
import { makeCertificates as issue } from "../../kube/Certificates.ts"
import { refuse, startFakeRegistry, startServer, type Tls } from "../../support/FakeRegistry.ts"
import { clientLayer, type TestOptions } from "../../support/Registries.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"

const silent = Layer.mergeAll(NodeServices.layer, Layer.succeed(References.MinimumLogLevel, "None"))

/** Everything that is logged, as texts. */
const recording = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => {
    lines.push(String(message))
  })
  return { lines, layer: Layer.mergeAll(NodeServices.layer, Logger.layer([logger])) }
}

const folder = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectoryScoped()
  return {
    directory,
    write: Effect.fnUntraced(function*(host: string, files: Readonly<Record<string, string>>) {
      yield* fs.makeDirectory(`${directory}/certs.d/${host}`, { recursive: true })
      for (const [name, text] of Object.entries(files)) {
        yield* fs.writeFileString(`${directory}/certs.d/${host}/${name}`, text)
      }
    }, Effect.orDie),
    remove: (path: string) => Effect.orDie(fs.remove(`${directory}/certs.d/${path}`, { recursive: true })),
    certificates: makeCertificates(Option.some(directory))
  }
})

const again = (certificates: Certificates) => Effect.andThen(TestClock.adjust("6 seconds"), certificates.refresh)

describe("certs.d", () => {
  it.effect("speaks for the hosts that its folders name, Docker Hub by any of its names", () =>
    Effect.gen(function*() {
      const { ca, client } = yield* Effect.promise(issue)
      const { certificates, write } = yield* folder
      yield* write("docker.io", { "ca.crt": ca })
      yield* write("Registry.Example:443", { "a.crt": ca, "b.cert": client.cert, "b.key": client.key })
      yield* write("registry.example:5000", { "readme.txt": "no certificate" })
      yield* write("..not a host", { "ca.crt": "nonsense" })
      const found = yield* certificates
      assert.isDefined(found.trustOf("registry-1.docker.io", false))
      assert.isDefined(found.trustOf("registry.example", false))
      assert.isUndefined(found.trustOf("registry.example:5000", false))
      assert.isTrue(found.hasClient("registry.example"))
      assert.isFalse(found.hasClient("docker.io"))
      assert.isUndefined(found.trustOf("docker.io", true))
      assert.notStrictEqual(
        found.trustOf("registry.example", true)?.context,
        found.trustOf("registry.example", false)?.context
      )
      assert.strictEqual(found.trustOf("registry.example", true), found.trustOf("registry.example", true))
    }).pipe(Effect.provide(silent)))

  it.effect("need not be there, until it is", () =>
    Effect.gen(function*() {
      const { ca } = yield* Effect.promise(issue)
      const { certificates, write } = yield* folder
      const found = yield* certificates
      assert.isUndefined(found.trustOf("x.io", false))
      yield* write("x.io", { "ca.crt": ca })
      yield* again(found)
      assert.isDefined(found.trustOf("x.io", false))
    }).pipe(Effect.provide(silent)))

  it.effect("names every broken file of a host in one warning, once, and spares the others", () => {
    const { layer, lines } = recording()
    return Effect.gen(function*() {
      const { ca, client, server } = yield* Effect.promise(issue)
      const { certificates, write } = yield* folder
      yield* write("good.io", { "ca.crt": ca })
      yield* write("bad.io", {
        "ca.crt": "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n",
        "half.crt": `${ca}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
        "lonely.cert": client.cert,
        "orphan.key": client.key,
        "pair.cert": client.cert,
        "pair.key": server.key,
        "secret.cert": client.cert,
        "secret.key": "hunter2"
      })
      const found = yield* certificates
      assert.strictEqual(lines.length, 1)
      for (
        const part of [
          "bad.io",
          "ca.crt is no PEM certificate",
          "half.crt is no PEM certificate",
          "lonely.cert has no lonely.key beside it",
          "orphan.key has no orphan.cert beside it",
          "pair.cert and its key belong to different pairs",
          "secret.cert has a key that is encrypted or no PEM private key"
        ]
      ) assert.include(lines[0] ?? "", part)
      assert.notInclude(lines.join(), "hunter2")
      assert.notInclude(lines.join(), "PRIVATE KEY")
      assert.include(found.problemOf("bad.io") ?? "", "lonely.cert")
      assert.isUndefined(found.problemOf("good.io"))
      assert.isDefined(found.trustOf("good.io", false))
      assert.isUndefined(found.trustOf("bad.io", false))
      assert.isFalse(found.hasClient("bad.io"))
      yield* again(found)
      assert.strictEqual(lines.length, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is read again when it changes; half a rotation leaves the old pair in use", () =>
    Effect.gen(function*() {
      const [one, two] = yield* Effect.promise(() => Promise.all([issue(), issue()]))
      const { certificates, remove, write } = yield* folder
      yield* write("x.io", { "ca.crt": one.ca, "c.cert": one.client.cert, "c.key": one.client.key })
      const found = yield* certificates
      const first = found.trustOf("x.io", true)
      yield* again(found)
      assert.strictEqual(found.trustOf("x.io", true), first)

      yield* write("x.io", { "c.cert": two.client.cert })
      yield* again(found)
      assert.include(found.problemOf("x.io") ?? "", "different pairs")
      assert.isTrue(found.hasClient("x.io"))

      yield* write("x.io", { "c.key": two.client.key })
      yield* again(found)
      assert.isUndefined(found.problemOf("x.io"))
      assert.notStrictEqual(found.trustOf("x.io", true)?.version, first?.version)

      yield* remove("x.io/c.cert")
      yield* remove("x.io/c.key")
      yield* again(found)
      assert.isFalse(found.hasClient("x.io"))
      yield* remove("x.io")
      yield* again(found)
      assert.isUndefined(found.trustOf("x.io", false))
    }).pipe(Effect.provide(silent)))
})

const image = imageOf([layerOf("a")])

const using = <A, E>(
  options: TestOptions,
  use: (client: RegistryClient["Service"]) => Effect.Effect<A, E>
): Effect.Effect<A, E> => Effect.flatMap(RegistryClient, use).pipe(Effect.provide(clientLayer(options)))

/** A registry over TLS that asks for client certificates, and certs.d with one for it. */
const world = Effect.fnUntraced(function*(more: Partial<Tls> = {}) {
  const files = yield* Effect.promise(issue)
  const tls: Tls = { certificate: files.server.cert, key: files.server.key, clients: files.ca, ...more }
  const registry = yield* startFakeRegistry(tls)
  registry.add("team/app", image, "1")
  const { directory, write } = yield* folder
  yield* write(registry.host, { "ca.crt": files.ca, "me.cert": files.client.cert, "me.key": files.client.key })
  return { files, tls, registry, certificates: directory, write }
})

const clients = (seen: ReadonlyArray<{ readonly client?: string }>) => [...new Set(seen.map((it) => it.client))]

describe("a client certificate", () => {
  it.live("is shown to the backup below the prefix, and to nothing else on its host", () =>
    Effect.gen(function*() {
      const { certificates, registry } = yield* world()
      yield* using({ backup: registry.host, certificates }, (client) =>
        Effect.gen(function*() {
          yield* client.startUpload({ registry: registry.host, repository: "mirror/app" })
          assert.deepStrictEqual(clients(registry.seen), ["someone"])
          registry.forget()
          const source = { registry: registry.host, repository: "team/app" }
          yield* client.getManifest(source, "1")
          yield* Effect.scoped(client.openBlob(source, layerOf("a").digest, 0))
          assert.deepStrictEqual(clients(registry.seen), [undefined])
        }))
    }).pipe(Effect.provide(silent)))

  it.live("is shown to a source only after an anonymous HEAD, and lets in where nobody else is", () =>
    Effect.gen(function*() {
      const { certificates, registry } = yield* world()
      const options = { backup: "b.test", privateHosts: [registry.host], certificates }
      const source = { registry: registry.host, repository: "team/app" }
      yield* using(options, (client) => client.getManifest(source, "1"))
      assert.deepStrictEqual(registry.seen.map((it) => [it.method, it.client]), [
        ["HEAD", undefined],
        ["GET", "someone"]
      ])
    }).pipe(Effect.provide(silent)))

  it.live("of a source that admits nobody without one stays unused; by hand it is used", () =>
    Effect.gen(function*() {
      const { certificates, registry } = yield* world({ clientsOnly: true })
      const options = { backup: "b.test", privateHosts: [registry.host], certificates }
      const source = { registry: registry.host, repository: "team/app" }
      yield* Effect.flip(using(options, (client) => client.getManifest(source, "1")))
      assert.strictEqual(registry.seen.length, 0)
      yield* using({ ...options, sourceCredentials: "always" }, (client) => client.getManifest(source, "1"))
      assert.deepStrictEqual(clients(registry.seen), ["someone"])
    }).pipe(Effect.provide(silent)))

  it.live("that a source does not trust is left away", () =>
    Effect.gen(function*() {
      const stranger = yield* Effect.promise(issue)
      const { certificates, registry, write } = yield* world()
      yield* write(registry.host, { "me.cert": stranger.client.cert, "me.key": stranger.client.key })
      registry.on(/./, (seen, response, next) => seen.client === undefined ? next() : refuse(response, 403, "DENIED"))
      const source = { registry: registry.host, repository: "team/app" }
      yield* using(
        { backup: "b.test", privateHosts: [registry.host], certificates },
        (client) => client.getManifest(source, "1")
      )
      assert.deepStrictEqual(registry.seen.map((it) => [it.method, it.client]), [
        ["HEAD", undefined],
        ["GET", "someone"],
        ["GET", undefined]
      ])
    }).pipe(Effect.provide(silent)))

  it.live("does not follow a redirect, a Location or a foreign realm, though they lead to a host that has one", () =>
    Effect.gen(function*() {
      const { certificates, files, registry, tls, write } = yield* world()
      const other = yield* startServer((seen, response) =>
        seen.path === "/token"
          ? response.writeHead(200).end("{\"token\":\"t\"}")
          : response.writeHead(seen.method === "GET" ? 200 : 201, { "content-length": 0 }).end(), tls)
      yield* write(other.host, { "ca.crt": files.ca, "me.cert": files.client.cert, "me.key": files.client.key })
      registry.on(/GET .*blobs/, (_, response) => response.writeHead(307, { location: `${other.origin}/cdn` }).end())
      registry.on(/POST/, (_, response) => response.writeHead(202, { location: `${other.origin}/put` }).end())
      const foreign = other.origin.replace("127.0.0.1", "localhost")
      registry.on(/HEAD .*manifests/, (seen, response, next) =>
        seen.headers.authorization === undefined
          ? refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="${foreign}/token"` })
          : next())
      yield* write(foreign.replace("https://", ""), {
        "ca.crt": files.ca,
        "me.cert": files.client.cert,
        "me.key": files.client.key
      })
      const mirror = { registry: registry.host, repository: "mirror/app" }
      const config = imageOf([]).blobs[0] ?? layerOf("config")
      yield* using(
        { backup: registry.host, certificates, privateHosts: [other.host, foreign.replace("https://", "")] },
        (client) =>
          Effect.gen(function*() {
            yield* Effect.scoped(client.openBlob(mirror, layerOf("a").digest, 0))
            const upload = yield* client.startUpload(mirror)
            yield* client.putBlob(upload, config.digest, 0, undefined)
            // the certificate of the server is for 127.0.0.1: what counts is that none of ours was shown
            yield* Effect.ignore(client.headManifest(mirror, "1"))
          })
      )
      assert.deepStrictEqual(clients(registry.seen), ["someone"])
      assert.deepStrictEqual(other.seen.map((it) => it.path).slice(0, 2), ["/cdn", "/put"])
      assert.deepStrictEqual(clients(other.seen), [undefined])
    }).pipe(Effect.provide(silent)))

  it.live("goes to the registry's own token server with its login", () =>
    Effect.gen(function*() {
      const { certificates, files, registry, tls, write } = yield* world()
      const realm = yield* startServer((_, response) => response.writeHead(200).end("{\"token\":\"t\"}"), tls)
      yield* write(realm.host, { "ca.crt": files.ca, "me.cert": files.client.cert, "me.key": files.client.key })
      registry.on(/./, (seen, response, next) =>
        seen.headers.authorization === "Bearer t"
          ? next()
          : refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="${realm.origin}/token"` }))
      const credentials = (): Credential => basic("me", "pw")
      yield* using({ backup: registry.host, certificates, credentials }, (client) =>
        Effect.gen(function*() {
          yield* client.startUpload({ registry: registry.host, repository: "mirror/app" })
          yield* client.getManifest({ registry: registry.host, repository: "team/app" }, "1")
        }))
      assert.deepStrictEqual(realm.seen.map((it) => [it.client, it.headers.authorization !== undefined]), [
        ["someone", true],
        [undefined, false]
      ])
    }).pipe(Effect.provide(silent)))

  it.live("that is replaced is shown to the next connection, without a restart", () =>
    Effect.gen(function*() {
      const { certificates, files, registry, write } = yield* world({ clientsOnly: true })
      const stranger = yield* Effect.promise(issue)
      yield* write(registry.host, { "me.cert": stranger.client.cert, "me.key": stranger.client.key })
      const mirror = { registry: registry.host, repository: "mirror/app" }
      yield* using({ backup: registry.host, certificates }, (client) =>
        Effect.gen(function*() {
          yield* Effect.flip(client.headManifest(mirror, "1"))
          yield* write(registry.host, { "me.cert": files.client.cert, "me.key": files.client.key })
          yield* Effect.sleep("5100 millis")
          yield* client.headManifest(mirror, "1")
        }))
      assert.deepStrictEqual(clients(registry.seen), ["someone"])
    }).pipe(Effect.provide(silent)), 15_000)
})
