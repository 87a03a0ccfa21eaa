// A request as one identity: answers the registry's challenge, or that of another it redirects to, and tries once more.
// Edge: who tries next is Session.ts's; what an answer other than 401 means is for Manifests.ts and Blobs.ts.
import { Effect, Redacted, Result } from "effect"
import { type RegistryError, registryError } from "../RegistryError.ts"
import type { Answer, Request } from "../transport/Transport.ts"
import type { Authorize, Purpose } from "./Authorization.ts"
import { parseChallenges } from "./Challenge.ts"
import { saysExpired } from "../identity/Expired.ts"
import { anonymous, type Identity } from "./Identities.ts"
import { otherScope } from "../refusal/OfferedScope.ts"
import { hasOneRealm, keepTls } from "./Realm.ts"
import { isSame, parameterOf, schemeOf, type Schemes } from "./Scheme.ts"
import { isScopeRefused, scopesOf } from "../refusal/ScopedTokens.ts"
import type { Tokens } from "./Tokens.ts"
import type { VersionCheck } from "../refusal/VersionCheck.ts"

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

/** No server there, or none that gives tokens: another may have taken its place. One that hangs up is there, and busy. */
const isGone = ({ noConnection, status }: RegistryError): boolean => noConnection || status === 404 || status === 410

/** 401 and 403: about who asks, and not about what is asked for. */
export const isAboutRights = ({ reason }: RegistryError): boolean => reason === "Unauthorized" || reason === "Denied"

const isEqual = (a: Redacted.Redacted, b: Redacted.Redacted | undefined): boolean =>
  b !== undefined && Redacted.value(a) === Redacted.value(b)

const challengesOf = ({ headers }: Answer) => parseChallenges(headers["www-authenticate"])

/** Redirected to another registry that wants a token of its own: anonymous, for this one request. */
const makeForeign = (tokens: Tokens) =>
  Effect.fnUntraced(function*<R>(spec: Spec, request: Request, answer: Answer, perform: Perform<R>) {
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

/** After a refusal: the request again, with a new token, of the server that was just named, or for the scope that was. */
const makeAgain = (authorize: Authorize, schemes: Schemes) =>
  Effect.fnUntraced(function*<R>(
    spec: Spec,
    at: URL,
    identity: Identity,
    refused: {
      readonly answer: Answer
      readonly authorization: Redacted.Redacted | undefined
      readonly moves: boolean
    },
    send: (authorization: Redacted.Redacted) => ReturnType<Perform<R>>
  ) {
    const offered = otherScope(challengesOf(refused.answer), scopesOf(spec))
    const trying = authorize(spec, at, identity, { refused: refused.authorization, offered })
    const next = yield* refused.moves
      // of the server that there was before; what becomes of the one that was named is told then
      ? Effect.orElseSucceed(trying, () => undefined)
      : trying
    if (spec.once === true || (next === undefined && !refused.moves)) return refused.answer
    // a password that was refused, and has not changed, would be refused again, and count at whoever locks accounts
    const second = next === undefined || isEqual(next, refused.authorization) ? refused.answer : yield* send(next)
    if (second.status !== 401 || second.url.origin !== at.origin) return second
    const { repository } = spec.repository
    const other = otherScope(challengesOf(second), scopesOf(spec)) ?? offered
    if (refused.moves) schemes.move(at, repository, challengesOf(second))
    else if (other === undefined) return second
    const last = yield* authorize(spec, at, identity, { refused: next, offered: other, insist: !refused.moves }).pipe(
      // the registry's own refusal says more
      Effect.catchIf(isScopeRefused, () => Effect.undefined)
    )
    const third = last === undefined ? second : yield* send(last)
    if (refused.moves && third.status === 401) schemes.stay(at, repository)
    return third
  })

export const makeAttempt = (options: {
  readonly endpointOf: (registry: string) => URL | undefined
  readonly schemes: Schemes
  readonly authorize: Authorize
  readonly tokens: Tokens
  readonly checkVersion: VersionCheck
}) => {
  const { authorize, checkVersion, endpointOf, schemes } = options
  const foreign = makeForeign(options.tokens)
  const again = makeAgain(authorize, schemes)

  /**
   * A neighbour's token server gives nothing for this repository, which may have one of its own, or its own one is gone: it is asked
   * what it wants. Where that is nothing else, or it says nothing, the failure stands.
   */
  const mayDiffer = (spec: Spec, at: URL, failure: RegistryError): boolean => {
    const { registry, repository } = spec.repository
    if (spec.once === true || hasOneRealm(registry)) return false
    const known = schemes.of(at, repository)
    if (known?.own === true && isGone(failure)) {
      schemes.forget(at, repository)
      return true
    }
    return known?.own === false
  }

  /** Refused without a word of how one logs in, while there is a login that was not shown: does `/v2/` say it? */
  const asksAtTheDoor = (spec: Spec, at: URL, identity: Identity, { status }: Answer) =>
    identity.credential === undefined || spec.once === true || (status !== 401 && status !== 403 && status !== 404)
      ? Effect.succeed(false)
      : checkVersion(at).pipe(
        Effect.map((challenges) => schemes.learn(at, spec.repository.repository, challenges)),
        // the refusal stands, whatever becomes of this
        Effect.orElseSucceed(() => false)
      )

  /** At most two requests; one more where the first is redirected, or names another token server or scope than before. */
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
    const send = (authorization: Redacted.Redacted | undefined) => perform({ ...request, authorization })
    const known = schemes.of(at, repository)?.scheme
    const given = yield* Effect.result(own ? authorize(spec, at, identity) : Effect.undefined)
    if (Result.isFailure(given) && !mayDiffer(spec, at, given.failure)) return yield* given.failure
    const authorization = Result.getOrElse(given, () => undefined)
    const answer = yield* send(authorization)
    if (answer.status === 401 && answer.url.origin !== at.origin) return yield* foreign(spec, request, answer, perform)
    const challenges = answer.status === 401 ? challengesOf(answer) : []
    // nvcr.io names another token server to whoever brings a token that has ended, and that one knows no anonymous
    const moves = authorization !== undefined && schemes.moves(at, repository, challenges)
    const learnt = !moves && schemes.learn(at, repository, challenges)
    if (Result.isFailure(given) && answer.status >= 300) {
      const now = schemes.of(at, repository)?.scheme
      const isOther = now !== undefined && (known === undefined || !isSame(now, known))
      const isNews = learnt && (isOther || otherScope(challenges, scopesOf(spec)) !== undefined)
      if (!isNews) return yield* given.failure
    }
    if (!own) return answer
    // a token that has ended is said to have, without a challenge, by ECR's public registry
    const ended = authorization !== undefined && known?._tag === "Bearer" && saysExpired(answer)
    const isWorthIt = ended || (answer.status === 401 && (learnt || authorization !== undefined))
      ? true
      : authorization === undefined && (yield* asksAtTheDoor(spec, at, identity, answer))
    return isWorthIt ? yield* again(spec, at, identity, { answer, authorization, moves }, send) : answer
  })
}
