// A request as somebody: tries those whom we may be in turn, answers challenges, retries once with a fresh token.
// Edge: what an answer other than 401 means is for Manifests.ts and Blobs.ts.
import { Clock, Effect, Redacted, Result } from "effect"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import type { Repository } from "../../image/Repository.ts"
import { type RegistryError, registryError } from "../RegistryError.ts"
import { includesHost, type RegistryOptions } from "../RegistrySettings.ts"
import { mayBePrivate } from "../transport/AddressPolicy.ts"
import type { Answer, Request } from "../transport/Transport.ts"
import { type Challenge, parseChallenges } from "./Challenge.ts"
import { type Access, anonymous, type Identity } from "./Identities.ts"
import { isTrustedRealm } from "./Realm.ts"
import type { Tokens } from "./Tokens.ts"
import { basicHeader, type TokenRequest } from "./TokenServer.ts"

/** A request to a repository, before it has a URL's origin and an identity. */
export interface Spec extends Omit<Request, "url" | "authorization" | "identity" | "certificate" | "named"> {
  readonly repository: Repository
  /** Path and query below the registry's origin, or a whole URL the registry gave us (an upload's Location). */
  readonly path: string | URL
  readonly actions: "pull" | "pull,push"
  /** A further repository of the same registry that must be readable: the origin of a mount. */
  readonly from?: string | undefined
  /** The body can be sent once only: after a 401 the next request will have a fresh token, this one fails. */
  readonly once?: boolean
  /** Offer no credential, whatever there is. */
  readonly anonymous?: boolean
  /** A 404 may mean that this one may not see it: with several logins for a source, the next is tried. */
  readonly hides?: boolean
  /** As nobody else: who began an upload goes on with it. */
  readonly as?: Identity | undefined
}

type Scheme =
  | { readonly _tag: "Bearer"; readonly realm: URL; readonly service: string | undefined }
  | { readonly _tag: "Basic" }

/** An answer, and who got it from whom. */
export interface SessionAnswer extends Answer {
  readonly identity: Identity
  readonly anonymous: boolean
  /** Not the registry has answered, but a host that a redirect or an upload's Location led to. */
  readonly elsewhere: boolean
}

export interface Session {
  readonly endpointOf: (registry: string) => URL | undefined
  /**
   * Runs the request with what the registry wants to see, at most two times as each of those whom we may be. A write is
   * tried as the next only before any of them has written there.
   */
  readonly run: <R>(
    spec: Spec,
    perform: (request: Request) => Effect.Effect<Answer, RegistryError, R>
  ) => Effect.Effect<SessionAnswer, RegistryError, R>
}

const endpoint = (options: RegistryOptions, registry: string): URL | undefined => {
  const host = registry === "docker.io" ? "registry-1.docker.io" : registry
  const text = `${includesHost(options.plainHttp, registry) ? "http" : "https"}://${host}`
  return URL.canParse(text) ? new URL(text) : undefined
}

// the specification has no bound; these texts are kept for every host
const longestRealm = 2048

/** The token server of a challenge, as far as it is one. */
const realmOf = (challenge: Challenge, url: URL): URL | undefined => {
  const text = challenge.parameters.get("realm")
  if (text === undefined || text.length > longestRealm || !URL.canParse(text, url)) return undefined
  const realm = new URL(text, url)
  realm.username = ""
  realm.password = ""
  return realm.protocol === "https:" || realm.protocol === "http:" ? realm : undefined
}

const short = (text: string | undefined): string | undefined =>
  text !== undefined && text.length <= longestRealm ? text : undefined

// Bearer before Basic: registries that offer both mean "a token, or a token for your password"
const schemeOf = (challenges: ReadonlyArray<Challenge>, url: URL): Scheme | undefined => {
  for (const challenge of challenges) {
    if (challenge.scheme !== "bearer") continue
    const realm = realmOf(challenge, url)
    if (realm !== undefined) return { _tag: "Bearer", realm, service: short(challenge.parameters.get("service")) }
  }
  return challenges.some((it) => it.scheme === "basic") ? { _tag: "Basic" } : undefined
}

/** For how long a token server that gave no token for two repositories at once is asked for one only. */
const singleNanos = 3_600_000_000_000n

type Outcome = Result.Result<SessionAnswer, RegistryError>

const isAboutRights = ({ reason }: RegistryError): boolean => reason === "Unauthorized" || reason === "Denied"

/** 401 and 403, of the registry or of its token server. Other hosts were shown nothing that they could refuse. */
const isRefused = (outcome: Outcome): boolean =>
  Result.isFailure(outcome)
    ? isAboutRights(outcome.failure)
    : !outcome.success.elsewhere && (outcome.success.status === 401 || outcome.success.status === 403)

/** 401 to what can be sent once only: the token has ended since, and the next request has a fresh one. */
const isTokensEnd = (spec: Spec, outcome: Outcome): boolean =>
  spec.once === true && Result.isSuccess(outcome) && outcome.success.status === 401

