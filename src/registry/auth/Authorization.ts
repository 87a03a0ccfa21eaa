// The Authorization of a request, as one identity: a token of the registry's token server, a login, or none.
// Edge: credentials stop here at a token server that is not the registry's (invariant 6); who may be whom is Identities.ts's.
import { Clock, Effect, Redacted } from "effect"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import { makeExpiringSet } from "../../collections/ExpiringSet.ts"
import type { Repository } from "../../image/Repository.ts"
import type { RegistryError } from "../RegistryError.ts"
import type { RegistryOptions } from "../RegistrySettings.ts"
import { mayBePrivate } from "../transport/AddressPolicy.ts"
import { anonymous, type Identity } from "./Identities.ts"
import { isTrustedRealm, keepTls, pairOf } from "./Realm.ts"
import type { Bearer, Schemes } from "./Scheme.ts"
import type { Tokens } from "./Tokens.ts"
import { basicHeader, type TokenRequest } from "./TokenServer.ts"

/** What somebody wants to do. */
export interface Purpose {
  readonly operation: string
  readonly target: string
  readonly repository: Repository
  readonly actions: "pull" | "pull,push"
  /** A further repository of the same registry that must be readable: the origin of a mount. */
  readonly from?: string | undefined
}

/**
 * The value of the header for what is known of the endpoint so far; undefined: there is nothing to show.
 * `refused` is the one that did not do.
 */
export type Authorize = (
  purpose: Purpose,
  endpoint: URL,
  identity: Identity,
  refused: Redacted.Redacted | undefined
) => Effect.Effect<Redacted.Redacted | undefined, RegistryError>

/** What is asked for a request's Authorization, and of whom our login is kept. */
export interface Authorization {
  readonly authorize: Authorize
  /**
   * The token server that was not told who we are, as `host=realm-host`; undefined where none had to be. It may change with the
   * settings, and with what the registry asks for.
   */
  readonly withheldFrom: (
    repository: Repository,
    endpoint: URL,
    identity: Identity
  ) => Effect.Effect<string | undefined>
}

/** For how long a token server that gave no token for two repositories at once is asked for one only. */
const singleNanos = 3_600_000_000_000n

/** What to ask of the token server, as `identity` if that is not its secret to know. */
const makeTokenRequests = (settings: () => RegistryOptions) => {
  const warned = makeBoundedMap<string, true>(1024)
  return Effect.fnUntraced(function*(
    { actions, from, operation, repository: { registry, repository }, target }: Purpose,
    { realm, service }: Bearer,
    endpoint: URL,
    identity: Identity
  ): Effect.fn.Return<TokenRequest, RegistryError> {
    yield* keepTls({ operation, target }, endpoint, realm)
    const trusted = yield* isTrustedRealm(registry, endpoint, realm, settings().trustedTokenServers)
    const pair = pairOf(registry, realm)
    if (!trusted && identity !== anonymous && warned.get(pair) === undefined) {
      warned.set(pair, true)
      yield* Effect.logWarning(
        `the token server is on another domain than its registry: the login is withheld; if it may see it, set `
          + `TRUSTED_TOKEN_SERVERS=${pair}`
      ).pipe(Effect.annotateLogs({ registry, realm: realm.host }))
    }
    return {
      registry: endpoint.origin,
      realm,
      service,
      scopes: [`repository:${repository}:${actions}`, ...(from === undefined ? [] : [`repository:${from}:pull`])],
      identity: trusted ? identity : anonymous,
      vouched: trusted && mayBePrivate(settings(), endpoint.host),
      target
    }
  })
}

export const makeAuthorization = (options: {
  readonly settings: () => RegistryOptions
  readonly schemes: Schemes
  readonly tokens: Tokens
}): Authorization => {
  const { schemes, settings, tokens } = options
  const tokenRequest = makeTokenRequests(settings)
  /** Token servers and identities that get one scope a token. */
  const single = makeExpiringSet(1024, singleNanos)

  const tokenFor = Effect.fnUntraced(function*(
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
        (error) => error.status !== undefined && error.status >= 400 && error.status < 404,
        Effect.fnUntraced(function*() {
          single.add(key, yield* Clock.monotonicTimeNanos)
          return yield* tokens.get(one)
        })
      )
    )
  })

  const authorize: Authorize = Effect.fnUntraced(function*(purpose, endpoint, identity, refused) {
    const { credential } = identity
    if (credential?._tag === "RegistryToken") {
      return Redacted.make(`Bearer ${Redacted.value(credential.token)}`, { label: "authorization" })
    }
    const scheme = schemes.of(endpoint, purpose.repository.repository)?.scheme
    if (scheme === undefined) return undefined
    if (scheme._tag === "Bearer") return yield* tokenFor(purpose, scheme, endpoint, identity, refused)
    const login = credential?._tag === "IdentityToken" ? credential.login : credential
    return login === undefined ? undefined : basicHeader(login)
  })

  return {
    authorize,
    withheldFrom: Effect.fnUntraced(function*({ registry, repository }, endpoint, identity) {
      const scheme = schemes.of(endpoint, repository)?.scheme
      if (identity === anonymous || identity.credential?._tag === "RegistryToken" || scheme?._tag !== "Bearer") {
        return undefined
      }
      const trusted = yield* isTrustedRealm(registry, endpoint, scheme.realm, settings().trustedTokenServers)
      return trusted ? undefined : pairOf(registry, scheme.realm)
    })
  }
}
