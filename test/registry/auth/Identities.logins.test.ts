// Several logins for one repository, over real sockets: which is tried when, what is remembered, what a write never does.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { basic, type Login } from "../../../src/registry/auth/DockerConfig.ts"
import { RegistryClient } from "../../../src/registry/RegistryClient.ts"
import { type FakeRegistry, refuse, type Seen, startFakeRegistry, startServer } from "../../support/FakeRegistry.ts"
import { clientLayer, type TestOptions } from "../../support/Registries.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"

const image = imageOf([layerOf("a")])
const [first, second, third] = ["first", "second", "third"].map((name) => basic(name, "pw")) as [Login, Login, Login]

const using = <A, E>(
  options: TestOptions,
  use: (client: RegistryClient["Service"]) => Effect.Effect<A, E>
): Effect.Effect<A, E> => Effect.flatMap(RegistryClient, use).pipe(Effect.provide(clientLayer(options)))

/** Who sent it, by the name of the login; `nobody` for none. */
const whoOf = (seen: Pick<Seen, "headers">): string => {
  const value = seen.headers.authorization
  if (value === undefined) return "nobody"
  const [scheme = "", rest = ""] = value.split(" ")
  return scheme === "Basic" ? Buffer.from(rest, "base64").toString().split(":")[0] ?? "" : rest
}
const who = (seen: ReadonlyArray<Seen>, pattern = /./): ReadonlyArray<string> =>
  seen.filter((it) => pattern.test(`${it.method} ${it.path}`)).map(whoOf)

/** A token server that names whoever logs in, and does not know some. */
const startRealm = (unknown: ReadonlyArray<string> = []) =>
  startServer((seen, response) =>
    unknown.includes(whoOf(seen))
      ? refuse(response, 401, "UNAUTHORIZED")
      : response.writeHead(200).end(JSON.stringify({ token: whoOf(seen), expires_in: 300 }))
  )

/** Lets in whom `may` says, and answers `status` to others. */
const guard = (registry: FakeRegistry, realm: string, may: (who: string, seen: Seen) => boolean, status = 403) =>
  registry.on(/./, (seen, response, next) => {
    if (seen.headers.authorization === undefined) {
      return refuse(response, 401, "UNAUTHORIZED", {
        "www-authenticate": `Bearer realm="${realm}/token",service="test"`
      })
    }
    return may(whoOf(seen), seen) ? next() : refuse(response, status, status === 404 ? "NAME_UNKNOWN" : "DENIED")
  })

describe("a source", () => {
  const source = Effect.gen(function*() {
    const registry = yield* startFakeRegistry()
    registry.add("team/app", image, "1")
    return { registry, repository: { registry: registry.host, repository: "team/app" } }
  })
  const options = (registry: FakeRegistry, more: Partial<TestOptions> = {}): TestOptions => ({
    backup: "b.test",
    plainHttp: [registry.host],
    credentials: (host) => host === registry.host ? [first, second] : undefined,
    ...more
  })

  it.live("that does not know the first login is asked with the second, and goes on with it", () =>
    Effect.gen(function*() {
      const { registry, repository } = yield* source
      const realm = yield* startRealm(["first"])
      guard(registry, realm.origin, () => true)
      yield* using(options(registry), (client) =>
        Effect.gen(function*() {
          yield* client.getManifest(repository, "1")
          yield* client.getManifest(repository, "1")
          yield* Effect.scoped(client.openBlob(repository, layerOf("a").digest, 0))
        }))
      assert.deepStrictEqual(who(realm.seen), ["nobody", "first", "second"])
      assert.deepStrictEqual(who(registry.seen, /GET/), ["second", "second", "second"])
    }))

  it.live.each([[401], [403], [404]])(
    "that answers %s to one login is asked with the next, by hand",
    ([status]) =>
      Effect.gen(function*() {
        const { registry, repository } = yield* source
        const realm = yield* startRealm()
        guard(registry, realm.origin, (name) => name === "second", status)
        yield* using(options(registry, { sourceCredentials: "always" }), (client) =>
          Effect.gen(function*() {
            assert.isTrue(Option.isSome(yield* client.headManifest(repository, "1")))
            registry.forget()
            // remembered: a missing tag is a missing tag
            assert.isTrue(Option.isNone(yield* client.headManifest(repository, "none")))
          }))
        if (status === 404) {
          assert.deepStrictEqual(who(registry.seen), ["second"])
        }
        assert.deepStrictEqual([...new Set(who(registry.seen))], ["second"])
      })
  )

  it.live("that lets no login in is asked anonymously at last", () =>
    Effect.gen(function*() {
      const { registry, repository } = yield* source
      const realm = yield* startRealm(["first", "second"])
      guard(registry, realm.origin, (name) => name === "nobody")
      yield* using(options(registry), (client) =>
        Effect.gen(function*() {
          yield* client.getManifest(repository, "1")
          yield* client.getManifest(repository, "1")
        }))
      // one token each, and none again: what the token server does not know is left alone for a while
      assert.deepStrictEqual(who(realm.seen), ["nobody", "first", "second"])
      assert.deepStrictEqual([...new Set(who(registry.seen, /GET/))], ["nobody"])
    }))

  it.live("with one login costs no request more than before", () =>
    Effect.gen(function*() {
      const { registry, repository } = yield* source
      const realm = yield* startRealm()
      guard(registry, realm.origin, () => true)
      yield* using(
        options(registry, { credentials: (host) => host === registry.host ? first : undefined }),
        (client) =>
          Effect.gen(function*() {
            yield* client.getManifest(repository, "1")
            registry.forget()
            yield* client.getManifest(repository, "1")
            assert.isTrue(Option.isNone(yield* client.headManifest(repository, "none")))
          })
      )
      assert.deepStrictEqual(who(registry.seen), ["first", "first"])
      assert.strictEqual(realm.seen.length, 2)
    }))

  it.live("never sees the logins of the backup, though they are for its host as well", () =>
    Effect.gen(function*() {
      const { registry, repository } = yield* source
      const realm = yield* startRealm()
      guard(registry, realm.origin, () => true)
      yield* using(
        options(registry, { credentials: (host) => host === "b.test" ? [first, second] : [first, third, second] }),
        (client) => client.getManifest(repository, "1")
      )
      assert.deepStrictEqual(who(realm.seen), ["nobody", "third"])
    }))
})

