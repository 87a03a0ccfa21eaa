// Whom a cloud's login is used for, when it is given up, and what a registry is asked with: over real sockets where it matters.
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Layer, Metric, Option } from "effect"
import { TestClock } from "effect/testing"
import { Readable } from "node:stream"
import { basic } from "../../../src/registry/auth/DockerConfig.ts"
import { makeCloudIdentities } from "../../../src/registry/identity/CloudIdentities.ts"
import { RegistryClient } from "../../../src/registry/RegistryClient.ts"
import { cloudTokens, cloudTokenTime } from "../../../src/telemetry/Metrics.ts"
import { type FakeRegistry, refuse, startFakeRegistry, startServer } from "../../support/FakeRegistry.ts"
import { clientLayer, type TestOptions } from "../../support/Registries.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"
import { fakeCloud, loginOf, optionsOf, unavailable } from "./FakeCloud.ts"

const ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"

describe("a cloud's identity", () => {
  const start = (sources: ReadonlyArray<string> = []) =>
    Effect.gen(function*() {
      const { cloud, provider } = fakeCloud()
      const identities = yield* makeCloudIdentities(() => optionsOf({}, sources), { aws: provider })
      return { cloud, identities }
    })

  it.effect("opens the backup, and a source only by its owner's word", () =>
    Effect.gen(function*() {
      const { cloud, identities } = yield* start(["*.dkr.ecr.us-east-1.amazonaws.com"])
      assert.isTrue(Option.isSome(yield* identities.credentialFor(ecr, "backup")))
      assert.isTrue(Option.isNone(yield* identities.credentialFor(ecr, "source")))
      assert.isTrue(Option.isNone(yield* identities.credentialFor(`${ecr}.evil.com`, "backup")))
      assert.isTrue(Option.isNone(yield* identities.credentialFor("example.azurecr.io", "backup")))
      assert.lengthOf(cloud.asked, 1)
      const known = ecr.replace("eu-west", "us-east")
      assert.isTrue(Option.isSome(yield* identities.credentialFor(known, "source")))
      // what everybody may read is read without a login too
      assert.isTrue(identities.isOpenToAll("public.ecr.aws"))
      assert.isFalse(identities.isOpenToAll(ecr))
    }))

  it.effect("is counted, and its failures", () =>
    Effect.gen(function*() {
      const { cloud, identities } = yield* start()
      yield* TestClock.adjust("1 hour")
      yield* identities.credentialFor(ecr, "backup")
      cloud.down = true
      yield* Effect.flip(identities.credentialFor(ecr.replace("west", "east"), "backup"))
      const valueOf = (result: "obtained" | "failed") => Metric.value(cloudTokens({ cloud: "aws", result }))
      assert.strictEqual((yield* valueOf("obtained")).count, 1)
      assert.strictEqual((yield* valueOf("failed")).count, 1)
      assert.strictEqual((yield* Metric.value(cloudTokenTime({ cloud: "aws" }))).value, 3600)
    }).pipe(Effect.provide(Layer.sync(Metric.MetricRegistry, () => new Map()))))

  const first = basic("AWS", "1")

  it.effect("that is said to have ended is got anew, once for all who were told", () =>
    Effect.gen(function*() {
      const { cloud, identities } = yield* start()
      yield* identities.credentialFor(ecr, "backup")
      for (let told = 0; told < 3; told++) {
        const fresh = Option.getOrThrow(yield* identities.renewed(ecr, "backup", first, true))
        assert.strictEqual(fresh.fingerprint, basic("AWS", "2").fingerprint)
      }
      assert.lengthOf(cloud.asked, 2)
    }))

  it.effect("that is refused without a word is got anew where it is not new", () =>
    Effect.gen(function*() {
      const { cloud, identities } = yield* start()
      yield* identities.credentialFor(ecr, "backup")
      assert.isTrue(Option.isNone(yield* identities.renewed(ecr, "backup", first, false)))
      yield* TestClock.adjust("10 minutes")
      assert.isTrue(Option.isSome(yield* identities.renewed(ecr, "backup", first, false)))
      // the new one is refused too: it means what it says
      assert.isTrue(Option.isNone(yield* identities.renewed(ecr, "backup", basic("AWS", "2"), false)))
      assert.lengthOf(cloud.asked, 2)
    }))

  it.effect("takes the place of nothing that people have written down", () =>
    Effect.gen(function*() {
      const { cloud, identities } = yield* start()
      assert.isTrue(Option.isNone(yield* identities.renewed(ecr, "backup", basic("AWS", "written"), true)))
      assert.lengthOf(cloud.asked, 0)
    }))
})

