// A request as somebody: picks the credential, answers challenges, retries once with a fresh token.
// Edge: what an answer other than 401 means is for Manifests.ts and Blobs.ts.
import { Effect, Option, Redacted } from "effect"
import type { Access, Repository } from "./Access.ts"
import { mayBePrivate } from "./AddressPolicy.ts"
import { makeBoundedMap } from "./BoundedMap.ts"
import { type Challenge, parseChallenges } from "./Challenge.ts"
import type { Credential } from "./DockerConfig.ts"
import { isTrustedRealm } from "./Realm.ts"
import { type RegistryError, registryError } from "./RegistryError.ts"
import { includesHost, type RegistryOptions } from "./RegistrySettings.ts"
import { basicHeader, type TokenRequest, type Tokens } from "./Tokens.ts"
import type { Answer, Request } from "./Transport.ts"

/** A request to a repository, before it has a URL's origin and an identity. */
export interface Spec extends Omit<Request, "url" | "authorization" | "identity"> {
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
}

type Scheme =
  | { readonly _tag: "Bearer"; readonly realm: URL; readonly service: string | undefined }
  | { readonly _tag: "Basic" }

export interface Session {
  readonly endpointOf: (registry: string) => URL | undefined
  /** Runs the request with what the registry wants to see, at most two times. */
  readonly run: <R>(
    spec: Spec,
    perform: (request: Request) => Effect.Effect<Answer, RegistryError, R>
  ) => Effect.Effect<Answer & { readonly anonymous: boolean }, RegistryError, R>
}

const endpoint = (options: RegistryOptions, registry: string): URL | undefined => {
  const host = registry === "docker.io" ? "registry-1.docker.io" : registry
  const text = `${includesHost(options.plainHttp, registry) ? "http" : "https"}://${host}`
  return URL.canParse(text) ? new URL(text) : undefined
}

// Bearer before Basic: registries that offer both mean "a token, or a token for your password"
const schemeOf = (challenges: ReadonlyArray<Challenge>, url: URL): Scheme | undefined => {
  for (const challenge of challenges) {
    const realm = challenge.parameters.get("realm")
    if (challenge.scheme === "bearer" && realm !== undefined && URL.canParse(realm, url)) {
      return { _tag: "Bearer", realm: new URL(realm, url), service: challenge.parameters.get("service") }
    }
  }
  return challenges.some((it) => it.scheme === "basic") ? { _tag: "Basic" } : undefined
}

const isRefusal = (error: RegistryError) => error.reason === "Unauthorized" || error.reason === "Denied"

