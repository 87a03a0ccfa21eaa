// CloudIdentities: the login that a cloud gives us for one of its registries: for the backup unless it is switched off, for a
// source where its owner's word names the host, since pod specs name hosts.
// Edge: gives Credential values and nothing else. That written logins go first, and whom a login is shown to, is
// auth/Identities.ts'; how long a token is kept is CloudTokens.ts'.
import { Clock, type Duration, Effect, Metric, Option } from "effect"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import { cloudTokens, cloudTokenTime, touchCloud } from "../../telemetry/Metrics.ts"
import type { Credential } from "../auth/DockerConfig.ts"
import type { CloudError } from "./CloudError.ts"
import { type CloudOptions, hostIn } from "./CloudOptions.ts"
import type { CloudProvider, CloudProviders, CloudQuestion } from "./CloudProvider.ts"
import { type CloudToken, makeCloudTokens } from "./CloudTokens.ts"

/** As whom a registry is to be asked. */
export type Side = "source" | "backup"

export interface CloudIdentities {
  /** None where no cloud's identity may be used. Fails where one should be, and the cloud gives none. */
  readonly credentialFor: (registry: string, side: Side) => Effect.Effect<Option.Option<Credential>, CloudError>
  /**
   * The credential was refused: another in its place; none where it is no cloud's, or no other would do. `expired`: the
   * registry says that it has ended. A refusal without words can mean that too, but for one that has only just come.
   */
  readonly renewed: (
    registry: string,
    side: Side,
    refused: Credential,
    expired: boolean
  ) => Effect.Effect<Option.Option<Credential>, CloudError>
  /**
   * One in place of a credential that will not be good for so long; none where it is no cloud's, is good enough, or the cloud gives
   * no other.
   */
  readonly lasting: (
    registry: string,
    side: Side,
    credential: Credential,
    least: Duration.Duration
  ) => Effect.Effect<Option.Option<Credential>, CloudError>
  /** May anybody be asked without a login where the cloud gives none? */
  readonly isOpenToAll: (registry: string) => boolean
}

/** No cloud gives us anything. */
export const noClouds: CloudIdentities = {
  credentialFor: () => Effect.succeedNone,
  renewed: () => Effect.succeedNone,
  lasting: () => Effect.succeedNone,
  isOpenToAll: () => true
}

/** Milliseconds for which a refusal that says nothing is taken at its word: what has just come has not ended. */
const newFor = 600_000

const counted = (cloud: string, asking: Effect.Effect<CloudToken, CloudError>): Effect.Effect<CloudToken, CloudError> =>
  asking.pipe(
    Effect.tapError(() => Metric.update(cloudTokens({ cloud, result: "failed" }), 1)),
    Effect.tap(() =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.andThen(
          Metric.update(cloudTokens({ cloud, result: "obtained" }), 1),
          Metric.update(cloudTokenTime({ cloud }), now / 1000)
        ))
    )
  )

export const makeCloudIdentities = Effect.fnUntraced(function*(
  options: () => CloudOptions | undefined,
  providers: CloudProviders
): Effect.fn.Return<CloudIdentities> {
  const tokens = yield* makeCloudTokens
  yield* Effect.forEach(Object.keys(providers), touchCloud, { discard: true })
  /** What clouds have given, by fingerprint: what people have written down is theirs to renew. */
  const given = makeBoundedMap<string, true>(1024)

  /** What to ask which cloud; undefined: nothing. */
  const questionOf = (
    registry: string,
    side: Side
  ): { readonly provider: CloudProvider; readonly question: CloudQuestion } | undefined => {
    const current = options()
    const host = current === undefined ? undefined : hostIn(current, registry)
    const provider = host === undefined ? undefined : providers[host.cloud]
    if (current === undefined || host === undefined || provider === undefined) return undefined
    return side === "backup" || current.sources.some((it) => it.matches(registry))
      ? { provider, question: { registry, host, options: current } }
      : undefined
  }

  const credentialFor = (
    registry: string,
    side: Side,
    least?: Duration.Duration
  ): Effect.Effect<Option.Option<Credential>, CloudError> => {
    const asked = questionOf(registry, side)
    if (asked === undefined) return Effect.succeedNone
    const { provider, question } = asked
    const key = `${question.host.cloud} ${provider.keyOf(question)}`
    const asking = counted(question.host.cloud, provider.token(question))
    return Effect.map(tokens.get(key, asking, least), (credential) => {
      given.set(credential.fingerprint, true)
      return Option.some({ ...credential, byCloud: true })
    })
  }

  return {
    credentialFor: (registry, side) => credentialFor(registry, side),
    lasting: (registry, side, credential, least) =>
      given.get(credential.fingerprint) === undefined
        ? Effect.succeedNone
        : Effect.map(
          credentialFor(registry, side, least),
          Option.filter((it) => it.fingerprint !== credential.fingerprint)
        ),
    renewed: Effect.fnUntraced(function*(registry, side, refused, expired) {
      if (given.get(refused.fingerprint) === undefined) return Option.none()
      // undefined: another request was told before, and has given it up
      const age = yield* tokens.ageOf(refused.fingerprint)
      if (!expired && age !== undefined && age < newFor) return Option.none()
      yield* tokens.drop(refused.fingerprint)
      return Option.filter(yield* credentialFor(registry, side), (it) => it.fingerprint !== refused.fingerprint)
    }),
    isOpenToAll: (registry) => {
      const host = questionOf(registry, "backup")?.question.host
      return host === undefined || (host.cloud === "aws" && host.kind === "public")
    }
  }
})