const image = imageOf([layerOf("a")])
const layer = layerOf("b")

/** A registry that wants Basic, as ECR does. */
const startEcr = Effect.gen(function*() {
  const registry = yield* startFakeRegistry()
  registry.on(/./, (seen, response, next) =>
    seen.headers.authorization === undefined
      ? refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic realm=\"ecr\"" })
      : next())
  registry.add("mirror/app", image, "1")
  return registry
})

const expired = "Your authorization token has expired. Reauthenticate and try again."

const using = <A, E>(
  registry: FakeRegistry,
  use: (client: RegistryClient["Service"], cloud: ReturnType<typeof fakeCloud>["cloud"]) => Effect.Effect<A, E>,
  more: Partial<TestOptions> = {}
): Effect.Effect<A, E> => {
  const { cloud, provider } = fakeCloud()
  return Effect.flatMap(RegistryClient, (client) => use(client, cloud)).pipe(
    Effect.provide(clientLayer({
      backup: registry.host,
      plainHttp: [registry.host],
      clouds: optionsOf({ [registry.host]: "eu-west-1" }),
      providers: { aws: provider },
      ...more
    }))
  )
}

const logins = (registry: FakeRegistry) => registry.seen.map((it) => `${it.method} ${loginOf(it.headers)}`)

describe("a backup in a cloud", () => {
  it.live("is opened with the cloud's login", () =>
    Effect.gen(function*() {
      const registry = yield* startEcr
      const at = { registry: registry.host, repository: "mirror/app" }
      yield* using(registry, (client, cloud) =>
        Effect.gen(function*() {
          assert.isTrue(Option.isSome(yield* client.headManifest(at, "1")))
          yield* client.headManifest(at, "1")
          assert.lengthOf(cloud.asked, 1)
        }))
      assert.deepStrictEqual(logins(registry), ["HEAD nobody", "HEAD AWS:1", "HEAD AWS:1"])
    }))

  it.live("is opened with what config.json has for it", () =>
    Effect.gen(function*() {
      const registry = yield* startEcr
      const at = { registry: registry.host, repository: "mirror/app" }
      yield* using(registry, (client, cloud) =>
        Effect.gen(function*() {
          yield* client.headManifest(at, "1")
          assert.lengthOf(cloud.asked, 0)
        }), { credentials: () => basic("written", "pw") })
      assert.deepStrictEqual(logins(registry), ["HEAD nobody", "HEAD written:pw"])
    }))

  it.live("is sent the request again at once when it says that the login has ended", () =>
    Effect.gen(function*() {
      const registry = yield* startEcr
      const at = { registry: registry.host, repository: "mirror/app" }
      registry.on(/^POST/, (seen, response, next) =>
        loginOf(seen.headers) === "AWS:1" ? refuse(response, 403, "DENIED", {}, expired) : next())
      yield* using(registry, (client, cloud) =>
        Effect.gen(function*() {
          yield* client.startUpload(at)
          assert.lengthOf(cloud.asked, 2)
        }))
      assert.deepStrictEqual(logins(registry), ["POST nobody", "POST AWS:1", "POST AWS:2"])
    }))

  it.live("gets an upload that was cut by the login's end again with another", () =>
    Effect.gen(function*() {
      const registry = yield* startEcr
      const at = { registry: registry.host, repository: "mirror/app" }
      registry.on(/^PUT/, (_, response) => refuse(response, 403, "DENIED", {}, expired), 1)
      yield* using(registry, (client) =>
        Effect.gen(function*() {
          const put = Effect.flatMap(
            client.startUpload(at, layer.digest),
            (upload) => client.putBlob(upload, layer.digest, layer.bytes.length, Readable.from([layer.bytes]))
          )
          assert.isTrue((yield* Effect.flip(put)).retryable)
          yield* put
        }))
      assert.deepStrictEqual(logins(registry).slice(-2), ["POST AWS:2", "PUT AWS:2"])
    }))

  it.live("under a name of its own gets parts as its cloud takes them", () =>
    Effect.gen(function*() {
      const registry = yield* startEcr
      const at = { registry: registry.host, repository: "mirror/app" }
      const large = layerOf("large", 11 * 1024 * 1024)
      registry.on(/^PUT/, (_, response) => refuse(response, 413, "TOO_LARGE"), 1)
      const { length } = large.bytes
      yield* using(registry, (client) =>
        Effect.gen(function*() {
          const put = Effect.flatMap(
            client.startUpload(at, large.digest),
            (upload) => client.putBlob(upload, large.digest, length, Readable.from([large.bytes]))
          )
          assert.isTrue((yield* Effect.flip(put)).retryable)
          yield* put
        }))
      const patches = registry.seen.filter((it) => it.method === "PATCH")
      assert.deepStrictEqual(patches.map((it) => it.body.length), [10 * 1024 * 1024, 1024 * 1024])
    }))

  it.live("that refuses us is not asked twice", () =>
    Effect.gen(function*() {
      const registry = yield* startEcr
      const at = { registry: registry.host, repository: "mirror/app" }
      registry.on(/^POST/, (_, response) => refuse(response, 403, "DENIED", {}, "User: x is not authorized"))
      yield* using(registry, (client, cloud) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* Effect.flip(client.startUpload(at))).reason, "Denied")
          assert.lengthOf(cloud.asked, 1)
        }))
      // a refusal without a challenge: how one logs in, `/v2/` says
      assert.deepStrictEqual(logins(registry), ["POST nobody", "GET nobody", "POST AWS:1"])
    }))

  it.live("is not asked at all where the cloud gives no login, and the failure says why", () =>
    Effect.gen(function*() {
      const registry = yield* startEcr
      const at = { registry: registry.host, repository: "mirror/app" }
      yield* using(registry, (client, cloud) =>
        Effect.gen(function*() {
          cloud.down = true
          const error = yield* Effect.flip(client.headManifest(at, "1"))
          assert.strictEqual(error.reason, "Unauthorized")
          assert.include(error.message, unavailable.message.slice(0, 80))
        }))
      assert.lengthOf(registry.seen, 0)
    }))
})

