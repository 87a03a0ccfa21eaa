// A day of tokens in a minute: an image every ten minutes goes to a backup whose tokens live for five, while uploads take four. The
// token service is down for an hour, refuses the login for half a one, and the registry forgets its key; the wall clock jumps about.
// Without sockets, by the clock of the tests: what is asked is what the registry client asks.
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Logger, Redacted, References } from "effect"
import { TestClock } from "effect/testing"
import { Readable } from "node:stream"
import type { Repository } from "../../../src/image/Repository.ts"
import { makeCommitUpload } from "../../../src/registry/api/CommitUpload.ts"
import { makeManifests } from "../../../src/registry/api/Manifests.ts"
import { aboutBlob, makeRequests } from "../../../src/registry/api/Requests.ts"
import { basic } from "../../../src/registry/auth/DockerConfig.ts"
import { makeAccess } from "../../../src/registry/auth/Identities.ts"
import { makeSession } from "../../../src/registry/auth/Session.ts"
import { makeTokens } from "../../../src/registry/auth/Tokens.ts"
import { makeVersionCheck } from "../../../src/registry/refusal/VersionCheck.ts"
import { refusal } from "../../../src/registry/Classify.ts"
import { defaultLimits } from "../../../src/registry/Limits.ts"
import { makeReachability } from "../../../src/registry/Reachability.ts"
import { type RegistryError, registryError } from "../../../src/registry/RegistryError.ts"
import { retrying } from "../../../src/registry/Retry.ts"
import type { Answer, Request, Transport } from "../../../src/registry/transport/Transport.ts"
import { registryOptions } from "../../support/Registries.ts"
import { imageOf } from "../../support/TestImages.ts"

const host = "registry.shop.test"
const life = 300
const uploadTakes = 240
const images = 144
const hour = 3600
const login = { ...basic("me", "secret"), origin: "auths of \"registry.shop.test\" in /docker/config.json" }
const blob = imageOf([])
const manifest = { bytes: blob.root.bytes, mediaType: blob.root.mediaType, digest: blob.root.digest }

/** Seconds since the test began, for everybody but the wall clock. */
const seconds = Effect.map(Clock.monotonicTimeNanos, (it) => Number(it / 1_000_000_000n))

/** A registry and its token service, behind a transport of their own. */
const makeWorld = Effect.gen(function*() {
  const began = yield* seconds
  const now = Effect.map(seconds, (it) => it - began)
  const issued = new Map<string, { readonly until: number; readonly scope: string; readonly key: number }>()
  const stored = new Set<string>()
  const world = {
    now,
    stored,
    tokensAsked: 0,
    whileDown: 0,
    /** The registry has checked a token when an upload began, and it was over at its end. */
    endedMeanwhile: 0
  }

  const tell = (request: Request, status: number, headers: Answer["headers"] = {}, body = "{}"): Answer => ({
    status,
    headers,
    body: Buffer.from(body),
    url: request.url
  })

  const answerRealm = Effect.fnUntraced(function*(request: Request) {
    const at = yield* now
    world.tokensAsked++
    if (at >= 6 * hour && at < 7 * hour) {
      world.whileDown++
      if (at < 6.5 * hour) return tell(request, 503)
      return yield* registryError({ ...request, reason: "Unreachable", detail: "no connection", noConnection: true })
    }
    if (at >= 12 * hour && at < 12.5 * hour) return tell(request, 401)
    if (request.authorization === undefined) return tell(request, 401)
    const token = `t${issued.size}`
    const scope = request.url.searchParams.get("scope") ?? ""
    issued.set(token, { until: at + life, scope, key: at >= 18 * hour ? 2 : 1 })
    return tell(request, 200, {}, JSON.stringify({ token, expires_in: life }))
  })

  const mayGo = Effect.fnUntraced(function*({ authorization, url }: Request) {
    const at = yield* now
    const token = issued.get(authorization === undefined ? "" : Redacted.value(authorization).replace("Bearer ", ""))
    const repository = /^\/v2\/(.+?)\/(?:manifests|blobs)\//.exec(url.pathname)?.[1]
    return token !== undefined && token.until > at && token.scope === `repository:${repository}:pull,push` &&
      token.key === (at >= 18 * hour ? 2 : 1)
  })

  const answerRegistry = Effect.fnUntraced(function*(request: Request) {
    const challenge = tell(request, 401, {
      "www-authenticate": "Bearer realm=\"https://auth.shop.test/token\",service=\"shop\""
    })
    if (!(yield* mayGo(request))) return challenge
    const { method, url: { pathname } } = request
    if (method === "HEAD") return tell(request, 404)
    if (method === "POST") return tell(request, 202, { location: pathname })
    if (pathname.includes("/manifests/")) {
      stored.add(pathname)
      return tell(request, 201)
    }
    yield* Effect.sleep(`${uploadTakes} seconds`)
    if (yield* mayGo(request)) return tell(request, 201)
    world.endedMeanwhile++
    return challenge
  })

  const send = (request: Request): Effect.Effect<Answer, RegistryError> =>
    Effect.andThen(
      Effect.sleep("10 seconds"),
      request.url.host === host ? answerRegistry(request) : answerRealm(request)
    )
  const transport: Transport = { limits: defaultLimits, send, open: send }
  return { world, transport }
})

