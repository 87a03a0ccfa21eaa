// Bearer tokens: one request per realm, scopes and identity however many ask, kept until shortly before they end.
// Edge: how a token server is asked, and how its answer is read, is TokenServer.ts.
import { Cache, Clock, Effect, Equal, Hash, Redacted } from "effect"
import type { RegistryError } from "../RegistryError.ts"
import type { Transport } from "../transport/Transport.ts"
import { makeRefreshTokens } from "./RefreshTokens.ts"
import { makeTokenServer, readToken, type TokenRequest } from "./TokenServer.ts"

export interface Tokens {
  readonly get: (request: TokenRequest) => Effect.Effect<Redacted.Redacted, RegistryError>
  /** This token was refused: the next `get` asks for another, unless somebody has done so already. */
  readonly drop: (request: TokenRequest, refused: Redacted.Redacted) => Effect.Effect<void>
}

const mostTokens = 1024

/** A request as the cache's key: requests for the same token are equal, whatever it is wanted for. */
class Asked implements Equal.Equal {
  readonly request: TokenRequest
  readonly text: string

  constructor(request: TokenRequest) {
    const { identity, realm, registry, scopes, service, vouched } = request
    this.request = request
    this.text = JSON.stringify([registry, realm.href, service ?? "", scopes, identity.name, vouched])
  }

  [Equal.symbol](that: Equal.Equal): boolean {
    return that instanceof Asked && that.text === this.text
  }

  [Hash.symbol](): number {
    return Hash.string(this.text)
  }
}

export const makeTokens = Effect.fnUntraced(function*(transport: Transport): Effect.fn.Return<Tokens> {
  const server = makeTokenServer(transport)
  const byIdentityToken = makeRefreshTokens(server)
  const cache = yield* Cache.makeWith(
    Effect.fnUntraced(function*({ request }: Asked) {
      const { credential } = request.identity
      const answer = credential?._tag === "IdentityToken"
        ? yield* byIdentityToken(request, credential)
        : yield* server.byGet(request, credential?._tag === "Basic" ? credential : undefined)
      return yield* readToken(request, answer)
    }),
    // failures are shared by those who wait, and not kept
    { capacity: mostTokens, timeToLive: (exit) => exit._tag === "Success" ? exit.value.life : "0 millis" }
  )
  return {
    get: Effect.fnUntraced(function*(request) {
      const asked = new Asked(request)
      const token = yield* Cache.get(cache, asked)
      if (token.until > (yield* Clock.monotonicTimeNanos)) return token.value
      yield* Cache.invalidateWhen(cache, asked, (it) => it === token)
      return (yield* Cache.get(cache, asked)).value
    }),
    drop: (request, refused) =>
      Effect.asVoid(
        Cache.invalidateWhen(cache, new Asked(request), (it) => Redacted.value(it.value) === Redacted.value(refused))
      )
  }
})
