// A request as one identity: answers the registry's challenge, or that of another it redirects to, and tries once more.
// Edge: who tries next is Session.ts's; what an answer other than 401 means is for Manifests.ts and Blobs.ts.
import { Effect, Result } from "effect"
import { type RegistryError, registryError } from "../RegistryError.ts"
import type { Answer, Request } from "../transport/Transport.ts"
import type { Authorize, Purpose } from "./Authorization.ts"
import { parseChallenges } from "./Challenge.ts"
import { anonymous, type Identity } from "./Identities.ts"
import { hasOneRealm, keepTls } from "./Realm.ts"
import { parameterOf, schemeOf, type Schemes } from "./Scheme.ts"
import type { Tokens } from "./Tokens.ts"

/** A request to a repository, before it has a URL's origin and an identity. */
export interface Spec
  extends
    Purpose,
    Omit<Request, "operation" | "target" | "url" | "authorization" | "identity" | "certificate" | "named">
{
  /** Path and query below the registry's origin, or a whole URL the registry gave us (an upload's Location). */
  readonly path: string | URL
  /** The body can be sent once only: after a 401 the next request will have a fresh token, this one fails. */
  readonly once?: boolean
  /** Offer no credential, whatever there is. */
  readonly anonymous?: boolean
  /** A 404 may mean that this one may not see it: with several logins for a source, the next is tried. */
  readonly hides?: boolean
  /** As nobody else: who began an upload goes on with it. */
  readonly as?: Identity | undefined
}

/** Sends one request. */
export type Perform<R> = (request: Request) => Effect.Effect<Answer, RegistryError, R>

/** 401 and 403: about who asks, and not about what is asked for. */
export const isAboutRights = ({ reason }: RegistryError): boolean => reason === "Unauthorized" || reason === "Denied"

export const makeAttempt = (options: {
  readonly endpointOf: (registry: string) => URL | undefined
  readonly schemes: Schemes
  readonly authorize: Authorize
  readonly tokens: Tokens
}) => {
  const { authorize, endpointOf, schemes, tokens } = options

  /** Redirected to another registry that wants a token of its own: anonymous, for this one request. */
  const foreign = Effect.fnUntraced(function*<R>(spec: Spec, request: Request, answer: Answer, perform: Perform<R>) {
    const challenges = parseChallenges(answer.headers["www-authenticate"])
    const scheme = schemeOf(challenges, answer.url)
    if (scheme?._tag !== "Bearer" || spec.once === true) return answer
    yield* keepTls(spec, answer.url, scheme.realm)
    const challenge = challenges.find((it) => it.scheme === "bearer")
    const scope = challenge === undefined ? undefined : parameterOf(challenge, "scope")
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

  /**
   * A neighbour's token server gives nothing for this repository, which may have one of its own: it is asked what it wants. Where
   * that is nothing else, or it says nothing, the neighbour's failure stands.
   */
  const mayDiffer = (spec: Spec, at: URL): boolean =>
    spec.once !== true && !hasOneRealm(spec.repository.registry) &&
    schemes.of(at, spec.repository.repository)?.own === false

  /** At most two requests, and one more where the first is redirected. */
  return Effect.fnUntraced(function*<R>(spec: Spec, identity: Identity, perform: Perform<R>) {
    const at = endpointOf(spec.repository.registry)
    if (at === undefined) {
      const { operation, repository, target } = spec
      const detail = `${repository.registry} is no host that could be reached`
      return yield* registryError({ operation, target, reason: "Unsupported", detail })
    }
    const { repository } = spec.repository
    // a path that begins with two slashes is a host to the URL parser
    const url = typeof spec.path === "string" ? new URL(at.origin + spec.path) : spec.path
    // an upload's Location may be on another host: nothing of ours goes there
    const own = url.origin === at.origin
    const request = { ...spec, url, identity: identity.name, certificate: own && identity.certificate, named: own }
    const known = schemes.of(at, repository)?.scheme
    const given = yield* Effect.result(own ? authorize(spec, at, identity, undefined) : Effect.undefined)
    if (Result.isFailure(given) && !mayDiffer(spec, at)) return yield* Effect.fail(given.failure)
    const authorization = Result.getOrElse(given, () => undefined)
    const first = yield* perform({ ...request, authorization })
    if (first.status === 401 && first.url.origin !== at.origin) return yield* foreign(spec, request, first, perform)
    const learnt = first.status === 401 &&
      schemes.learn(at, repository, parseChallenges(first.headers["www-authenticate"]))
    if (Result.isFailure(given) && first.status >= 300) {
      const isNews = learnt && schemes.of(at, repository)?.scheme !== known
      if (!isNews) return yield* Effect.fail(given.failure)
    }
    if (first.status !== 401 || (!learnt && authorization === undefined)) return first
    const again = yield* authorize(spec, at, identity, authorization)
    if (again === undefined || !own || spec.once === true) return first
    return yield* perform({ ...request, authorization: again })
  })
}