const makeClient = Effect.fnUntraced(function*(transport: Transport) {
  const options = registryOptions(host)
  const settings = () => options
  const access = makeAccess(settings, {
    lookup: () => Effect.succeed([login]),
    refused: () => Effect.void,
    absence: () => Effect.succeed("no file")
  }, () => false)
  const session = makeSession({
    settings,
    access,
    tokens: yield* makeTokens(transport),
    checkVersion: yield* makeVersionCheck(transport),
    transport
  })
  const requests = makeRequests(access, defaultLimits)
  const common = { session, requests, limits: defaultLimits }
  const manifests = makeManifests({
    ...common,
    access,
    reachability: makeReachability(settings),
    spareSilent: () => true,
    announcesBudget: () => false
  })
  const retry = retrying(defaultLimits)
  const commit = makeCommitUpload({ ...common, hasBlob: () => Effect.succeed(false) })
  /** Its bytes are read as they are sent: a PUT cannot be sent again, and the next begins with another POST. */
  const upload = Effect.fnUntraced(function*(repository: Repository) {
    const path = `/v2/${repository.repository}/blobs/uploads/`
    const begin = yield* requests.write(aboutBlob("POST", repository, undefined, path))
    const opened = yield* session.send(begin)
    if (opened.status !== 202) return yield* refusal(begin, opened)
    const location = new URL(`https://${host}${path}1`)
    yield* commit(
      { repository, location, chunkMin: 0, by: opened.identity },
      manifest.digest,
      4,
      Readable.from(["blob"])
    )
  })

  /** One image, in the order of a copy. */
  const copy = Effect.fnUntraced(function*(image: number) {
    const repository = { registry: host, repository: `mirror/app${image}` }
    yield* manifests.headManifest(repository, "1", true)
    // other blobs have used the token meanwhile, and most of its life
    yield* Effect.sleep(`${image % 5 * 40} seconds`)
    yield* retry(upload(repository))
    yield* manifests.putManifest(repository, "1", manifest)
  })
  return copy
})

/** The clock of the tests with a wall clock that is set an hour forth or a day back whenever it is asked. */
const jumping = (clock: Clock.Clock): Clock.Clock => {
  let times = 0
  const skew = () => [0, 3_600_000, -86_400_000, 1e12][times++ % 4] ?? 0
  const millis = () => clock.currentTimeMillisUnsafe() + skew()
  const nanos = () => BigInt(millis()) * 1_000_000n
  return {
    ...clock,
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    sleep: (duration) => clock.sleep(duration)
  }
}

describe("a day of tokens", () => {
  it.effect("loses no image, and says each refusal once", () => {
    const said: Array<string> = []
    const errors: Array<RegistryError & { readonly at: number }> = []
    return Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const { transport, world } = yield* makeWorld
      const copy = yield* makeClient(transport)
      const actor = Effect.fnUntraced(function*(image: number) {
        yield* Effect.sleep(`${image * 10} minutes`)
        // as the image loop does it: later, for whatever reason it was
        while (true) {
          const failed = yield* Effect.flip(copy(image)).pipe(Effect.orElseSucceed(() => undefined))
          if (failed === undefined) return
          errors.push(Object.assign(failed, { at: yield* world.now }))
          yield* Effect.sleep("5 minutes")
        }
      })
      const day = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: images }, (_, index) => index), actor, { concurrency: "unbounded" }).pipe(
          Effect.provideService(Clock.Clock, jumping(clock))
        )
      )
      yield* TestClock.adjust("26 hours")
      assert.isDefined(day.pollUnsafe(), "the day has not ended")
      yield* Fiber.join(day)

      assert.strictEqual(world.stored.size, images)
      assert.isAbove(world.endedMeanwhile, 0, "no token has ended in the middle of an upload")
      assert.isAbove(world.whileDown, 0)
      const within = (from: number, to: number) => errors.filter((it) => it.at >= from * hour && it.at < to * hour)
      // an outage of the token service is nobody's fault, and passes
      assert.isAbove(within(6, 7).length, 0)
      assert.isTrue(within(6.1, 7).every((it) => it.retryable), within(6.1, 7).map((it) => it.message).join("\n"))
      // a refusal is said with the entry that was refused, in every error and once in the log
      const refusedErrors = within(12.1, 12.5)
      assert.isAbove(refusedErrors.length, 1)
      assert.isTrue(refusedErrors.every((it) => it.reason === "Unauthorized" && it.message.includes(login.origin)))
      assert.deepStrictEqual(said.filter((it) => it.includes("refused")), ["the registry refused our credential"])
      // each image costs a token, one more where it ended on the way, and what was tried while none was given
      assert.isBelow(world.tokensAsked, images * 5)
    }).pipe(
      Effect.provideService(References.MinimumLogLevel, "Warn"),
      Effect.provide(
        Layer.merge(Layer.empty, Logger.layer([Logger.make(({ message }) => void said.push(String(message)))]))
      )
    )
  })
})