const unsafeRealm = (spec: Spec, realm: URL) =>
  registryError({
    operation: spec.operation,
    target: spec.target,
    reason: "Refused",
    detail: `the registry's token server ${realm.host} is without TLS`
  })

/** Endpoints by registry, for as long as the settings stay the same: every request asks. */
const makeEndpoints = (settings: () => RegistryOptions) => {
  let of = settings()
  let known = makeBoundedMap<string, URL>(4096)
  return (registry: string): URL | undefined => {
    const now = settings()
    if (now !== of) {
      of = now
      known = makeBoundedMap(4096)
    }
    const present = known.get(registry)
    if (present !== undefined) return present
    const url = endpoint(now, registry)
    if (url !== undefined) known.set(registry, url)
    return url
  }
}

export const makeSession = (options: {
  readonly settings: () => RegistryOptions
  readonly access: Access
  readonly tokens: Tokens
}): Session => {
  const { access, settings, tokens } = options
  const endpointOf = makeEndpoints(settings)
  const schemes = makeBoundedMap<string, Scheme>(4096)
  const warned = makeBoundedMap<string, true>(1024)
  /** Token servers and identities with the monotonic time until which they get one scope a token. */
  const single = makeBoundedMap<string, bigint>(1024)

  const tokenRequest = Effect.fnUntraced(function*(
    spec: Spec,
    scheme: Extract<Scheme, { readonly _tag: "Bearer" }>,
    at: URL,
    identity: Identity,
    from: string | undefined
  ): Effect.fn.Return<TokenRequest, RegistryError> {
    const { registry, repository } = spec.repository
    if (scheme.realm.protocol !== "https:" && at.protocol === "https:") return yield* unsafeRealm(spec, scheme.realm)
    const trusted = yield* isTrustedRealm(registry, at, scheme.realm)
    if (!trusted && identity !== anonymous && warned.get(scheme.realm.host) === undefined) {
      warned.set(scheme.realm.host, true)
      yield* Effect.logWarning("the token server does not belong to the registry: credentials are withheld").pipe(
        Effect.annotateLogs({ registry, realm: scheme.realm.host })
      )
    }
    return {
      registry: at.origin,
      realm: scheme.realm,
      service: scheme.service,
      scopes: [
        `repository:${repository}:${spec.actions}`,
        ...(from === undefined ? [] : [`repository:${from}:pull`])
      ],
      identity: trusted ? identity : anonymous,
      vouched: trusted && mayBePrivate(settings(), at.host),
      target: spec.target
    }
  })

  /** A token for the request; `refused` is the Authorization that did not do. */
  const tokenFor = Effect.fnUntraced(function*(
    spec: Spec,
    scheme: Extract<Scheme, { readonly _tag: "Bearer" }>,
    at: URL,
    identity: Identity,
    refused: Redacted.Redacted | undefined
  ) {
    const one = yield* tokenRequest(spec, scheme, at, identity, undefined)
    if (refused !== undefined) yield* tokens.drop(one, refused)
    if (spec.from === undefined) return yield* tokens.get(one)
    const key = `${scheme.realm.href} ${identity.name}`
    if ((single.get(key) ?? 0n) > (yield* Clock.monotonicTimeNanos)) return yield* tokens.get(one)
    const both = yield* tokenRequest(spec, scheme, at, identity, spec.from)
    if (refused !== undefined) yield* tokens.drop(both, refused)
    return yield* tokens.get(both).pipe(
      // a registry that will not speak of two repositories at once still gives a token for the one
      Effect.catchIf(
        (error) => error.status !== undefined && error.status >= 400 && error.status < 404,
        Effect.fnUntraced(function*() {
          single.set(key, (yield* Clock.monotonicTimeNanos) + singleNanos)
          return yield* tokens.get(one)
        })
      )
    )
  })

  /** The header for what is known of the registry so far. */
  const headerFor = Effect.fnUntraced(
    function*(spec: Spec, at: URL, identity: Identity, refused: Redacted.Redacted | undefined) {
      const { credential } = identity
      if (credential?._tag === "RegistryToken") {
        return Redacted.make(`Bearer ${Redacted.value(credential.token)}`, { label: "authorization" })
      }
      const scheme = schemes.get(at.origin)
      if (scheme === undefined) return undefined
      if (scheme._tag === "Bearer") return yield* tokenFor(spec, scheme, at, identity, refused)
      const login = credential?._tag === "IdentityToken" ? credential.login : credential
      return login === undefined ? undefined : basicHeader(login)
    }
  )

  const learn = (at: URL, challenges: ReadonlyArray<Challenge>): boolean => {
    const scheme = schemeOf(challenges, at)
    // Harbor turns to Basic once it has seen a token that is not enough: the first Bearer stays (R2.7)
    if (scheme === undefined || (scheme._tag === "Basic" && schemes.get(at.origin)?._tag === "Bearer")) return false
    schemes.set(at.origin, scheme)
    return true
  }

  /** Redirected to another registry that wants a token of its own: anonymous, for this one request. */
  const foreign = Effect.fnUntraced(function*<R>(
    spec: Spec,
    request: Request,
    answer: Answer,
    perform: (request: Request) => Effect.Effect<Answer, RegistryError, R>
  ) {
    const challenges = parseChallenges(answer.headers["www-authenticate"])
    const scheme = schemeOf(challenges, answer.url)
    if (scheme?._tag !== "Bearer" || spec.once === true) return answer
    if (scheme.realm.protocol !== "https:" && answer.url.protocol === "https:") {
      return yield* unsafeRealm(spec, scheme.realm)
    }
    const scope = short(challenges.find((it) => it.scheme === "bearer")?.parameters.get("scope"))
    const token = yield* tokens.get({
      registry: answer.url.origin,
      realm: scheme.realm,
      service: scheme.service,
      scopes: scope === undefined ? [] : [scope],
      identity: anonymous,
      vouched: false,
      target: spec.target
    }).pipe(
      // as the further registry would say it: the first one, and whom it has let in, have no part in it
      Effect.catchIf(isAboutRights, () => Effect.undefined)
    )
    if (token === undefined) return answer
    return yield* perform({
      ...request,
      url: answer.url,
      authorization: token,
      identity: anonymous.name,
      certificate: false,
      named: false
    })
  })

  const attempt = Effect.fnUntraced(function*<R>(
    spec: Spec,
    identity: Identity,
    perform: (request: Request) => Effect.Effect<Answer, RegistryError, R>
  ) {
    const at = endpointOf(spec.repository.registry)
    if (at === undefined) {
      return yield* registryError({
        operation: spec.operation,
        target: spec.target,
        reason: "Unsupported",
        detail: `${spec.repository.registry} is no host that could be reached`
      })
    }
    // a path that begins with two slashes is a host to the URL parser
    const url = typeof spec.path === "string" ? new URL(at.origin + spec.path) : spec.path
    // an upload's Location may be on another host: nothing of ours goes there
    const own = url.origin === at.origin
    const authorization = own ? yield* headerFor(spec, at, identity, undefined) : undefined
    const request = { ...spec, url, identity: identity.name, certificate: own && identity.certificate, named: own }
    const first = yield* perform({ ...request, authorization })
    if (first.status !== 401) return first
    if (first.url.origin !== at.origin) return yield* foreign(spec, request, first, perform)
    if (!learn(at, parseChallenges(first.headers["www-authenticate"])) && authorization === undefined) return first
    const again = yield* headerFor(spec, at, identity, authorization)
    if (again === undefined || !own || spec.once === true) return first
    return yield* perform({ ...request, authorization: again })
  })

  return {
    endpointOf,
    run: Effect.fnUntraced(function*(spec, perform) {
      const given = spec.anonymous === true ? anonymous : spec.as
      const use = spec.method === "GET" || spec.method === "HEAD" ? "read" : "write"
      const { identities, settled } = given === undefined
        ? yield* access.identitiesFor(spec.repository, use)
        : { identities: [given], settled: true }
      const isBackup = access.roleOf(spec.repository) === "backup"
      const mayGoOn = spec.once !== true && !(use === "write" && settled)
      const as = (identity: Identity) =>
        Effect.result(Effect.map(attempt(spec, identity, perform), (answer): SessionAnswer => ({
          ...answer,
          identity,
          anonymous: identity === anonymous,
          elsewhere: answer.url.origin !== endpointOf(spec.repository.registry)?.origin
        })))
      let last: Outcome | undefined
      for (const [index, identity] of identities.entries()) {
        const outcome = yield* as(identity)
        const hidden = Result.isSuccess(outcome) && outcome.success.status === 404 && spec.hides === true &&
          !isBackup &&
          !settled
        if (!isRefused(outcome) && !hidden) {
          if (identities.length > 1 && (index > 0 || !settled)) yield* access.settle(spec.repository, use, identity)
          return yield* Effect.fromResult(outcome)
        }
        // a backup's most telling answer is the first: the entries behind it say less of that repository
        last = isBackup && last !== undefined ? last : outcome
        if (isRefused(outcome) && !isTokensEnd(spec, outcome) && identity !== anonymous) {
          const by = Result.isFailure(outcome) ? "realm" : "repository"
          if (yield* access.refused(spec.repository, use, identity, by)) {
            yield* Effect.logWarning("the registry refused our credential").pipe(
              Effect.annotateLogs({ registry: spec.repository.registry, by })
            )
          }
        }
        if (!mayGoOn) break
      }
      // there is always somebody whom we are
      return yield* Effect.fromResult(last ?? (yield* as(anonymous)))
    })
  }
}
