// EcrIdentity: AWS as a provider of logins: which token opens which registry, and what the SDK's answers and errors come to.
// One token opens every registry of a region that its principal may use, so registries share it (`registryIds` is deprecated).
// Source: ECR API reference, GetAuthorizationToken. Edge: the SDK itself is behind EcrLibrary.ts, and not loaded by this file.
import { Config, Effect, Option } from "effect"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import { basic } from "../auth/DockerConfig.ts"
import { DispatchError } from "../transport/DispatchError.ts"
import { CloudError } from "./CloudError.ts"
import { roleFor } from "./CloudOptions.ts"
import type { CloudProvider, CloudQuestion } from "./CloudProvider.ts"
import { makeEcrRepositories } from "./EcrRepositories.ts"
import type { EcrConnection, EcrTarget } from "./EcrLibrary.ts"
import type { SdkRequests } from "./SdkRequests.ts"

/** The part of EcrLibrary.ts that is asked; tests have another. */
export interface EcrLibrary {
  readonly connect: (target: EcrTarget, requests: SdkRequests) => Promise<EcrConnection>
}

/** For all that one question takes: STS, perhaps a role, ECR, and each of them once again. */
const patience = "30 seconds"

/** ECR Public has its API in one region, whoever asks. */
const publicRegion = "us-east-1"

/** What is asked for a registry. */
const targetOf = ({ host, options, registry }: CloudQuestion): EcrTarget => {
  const role = roleFor(options, registry)
  return host.cloud === "aws" && host.kind === "private"
    ? { kind: "private", region: host.region, fips: host.fips, dualStack: host.dualStack, role }
    : { kind: "public", region: publicRegion, fips: false, dualStack: false, role }
}

const keyOf = ({ fips, kind, region, role }: EcrTarget): string =>
  JSON.stringify([kind, region, fips, role?.arn, role?.externalId])

/** Variables by which a pod or a machine is given an identity, the SDK's order of looking. */
const variables = [
  "AWS_ACCESS_KEY_ID",
  "AWS_PROFILE",
  "AWS_ROLE_ARN",
  "AWS_CONTAINER_CREDENTIALS_FULL_URI",
  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
] as const

/** As whom we will be seen, as far as the environment tells: for messages. */
const ambientIdentity = Effect.gen(function*() {
  for (const name of variables) {
    const value = yield* Config.option(Config.String(name)).pipe(Effect.orElseSucceed(() => Option.none<string>()))
    if (Option.isNone(value) || value.value === "") continue
    return name === "AWS_ROLE_ARN"
      ? value.value
      : name.startsWith("AWS_CONTAINER")
      ? "the pod's identity"
      : `what ${name} names`
  }
  return `whoever this node is (${variables.join(", ")} are not set)`
})

/** Is this one of the words with which AWS refuses for good? Whatever else goes wrong may go right later. */
const isRefusal = (error: unknown): boolean => {
  if (typeof error !== "object" || error === null || !("$metadata" in error)) return false
  const { $metadata: metadata } = error
  const status = typeof metadata === "object" && metadata !== null && "httpStatusCode" in metadata
    ? Number(metadata.httpStatusCode)
    : 500
  return status >= 400 && status < 500 && status !== 429 && !/Throttl|Limit|Expired|Timeout/i.test(wordsOf(error))
}

/** What the SDK says, without what a wrong signature is explained with: that quotes the request, and its session token. */
const wordsOf = (error: unknown): string => {
  if (error instanceof DispatchError) return error.detail
  if (!(error instanceof Error)) return String(error)
  const text = error.message.replace(/\s*The Canonical String[\s\S]*$/i, "")
  return error.name === "Error" || text.includes(error.name) ? text : `${error.name}: ${text}`
}

/** A login of `AWS:password` in base64; undefined where it is none. */
const loginIn = (token: string | undefined) => {
  const text = Buffer.from(token ?? "", "base64").toString("utf8")
  const colon = text.indexOf(":")
  return colon < 1 || colon === text.length - 1 ? undefined : basic(text.slice(0, colon), text.slice(colon + 1))
}

export const makeEcrIdentity = Effect.fnUntraced(function*(
  requests: SdkRequests,
  load: () => Promise<EcrLibrary> = () => import("./EcrLibrary.ts")
): Effect.fn.Return<CloudProvider> {
  const ambient = yield* ambientIdentity
  const identityOf = ({ role }: EcrTarget): string =>
    role === undefined ? ambient : `${role.arn}, assumed by ${ambient}`
  const connections = makeBoundedMap<string, Promise<EcrConnection>>(64)
  const connected = (target: EcrTarget): Promise<EcrConnection> => {
    const key = keyOf(target)
    const known = connections.get(key)
    if (known !== undefined) return known
    const made = load().then((it) => it.connect(target, requests))
    connections.set(key, made)
    // whoever waits is told; the next one tries again
    made.catch(() => connections.delete(key))
    return made
  }

  /** One call to AWS, whose failure says what was wanted for which registry or repository. */
  const call = <A>(
    target: EcrTarget,
    what: { readonly action: string; readonly resource: string },
    ask: (connection: EcrConnection, signal: AbortSignal) => Promise<A>
  ): Effect.Effect<A, CloudError> => {
    const failed = (detail: string, retryable: boolean) =>
      new CloudError({
        cloud: "AWS",
        identity: identityOf(target),
        ...what,
        detail,
        retryable
      })
    return Effect.tryPromise({
      try: async (signal) => ask(await connected(target), signal),
      catch: (error) => failed(wordsOf(error), !isRefusal(error))
    }).pipe(Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.fail(failed(`no answer in ${patience}`, true))
    }))
  }

  const token: CloudProvider["token"] = Effect.fn("identity.ecrToken")(function*(question) {
    const target = targetOf(question)
    const action = target.kind === "public" ? "ecr-public:GetAuthorizationToken" : "ecr:GetAuthorizationToken"
    const what = { action, resource: question.registry }
    const answer = yield* call(target, what, (it, signal) => it.token(signal))
    const credential = loginIn(answer?.authorizationToken)
    if (credential === undefined) {
      const detail = "the answer has no token in it"
      return yield* new CloudError({ cloud: "AWS", identity: identityOf(target), ...what, detail, retryable: true })
    }
    const origin = `AWS's token of ${identityOf(target)}`
    return { credential: { ...credential, origin }, expiresAt: answer?.expiresAt?.getTime() ?? 0 }
  })

  return {
    keyOf: (question) => keyOf(targetOf(question)),
    token,
    createRepository: makeEcrRepositories((question, what, ask) => call(targetOf(question), what, ask))
  }
})
