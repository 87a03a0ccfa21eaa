// A request as somebody: tries those whom we may be in turn, and takes note of whom the registry lets in and refuses.
// Edge: one request as one of them is Attempt.ts; what an answer other than 401 means is for Manifests.ts and Blobs.ts.
import { Effect, Result, type Scope } from "effect"
import { endpointOf } from "../Endpoints.ts"
import type { CloudError } from "../identity/CloudError.ts"
import { saysQuota } from "../Classify.ts"
import { saysExpired } from "../identity/Expired.ts"
import { makeAdvice } from "../refusal/Advice.ts"
import { type LoginAdvice, type RegistryError, registryError } from "../RegistryError.ts"
import type { RegistryOptions } from "../RegistrySettings.ts"
import type { Answer, Transport } from "../transport/Transport.ts"
import { isAboutRights, makeAttempt, type Perform, type Spec } from "./Attempt.ts"
import { makeAuthorization } from "./Authorization.ts"
import { type Access, anonymous, type Identity } from "./Identities.ts"
import { makeSchemes } from "./Scheme.ts"
import type { Tokens } from "./Tokens.ts"
import type { VersionCheck } from "../refusal/VersionCheck.ts"

/** An answer, and who got it from whom. */
export interface SessionAnswer extends Answer {
  readonly identity: Identity
  readonly anonymous: boolean
  /** Not the registry has answered, but a host that a redirect or an upload's Location led to. */
  readonly elsewhere: boolean
  /** To a refusal: as whom it was asked, and what can be done, for people. */
  readonly advice?: LoginAdvice
}

export interface Session {
  readonly endpointOf: (registry: string) => URL | undefined
  /**
   * Sends the request with what the registry wants to see, at most two times as each of those whom we may be. A write is
   * tried as the next only before any of them has written there.
   */
  readonly send: (spec: Spec) => Effect.Effect<SessionAnswer, RegistryError>
  /** The same with the body of a 200 as a paused stream. */
  readonly open: (spec: Spec) => Effect.Effect<SessionAnswer, RegistryError, Scope.Scope>
}

type Outcome = Result.Result<SessionAnswer, RegistryError>

const isWrite = ({ method }: Spec): boolean => method !== "GET" && method !== "HEAD"

/**
 * 401 and 403, of the registry or of its token server. Other hosts were shown nothing that they could refuse, and who has used up
 * a quota is somebody who may write.
 */
const isRefused = (spec: Spec, outcome: Outcome): boolean =>
  Result.isFailure(outcome)
    ? isAboutRights(outcome.failure)
    : !outcome.success.elsewhere &&
      (outcome.success.status === 401 ||
        (outcome.success.status === 403 && !(isWrite(spec) && saysQuota(outcome.success))))

/** 401 to what can be sent once only: the token has ended since, and the next request has a fresh one. */
const isTokensEnd = (spec: Spec, outcome: Outcome): boolean =>
  spec.once === true && Result.isSuccess(outcome) &&
  (outcome.success.status === 401 || saysExpired(outcome.success))

/** 404 to one of several of whom none has been let in yet: another may see it. */
const isHidden = (spec: Spec, outcome: Outcome): boolean =>
  spec.hides === true && Result.isSuccess(outcome) && outcome.success.status === 404

/** A refusal with what people can do about it. */
const advised = (outcome: Outcome, advice: LoginAdvice | undefined): Outcome =>
  advice === undefined
    ? outcome
    : Result.mapBoth(outcome, {
      onFailure: (error) => registryError({ ...error, advice }),
      onSuccess: (answer) => ({ ...answer, advice })
    })

/** Without the cloud's login nothing could be asked of the backup: the cloud's failure is the request's. */
const withoutLogin = ({ operation, target }: Spec) => (error: CloudError): RegistryError =>
  registryError({
    operation,
    target,
    reason: error.retryable ? "Unavailable" : "Unauthorized",
    detail: error.message,
    // the registry was not asked, so that it did not answer: its images wait together, as for one that cannot be reached
    noConnection: error.retryable,
    cause: error
  })

type As = <R>(spec: Spec, identity: Identity, perform: Perform<R>) => Effect.Effect<Outcome, never, R>