describe("the backup", () => {
  const mirror = (registry: FakeRegistry) => ({ registry: registry.host, repository: "mirror/app" })
  const options = (registry: FakeRegistry): TestOptions => ({
    backup: registry.host,
    plainHttp: [registry.host],
    credentials: () => [first, second]
  })
  const config = imageOf([]).blobs[0] ?? layerOf("config")

  it.live("is written to with the login that may, and read with the first that may", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      const realm = yield* startRealm()
      guard(
        registry,
        realm.origin,
        (name, seen) => name === "second" || (name === "first" && /^(GET|HEAD)$/.test(seen.method))
      )
      yield* using(options(registry), (client) =>
        Effect.gen(function*() {
          yield* client.hasBlob(mirror(registry), config.digest)
          const upload = yield* client.startUpload(mirror(registry), config.digest)
          yield* client.putBlob(upload, config.digest, config.bytes.length, undefined).pipe(Effect.ignore)
          registry.forget()
          yield* client.startUpload(mirror(registry), config.digest)
          yield* client.putManifest(mirror(registry), "1", image.root)
          yield* client.headManifest(mirror(registry), "1")
        }))
      assert.deepStrictEqual(who(registry.seen, /POST|PUT/), ["second", "second"])
      assert.deepStrictEqual(who(registry.seen, /HEAD/), ["first"])
    }))

  it.live("is never written to half as one and half as another", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      const realm = yield* startRealm()
      // the first may begin, and is thrown out before it has put anything
      guard(registry, realm.origin, (name, seen) => name === "second" || seen.method === "POST")
      yield* using(options(registry), (client) =>
        Effect.gen(function*() {
          const upload = yield* client.startUpload(mirror(registry), config.digest)
          const put = yield* Effect.flip(client.putBlob(upload, config.digest, 0, undefined))
          assert.strictEqual(put.reason, "Denied")
          assert.deepStrictEqual(who(registry.seen, /PUT/), ["first"])
          // what has failed begins anew, as somebody who was not thrown out
          registry.forget()
          const again = yield* client.startUpload(mirror(registry), config.digest)
          assert.strictEqual(again.by.credential, second)
          yield* client.putManifest(mirror(registry), "1", image.root)
          assert.deepStrictEqual(who(registry.seen, /POST|PUT/), ["second", "second"])
          // an upload stays with whoever has begun it
          registry.forget()
          yield* client.cancelUpload(upload)
          yield* Effect.sleep("50 millis")
          assert.deepStrictEqual(who(registry.seen, /DELETE/), ["first"])
        }))
    }))

  it.live("that throws out whoever has written is not written to by another within the same request", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      const realm = yield* startRealm()
      guard(registry, realm.origin, (name, seen) => name === "second" || seen.method === "POST")
      yield* using(options(registry), (client) =>
        Effect.gen(function*() {
          yield* client.startUpload(mirror(registry), config.digest)
          const error = yield* Effect.flip(client.putManifest(mirror(registry), "1", image.root))
          assert.strictEqual(error.reason, "Denied")
          assert.deepStrictEqual(who(registry.seen, /PUT/), ["first"])
        }))
    }))

  it.live("that lets none in says what it told the first, and is not asked anonymously", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      const realm = yield* startRealm(["second"])
      guard(registry, realm.origin, () => false)
      const error = yield* using(
        options(registry),
        (client) => Effect.flip(client.headManifest(mirror(registry), "1"))
      )
      assert.strictEqual(error.reason, "Denied")
      assert.notInclude(who(realm.seen), "nobody")
    }))

  it.live("whose token server gives one scope a token is asked for two once only", () =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      registry.add("mirror/other", image)
      const realm = yield* startServer((seen, response) =>
        seen.query.getAll("scope").length > 1
          ? refuse(response, 403, "DENIED")
          : response.writeHead(200).end("{\"token\":\"first\"}")
      )
      guard(registry, realm.origin, () => true)
      const other = { registry: registry.host, repository: "mirror/other" }
      yield* using({ ...options(registry), credentials: () => first }, (client) =>
        Effect.gen(function*() {
          yield* client.hasBlob(mirror(registry), config.digest)
          for (const seed of ["a", "b"]) {
            yield* client.mountBlob(mirror(registry), layerOf(seed).digest, other)
          }
        }))
      assert.deepStrictEqual(realm.seen.map((it) => it.query.getAll("scope").length), [1, 2])
    }))
})