export const makeSession = (options: {
  readonly settings: () => RegistryOptions
  readonly access: Access
  readonly tokens: Tokens
}): Session => {
  const { access, settings, tokens } = options
  const schemes = makeBoundedMap<string, Scheme>(4096)
  const warned = makeBoundedMap<string, true>(1024)

  const tokenRequest = Effect.fnUntraced(function*(
    spec: Spec,
    scheme: Extract<Scheme, { readonly _tag: "Bearer" }>,
    at: URL,
    credential: Credential | undefined,
    from: string | undefined
  ): Effect.fn.Return<TokenRequest, RegistryError> {
    const { registry, repository } = spec.repository
    if (scheme.realm.protocol !== "https:" && at.protocol === "https:") {
      return yield* registryError({
        operation: spec.operation,
        target: spec.target,
        reason: "Refused",
        detail: `the registry's token server ${scheme.realm.host} is without TLS`
      })
    }
    const trusted = isTrustedRealm(registry, at, scheme.realm)
    if (!trusted && credential !== undefined && warned.get(scheme.realm.host) === undefined) {
      warned.set(scheme.realm.host, true)
      yield* Effect.logWarning("the token server does not belong to the registry: credentials are withheld").pipe(
        Effect.annotateLogs({ registry, realm: scheme.realm.host })
      )
    }
    return {
      realm: scheme.realm,
      service: scheme.service,
      scopes: [
        `repository:${repository}:${spec.actions}`,
        ...(from === undefined ? [] : [`repository:${from}:pull`])
      ],
      credential: trusted ? credential : undefined,
      vouched: trusted && mayBePrivate(settings(), at.host),
      target: spec.target
    }
  })

  /** The header for what is known of the registry so far. */
  const headerFor = Effect.fnUntraced(
    function*(spec: Spec, at: URL, credential: Credential | undefined, fresh: boolean) {
      if (credential?._tag === "RegistryToken") {
        return Redacted.make(`Bearer ${Redacted.value(credential.token)}`, { label: "authorization" })
      }
      const scheme = schemes.get(at.origin)
      if (scheme === undefined) return undefined
      if (scheme._tag === "Basic") {
        return credential?._tag === "Basic" ? basicHeader(credential.username, credential.password) : undefined
      }
      const request = yield* tokenRequest(spec, scheme, at, credential, spec.from)
      if (fresh) yield* tokens.drop(request)
      return yield* tokens.get(request).pipe(
        // a registry that will not speak of two repositories at once still gives a token for the one
        Effect.catchIf(
          (error) => spec.from !== undefined && error.status !== undefined && error.status >= 400 && error.status < 404,
          () => Effect.flatMap(tokenRequest(spec, scheme, at, credential, undefined), tokens.get)
        )
      )
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
    if (scheme?._tag !== "Bearer") return answer
    const scope = challenges.find((it) => it.scheme === "bearer")?.parameters.get("scope")
    const token = yield* tokens.get({
      realm: scheme.realm,
      service: scheme.service,
      scopes: scope === undefined ? [] : [scope],
      credential: undefined,
      vouched: false,
      target: spec.target
    })
    return yield* perform({ ...request, url: answer.url, authorization: token, identity: "anonymous" })
  })

  const attempt = Effect.fnUntraced(function*<R>(
    spec: Spec,
    credential: Credential | undefined,
    perform: (request: Request) => Effect.Effect<Answer, RegistryError, R>
  ) {
    const at = endpoint(settings(), spec.repository.registry)
    if (at === undefined) {
      return yield* registryError({
        operation: spec.operation,
        target: spec.target,
        reason: "Unsupported",
        detail: `${spec.repository.registry} is no host that could be reached`
      })
    }
    const url = typeof spec.path === "string" ? new URL(spec.path, at) : spec.path
    const identity = credential?.fingerprint ?? "anonymous"
    const authorization = yield* headerFor(spec, at, credential, false)
    // an upload's Location may be on another host: nothing of ours goes there
    const own = url.origin === at.origin
    const request = { ...spec, url, identity }
    const first = yield* perform({ ...request, authorization: own ? authorization : undefined })
    if (first.status !== 401) return first
    if (first.url.origin !== at.origin) return yield* foreign(spec, request, first, perform)
    if (!learn(at, parseChallenges(first.headers["www-authenticate"])) && authorization === undefined) return first
    const again = yield* headerFor(spec, at, credential, true)
    if (again === undefined || !own || spec.once === true) return first
    return yield* perform({ ...request, authorization: again })
  })

  return {
    endpointOf: (registry) => endpoint(settings(), registry),
    run: Effect.fnUntraced(function*(spec, perform) {
      const credential = spec.anonymous === true
        ? undefined
        : Option.getOrUndefined(yield* access.credentialFor(spec.repository))
      const anonymously = Effect.map(
        attempt(spec, undefined, perform),
        (answer) => ({ ...answer, anonymous: true })
      )
      if (credential === undefined) return yield* anonymously
      const known = attempt(spec, credential, perform)
      if (access.roleOf(spec.repository) === "backup") {
        return yield* Effect.map(known, (answer) => ({ ...answer, anonymous: false }))
      }
      // a public image must not fail because a login has gone stale (R2.8)
      const outcome = yield* known.pipe(
        Effect.catchIf(isRefusal, () => Effect.undefined)
      )
      if (outcome !== undefined && outcome.status !== 401 && outcome.status !== 403) {
        return { ...outcome, anonymous: false }
      }
      yield* access.distrust(spec.repository, credential)
      yield* Effect.logWarning("the registry refused our credential; going on without it").pipe(
        Effect.annotateLogs({ registry: spec.repository.registry })
      )
      return yield* anonymously
    })
  }
}
