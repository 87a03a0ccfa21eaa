// Tokens for what somebody wants to do: for both repositories of a mount where the token server will have that, and for the scope
// that the registry offers where ours was refused. Edge: who is asked, and as whom, is Authorization.ts's; tokens are Tokens.ts's.
import { Clock, Effect, type Redacted } from "effect"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import { makeExpiringSet } from "../../collections/ExpiringSet.ts"
import type { RegistryError } from "../RegistryError.ts"
import type { Purpose, Refused } from "../auth/Authorization.ts"
import type { Identity } from "../auth/Identities.ts"
import { scopesIn } from "./OfferedScope.ts"
import type { Bearer } from "../auth/Scheme.ts"
import type { Tokens } from "../auth/Tokens.ts"
import type { TokenRequest } from "../auth/TokenServer.ts"

/** The request for a token, as somebody who may be told to that token server. */
export type MakeTokenRequest = (
  purpose: Purpose,
  scheme: Bearer,
  endpoint: URL,
  identity: Identity
) => Effect.Effect<TokenRequest, RegistryError>

/** The scopes of what somebody wants to do, in the order in which they are sent. */
export const scopesOf = ({ actions, from, repository: { repository } }: Purpose): ReadonlyArray<string> => [
  `repository:${repository}:${actions}`,
  ...(from === undefined ? [] : [`repository:${from}:pull`])
]

/** The token server gives nothing for these scopes to this identity. */
export const isScopeRefused = ({ status }: RegistryError): boolean =>
  status !== undefined && status >= 400 && status < 404

/** The same, as far as it says nothing of who asks: 400 to a refresh token means that it is none (RFC 6749 §5.2). */
const isAboutScope = (error: RegistryError, { credential }: Identity): boolean =>
  isScopeRefused(error) && (credential?._tag !== "IdentityToken" || error.status === 403)

/** For how long a token server that gave no token for two repositories at once is asked for one only. */
const singleNanos = 3_600_000_000_000n

/** A token for these scopes; undefined where `last` leaves nothing to be tried. */
export const makeScopedTokens = (tokenRequest: MakeTokenRequest, tokens: Tokens) => {
  /** Token servers and identities that get one scope a token. */
  const single = makeExpiringSet(1024, singleNanos)

  /**
   * Scopes that registries have offered in place of ours, and that their token servers take, by repository and operation: what a
   * registry wants for the end of an upload (`delete`) does not do for anything else.
   */
  const instead = makeBoundedMap<string, string>(4096)

  /** For the repository and, where that gets a token, for the one that is mounted from. */
  const ourToken = Effect.fnUntraced(function*(
    purpose: Purpose,
    scheme: Bearer,
    endpoint: URL,
    identity: Identity,
    refused: Redacted.Redacted | undefined
  ) {
    const one = yield* tokenRequest({ ...purpose, from: undefined }, scheme, endpoint, identity)
    if (refused !== undefined) yield* tokens.drop(one, refused)
    if (purpose.from === undefined) return yield* tokens.get(one)
    const key = `${scheme.realm.href} ${identity.name}`
    if (single.has(key, yield* Clock.monotonicTimeNanos)) return yield* tokens.get(one)
    const both = yield* tokenRequest(purpose, scheme, endpoint, identity)
    if (refused !== undefined) yield* tokens.drop(both, refused)
    return yield* tokens.get(both).pipe(
      // a registry that will not speak of two repositories at once still gives a token for the one
      Effect.catchIf(
        isScopeRefused,
        Effect.fnUntraced(function*() {
          single.add(key, yield* Clock.monotonicTimeNanos)
          return yield* tokens.get(one)
        })
      )
    )
  })

  return Effect.fnUntraced(function*(
    purpose: Purpose,
    scheme: Bearer,
    endpoint: URL,
    identity: Identity,
    { insist = false, offered, refused }: Refused
  ) {
    const { actions, operation, repository: { repository } } = purpose
    const key = [endpoint.origin, repository, operation, actions, identity.name, scheme.realm.href].join(" ")
    const taken = instead.get(key)
    const getOther = Effect.fnUntraced(function*(scope: string) {
      const request = { ...(yield* tokenRequest(purpose, scheme, endpoint, identity)), scopes: scopesIn(scope) }
      if (refused !== undefined) yield* tokens.drop(request, refused)
      const token = yield* tokens.get(request)
      instead.set(key, scope)
      return token
    })
    if (insist && offered !== undefined) {
      if (taken !== offered) return yield* getOther(offered)
      // it does no more than ours: the next request begins with ours again
      instead.delete(key)
      return undefined
    }
    const ours = ourToken(purpose, scheme, endpoint, identity, refused).pipe(
      Effect.catchIf(
        (error) => isAboutScope(error, identity),
        (error) => offered === undefined ? Effect.fail(error) : getOther(offered)
      )
    )
    if (taken === undefined) return yield* ours
    // what was offered once may be offered no longer
    return yield* getOther(taken).pipe(
      Effect.catchIf(
        (error) => isAboutScope(error, identity),
        () => {
          instead.delete(key)
          return ours
        }
      )
    )
  })
}
