// A day at Azure's registry, a look every ten minutes, by the clock of the tests: refresh tokens that live for three hours, a key that
// the registry forgets, and Entra, which gives nothing for an hour.
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, FileSystem, Redacted, References } from "effect"
import { TestClock } from "effect/testing"
import { makeAccess } from "../../../src/registry/auth/Identities.ts"
import { makeSession } from "../../../src/registry/auth/Session.ts"
import { makeTokens } from "../../../src/registry/auth/Tokens.ts"
import { makeCloudIdentities } from "../../../src/registry/identity/CloudIdentities.ts"
import { cloudOptionsOf } from "../../../src/registry/identity/CloudOptions.ts"
import { defaultLimits } from "../../../src/registry/Limits.ts"
import { makeAzureIdentity } from "../../../src/registry/oauth/AzureIdentity.ts"
import type { CloudRequest, CloudRequests } from "../../../src/registry/oauth/CloudRequests.ts"
import { makeVersionCheck } from "../../../src/registry/refusal/VersionCheck.ts"
import type { Answer, Request, Transport } from "../../../src/registry/transport/Transport.ts"
import { settingsOf } from "../../../src/settings/Settings.ts"
import { registryOptions } from "../../support/Registries.ts"

const host = "example.azurecr.io"
const hour = 3_600_000
const forgets = 10 * hour + 1
const answer = (url: URL, status: number, body: unknown = {}, headers: Answer["headers"] = {}): Answer => ({
  status,
  headers,
  body: Buffer.from(JSON.stringify(body)),
  url
})

const makeWorld = Effect.gen(function*() {
  const began = yield* Clock.currentTimeMillis
  const now = Effect.map(Clock.currentTimeMillis, (it) => it - began)
  const issued = new Map<string, number>()
  const world = { exchanges: 0, refused: 0, entraDown: 0 }
  const isGood = (token: string, at: number, life: number) => {
    const since = issued.get(token)
    return since !== undefined && at < since + life && since > forgets === at > forgets
  }
  const give = (at: number): string => {
    const token = `t${issued.size}`
    issued.set(token, at)
    return token
  }

  const cloud = Effect.fnUntraced(function*({ url }: CloudRequest) {
    const at = yield* now
    if (url.pathname !== "/oauth2/exchange") {
      if (at > 4.4 * hour && at < 5.4 * hour) {
        world.entraDown++
        return answer(url, 503)
      }
      return answer(url, 200, { access_token: "entra's", expires_in: 3600 })
    }
    world.exchanges++
    return answer(url, 200, { refresh_token: give(at), expires_in: 3 * 3600 })
  })
  const requests: CloudRequests = { endpointOf: (it) => new URL(`https://${it}`), send: cloud }

  const send = Effect.fnUntraced(function*(request: Request) {
    const { body, url } = request
    const at = yield* now
    if (url.pathname === "/oauth2/token") {
      const form = new URLSearchParams(body instanceof Uint8Array ? Buffer.from(body).toString() : "")
      if (isGood(form.get("refresh_token") ?? "", at, 3 * hour)) return answer(url, 200, { access_token: give(at) })
      world.refused++
      return answer(url, 401)
    }
    const bearer = request.authorization === undefined
      ? ""
      : Redacted.value(request.authorization).replace("Bearer ", "")
    return isGood(bearer, at, 75 * 60_000) ? answer(url, 200) : answer(url, 401, {}, {
      "www-authenticate": `Bearer realm="https://${host}/oauth2/token",service="${host}"`
    })
  })
  const transport: Transport = { limits: defaultLimits, send, open: send }
  return { world, requests, transport }
})

describe("a day at Azure's registry", () => {
  it.effect("has every look answered, with an exchange for every half of a token's life and one more", () =>
    Effect.gen(function*() {
      const { requests, transport, world } = yield* makeWorld
      const clouds = cloudOptionsOf(settingsOf("a.b/c"))
      const settings = () => registryOptions(host, { clouds })
      const azure = yield* Effect.provide(makeAzureIdentity(requests), FileSystem.layerNoop({}))
      const access = makeAccess(
        settings,
        { lookup: () => Effect.succeed([]), refused: () => Effect.void, absence: () => Effect.succeed("no file") },
        () => false,
        yield* makeCloudIdentities(() => clouds, { azure })
      )
      const session = makeSession({
        settings,
        access,
        tokens: yield* makeTokens(transport),
        checkVersion: yield* makeVersionCheck(transport),
        transport
      })
      const repository = { registry: host, repository: "mirror/app" }
      for (let look = 0; look < 144; look++) {
        const { status } = yield* session.send({
          operation: "HEAD manifest",
          target: "x",
          method: "HEAD",
          path: "/v2/mirror/app/manifests/1",
          repository,
          actions: "pull,push",
          cost: "free",
          agent: "control",
          most: 1000
        })
        assert.strictEqual(status, 200, `look ${look}`)
        yield* TestClock.adjust("10 minutes")
      }
      // 24 hours by half of three, and the one that the registry forgot
      assert.isAtMost(world.exchanges, 17)
      assert.isAtLeast(world.exchanges, 15)
      assert.strictEqual(world.refused, 1)
      assert.isAbove(world.entraDown, 0)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))
})