/** Once more at once where a cloud's login has ended and it gives another; with who it was in the end. */
const makeAsRenewed = (access: Access, as: As) => {
  const renewed = Effect.fnUntraced(function*<R>(
    spec: Spec,
    identity: Identity,
    perform: Perform<R>,
    outcome: Outcome,
    expired: boolean
  ) {
    const fresh = yield* Effect.orElseSucceed(
      // a cloud that gives no other says so itself
      access.renewed(spec.repository, identity, expired),
      () => undefined
    )
    return fresh === undefined || spec.once === true
      ? { outcome, identity }
      : { outcome: yield* as(spec, fresh, perform), identity: fresh }
  })
  return <R>(spec: Spec, identity: Identity, perform: Perform<R>) =>
    Effect.flatMap(as(spec, identity, perform), (outcome) => {
      const expired = Result.isSuccess(outcome) && !outcome.success.elsewhere && saysExpired(outcome.success)
      return expired || isRefused(spec, outcome)
        ? renewed(spec, identity, perform, outcome, expired)
        : Effect.succeed({ outcome, identity })
    })
}

export const makeSession = (options: {
  readonly settings: () => RegistryOptions
  readonly access: Access
  readonly tokens: Tokens
  readonly checkVersion: VersionCheck
  readonly transport: Transport
}): Session => {
  const { access, checkVersion, settings, tokens, transport } = options
  const endpoint = (registry: string) => endpointOf(settings(), registry)
  const schemes = makeSchemes()
  const { authorize, withheldFrom } = makeAuthorization({ settings, schemes, tokens })
  const attempt = makeAttempt({ endpointOf: endpoint, schemes, authorize, tokens, checkVersion })

  const as: As = (spec, identity, perform) =>
    Effect.result(Effect.map(attempt(spec, identity, perform), (answer): SessionAnswer => ({
      ...answer,
      identity,
      anonymous: identity === anonymous,
      elsewhere: answer.url.origin !== endpoint(spec.repository.registry)?.origin
    })))

  const { adviceOn, withheld } = makeAdvice({ endpoint, withheldFrom, access })

  const asRenewed = makeAsRenewed(access, as)

  const run = Effect.fnUntraced(function*<R>(spec: Spec, perform: Perform<R>) {
    const given = spec.anonymous === true
      ? anonymous
      : spec.as === undefined || spec.lasting === undefined
      ? spec.as
      : yield* access.lasting(spec.repository, spec.as, spec.lasting)
    const use = isWrite(spec) ? "write" : "read"
    const { identities, settled } = given === undefined
      ? yield* Effect.mapError(access.identitiesFor(spec.repository, use), withoutLogin(spec))
      : { identities: [given], settled: true }
    const isBackup = access.roleOf(spec.repository) === "backup"
    const mayGoOn = spec.once !== true && !(use === "write" && settled)
    let last: { readonly outcome: Outcome; readonly identity: Identity } | undefined
    for (const [index, candidate] of identities.entries()) {
      const { identity, outcome } = yield* asRenewed(spec, candidate, perform)
      const refused = isRefused(spec, outcome)
      if (!refused && (isBackup || settled || !isHidden(spec, outcome))) {
        if (identities.length > 1 && (index > 0 || !settled)) yield* access.settle(spec.repository, use, identity)
        return yield* Effect.fromResult(outcome)
      }
      // a backup's most telling answer is the first: the entries behind it say less of that repository
      last = isBackup && last !== undefined ? last : { outcome, identity }
      if (refused && !isTokensEnd(spec, outcome) && identity !== anonymous) {
        // what nobody was shown nobody has refused; and anonymous is who we were
        if ((yield* withheld(spec, identity)) !== undefined) {
          if (!mayGoOn || identities[index + 1] === anonymous) break
          continue
        }
        const by = Result.isFailure(outcome) ? "realm" : "repository"
        if (yield* access.refused(spec.repository, use, identity, by)) {
          yield* Effect.logWarning("the registry refused our credential").pipe(
            Effect.annotateLogs({ registry: spec.repository.registry, by, credential: identity.credential?.origin })
          )
        }
      }
      if (!mayGoOn) break
    }
    if (last !== undefined) {
      return yield* Effect.fromResult(
        isRefused(spec, last.outcome) ? advised(last.outcome, yield* adviceOn(spec, last.identity)) : last.outcome
      )
    }
    // there is always somebody whom we are
    return yield* Effect.fromResult(yield* as(spec, anonymous, perform))
  })

  return {
    endpointOf: endpoint,
    send: (spec) => run(spec, transport.send),
    open: (spec) => run(spec, transport.open)
  }
}