/** As if it were so much later. */
const later = <A, E, R>(effect: Effect.Effect<A, E, R>, by: Duration.Duration): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.Clock, (real) => {
    const millis = () => real.currentTimeMillisUnsafe() + Duration.toMillis(by)
    const nanos = () => real.monotonicTimeNanosUnsafe() + BigInt(Duration.toMillis(by)) * 1_000_000n
    return Effect.provideService(effect, Clock.Clock, {
      ...real,
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(millis),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      currentTimeNanosUnsafe: () => real.currentTimeNanosUnsafe(),
      currentTimeNanos: real.currentTimeNanos,
      sleep: (duration) => real.sleep(duration)
    })
  })

describe("a large blob for a backup in a cloud", () => {
  const large = layerOf("large", 64 * 1024 * 1024)
  /** Begins an upload and, so much later, sends it whole. */
  const push = (client: RegistryClient["Service"], registry: FakeRegistry, blob = large) =>
    Effect.gen(function*() {
      const at = { registry: registry.host, repository: "mirror/app" }
      const upload = yield* client.startUpload(at, blob.digest)
      const put = client.putBlob(upload, blob.digest, blob.bytes.length, Readable.from([blob.bytes]))
      yield* later(put, Duration.minutes(2))
    })

  it.live("is not begun with a login that ends within half an hour", () =>
    Effect.gen(function*() {
      const registry = yield* startEcr
      yield* using(registry, (client, cloud) => {
        cloud.life = Duration.minutes(31)
        return push(client, registry)
      })
      assert.deepStrictEqual(logins(registry), ["POST nobody", "POST AWS:1", "PUT AWS:2"])
    }))

  it.live("is begun with the login that there is where it lasts, the blob is small, or the cloud is down", () =>
    Effect.gen(function*() {
      for (const why of ["it lasts", "small", "down"]) {
        const registry = yield* startEcr
        yield* using(registry, (client, cloud) => {
          cloud.life = Duration.minutes(why === "it lasts" ? 33 : 31)
          registry.on(/^POST/, (_, __, next) => {
            cloud.down = why === "down"
            next()
          })
          return push(client, registry, why === "small" ? layer : large)
        })
        assert.strictEqual(logins(registry).at(-1), "PUT AWS:1", why)
      }
    }))

  it.live.each<[string, number, Partial<TestOptions>]>([
    ["is not begun with a token of its own server that ends within half an hour", 2, {}],
    ["is sent with the token that there is for a login that is written down", 1, {
      credentials: () => basic("written", "pw")
    }]
  ])("%s", ([, tokens, more]) =>
    Effect.gen(function*() {
      const registry = yield* startFakeRegistry()
      const realm = yield* startServer((_, response) =>
        response.writeHead(200).end(JSON.stringify({ token: `t${realm.seen.length}`, expires_in: 2040 }))
      )
      registry.on(/./, (seen, response, next) =>
        seen.headers.authorization === undefined
          ? refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="${realm.origin}/token"` })
          : next())
      yield* using(registry, (client) => push(client, registry), more)
      assert.lengthOf(realm.seen, tokens)
      assert.strictEqual(registry.seen.at(-1)?.headers.authorization, `Bearer t${tokens}`)
    }))
})

describe("a source in a cloud", () => {
  const source = { registry: "", repository: "app" }
  const start = Effect.gen(function*() {
    const registry = yield* startFakeRegistry()
    registry.add("app", image, "1")
    return { registry, at: { ...source, registry: registry.host } }
  })
  const options = (registry: FakeRegistry, sources: ReadonlyArray<string>): Partial<TestOptions> => ({
    backup: "b.test",
    clouds: optionsOf({ [registry.host]: "eu-west-1" }, sources)
  })

  it.live("costs no question to the cloud", () =>
    Effect.gen(function*() {
      const { at, registry } = yield* start
      yield* using(registry, (client, cloud) =>
        Effect.gen(function*() {
          yield* client.headManifest(at, "1")
          assert.lengthOf(cloud.asked, 0)
        }), options(registry, []))
    }))

  it.live("is asked with the cloud's login by its owner's word, once it has let everybody in", () =>
    Effect.gen(function*() {
      const { at, registry } = yield* start
      registry.on(/^GET/, (seen, response, next) =>
        seen.headers.authorization === undefined
          ? refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic realm=\"ecr\"" })
          : next())
      yield* using(registry, (client) => client.getManifest(at, "1"), options(registry, [registry.host]))
      assert.deepStrictEqual(logins(registry), ["HEAD nobody", "GET nobody", "GET AWS:1"])
    }))

  it.live("that says by 400, without a challenge, that a token has ended is asked again with another", () =>
    Effect.gen(function*() {
      const { at, registry } = yield* start
      const realm = yield* startServer((_, response) =>
        response.writeHead(200).end(JSON.stringify({ token: `t${realm.seen.length}`, expires_in: 3600 }))
      )
      let ended = "none"
      registry.on(/./, (seen, response, next) => {
        const token = seen.headers.authorization
        return token === undefined
          ? refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="${realm.origin}/token"` })
          : token === `Bearer ${ended}`
          ? refuse(response, 400, "UNSUPPORTED", {}, expired)
          : next()
      })
      yield* using(registry, (client) =>
        Effect.gen(function*() {
          yield* client.getManifest(at, "1")
          ended = "t1"
          yield* client.getManifest(at, "1")
          // whatever else 400 says is not asked twice
          registry.forget()
          registry.on(/^GET/, (_, response) => refuse(response, 400, "UNSUPPORTED"))
          yield* Effect.flip(client.getManifest(at, "1"))
          assert.lengthOf(registry.seen, 1)
        }), options(registry, []))
      assert.lengthOf(realm.seen, 2)
    }))

  it.live("is asked as nobody where the cloud gives no login", () =>
    Effect.gen(function*() {
      const { at, registry } = yield* start
      yield* using(registry, (client, cloud) =>
        Effect.gen(function*() {
          cloud.down = true
          yield* client.getManifest(at, "1")
        }), options(registry, [registry.host]))
      assert.isTrue(logins(registry).every((it) => it.endsWith("nobody")))
    }))
})
