// The Authorization of a request, as one identity: a token of the registry's token server, a login, or none.
// Edge: credentials stop here at a token server that is not the registry's (invariant 6); who may be whom is Identities.ts's.
import { type Duration, Effect, Redacted } from "effect"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import type { Repository } from "../../image/Repository.ts"
import type { RegistryError } from "../RegistryError.ts"
import type { RegistryOptions } from "../RegistrySettings.ts"
import { mayBePrivate } from "../transport/AddressPolicy.ts"
import { anonymous, type Identity } from "./Identities.ts"
import { isTrustedRealm, keepTls, pairOf } from "./Realm.ts"
import type { Bearer, Schemes } from "./Scheme.ts"
import { makeScopedTokens, scopesOf } from "../refusal/ScopedTokens.ts"
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
  /** How long it may take: a cloud's login or token that ends before is replaced first, where that is possible. */
  readonly lasting?: Duration.Duration | undefined
}

/** What is known of the request's last try. */
export interface Refused {
  /** The value that did not do. */
  readonly refused?: Redacted.Redacted | undefined
  /** The scope that the registry has offered, where it is none of ours (OfferedScope.ts). */
  readonly offered?: string | undefined
  /** A token for ours did not do: the offered one is taken, unless it was. */
  readonly insist?: boolean
}

/** The value of the header for what is known of the repository so far; undefined: there is nothing (more) to show. */
export type Authorize = (
  purpose: Purpose,
  endpoint: URL,
  identity: Identity,
  last?: Refused
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

/** What to ask of the token server, as `identity` if that is not its secret to know. */
const makeTokenRequests = (settings: () => RegistryOptions) => {
  const warned = makeBoundedMap<string, true>(1024)
  return Effect.fnUntraced(function*(
    purpose: Purpose,
    { realm, service }: Bearer,
    endpoint: URL,
    identity: Identity
  ): Effect.fn.Return<TokenRequest, RegistryError> {
    const { lasting, repository: { registry }, target } = purpose
    yield* keepTls(purpose, endpoint, realm)
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
      scopes: scopesOf(purpose),
      identity: trusted ? identity : anonymous,
      vouched: trusted && mayBePrivate(settings(), endpoint.host),
      target,
      // other token servers may give tokens of five minutes, and mean it
      lasting: trusted && identity.credential?.byCloud === true ? lasting : undefined
    }
  })
}

export const makeAuthorization = (options: {
  readonly settings: () => RegistryOptions
  readonly schemes: Schemes
  readonly tokens: Tokens
}): Authorization => {
  const { schemes, settings, tokens } = options
  const tokenFor = makeScopedTokens(makeTokenRequests(settings), tokens)
  const authorize: Authorize = Effect.fnUntraced(function*(purpose, endpoint, identity, last = {}) {
    const { credential } = identity
    if (credential?._tag === "RegistryToken") {
      return Redacted.make(`Bearer ${Redacted.value(credential.token)}`, { label: "authorization" })
    }
    const scheme = schemes.of(endpoint, purpose.repository.repository)?.scheme
    if (scheme === undefined) return undefined
    if (scheme._tag === "Bearer") return yield* tokenFor(purpose, scheme, endpoint, identity, last)
    // a password is for no scope
    if (last.insist === true) return undefined
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
