// Bearer tokens: one request per realm, scopes and identity however many ask, kept until shortly before they end.
// Edge: how a token server is asked, and how its answer is read, is TokenServer.ts.
import { Cache, Clock, Duration, Effect, Redacted } from "effect"
import { makeOnce } from "../../collections/Once.ts"
import { Keyed } from "../../collections/Keyed.ts"
import type { RegistryError } from "../RegistryError.ts"
import type { Transport } from "../transport/Transport.ts"
import { makeRefreshTokens } from "./RefreshTokens.ts"
import { makeTokenServer, readToken, type Token, type TokenRequest } from "./TokenServer.ts"

export interface Tokens {
  readonly get: (request: TokenRequest) => Effect.Effect<Redacted.Redacted, RegistryError>
  /** This token was refused: the next `get` asks for another, unless somebody has done so already. */
  readonly drop: (request: TokenRequest, refused: Redacted.Redacted) => Effect.Effect<void>
}

const mostTokens = 1024

/** Requests for the same token are one, whatever it is wanted for. */
const asked = (request: TokenRequest): Keyed<TokenRequest> => {
  const { identity, realm, registry, scopes, service, vouched } = request
  return new Keyed(JSON.stringify([registry, realm.href, service ?? "", scopes, identity.name, vouched]), request)
}

/** What has come within this time is the best that the server has. */
const newFor = Duration.minutes(1)

const nanosOf = (duration: Duration.Duration): bigint => BigInt(Math.round(Duration.toMillis(duration))) * 1_000_000n

/** Is it good for so long, or as long as tokens of this server are? */
const isLasting = ({ life, until }: Token, now: bigint, least: Duration.Duration | undefined): boolean =>
  least === undefined || until - now >= nanosOf(least) || until - now > nanosOf(life) - nanosOf(newFor)

export const makeTokens = Effect.fnUntraced(function*(transport: Transport): Effect.fn.Return<Tokens> {
  const server = makeTokenServer(transport)
  const byIdentityToken = makeRefreshTokens(server)
  const ask = Effect.fnUntraced(function*({ value: request }: Keyed<TokenRequest>) {
    const { credential } = request.identity
    const answer = credential?._tag === "IdentityToken"
      ? yield* byIdentityToken(request, credential)
      : yield* server.byGet(request, credential?._tag === "Basic" ? credential : undefined)
    return yield* readToken(request, answer)
  })
  const renewals = yield* makeOnce<Token, RegistryError>({ kept: 0 })
  const cache = yield* Cache.makeWith(
    ask,
    // failures are shared by those who wait, and not kept
    { capacity: mostTokens, timeToLive: (exit) => exit._tag === "Success" ? exit.value.life : "0 millis" }
  )
  return {
    get: Effect.fnUntraced(function*(request) {
      const key = asked(request)
      const token = yield* Cache.get(cache, key)
      const now = yield* Clock.monotonicTimeNanos
      if (token.until > now) {
        if (isLasting(token, now, request.lasting)) return token.value
        const renewed = Effect.tap(ask(key), (it) => Cache.set(cache, key, it))
        // what there is does for now, and for everybody else: it stays where no other comes
        return (yield* Effect.orElseSucceed(renewals.get(key.key, renewed), () => token)).value
      }
      yield* Cache.invalidateWhen(cache, key, (it) => it === token)
      return (yield* Cache.get(cache, key)).value
    }),
    drop: (request, refused) =>
      Effect.asVoid(
        Cache.invalidateWhen(cache, asked(request), (it) => Redacted.value(it.value) === Redacted.value(refused))
      )
  }
})
