// EcrLibrary: the AWS SDK, as far as it is used. A chunk of its own, loaded with the first registry of ECR: nothing else may
// import this file but by `import()`. Edge: promises and the SDK's own errors; what they mean is EcrIdentity.ts'.
import {
  CreateRepositoryCommand,
  ECRClient,
  type ECRClientConfig,
  GetAuthorizationTokenCommand,
  PutLifecyclePolicyCommand,
  RepositoryAlreadyExistsException,
  SetRepositoryPolicyCommand
} from "@aws-sdk/client-ecr"
import {
  ECRPUBLICClient,
  GetAuthorizationTokenCommand as GetPublicAuthorizationTokenCommand
} from "@aws-sdk/client-ecr-public"
import type { AwsRole, NewRepositories } from "./CloudOptions.ts"
import type { SdkRequests } from "./SdkRequests.ts"

/** Which registries, and as whom. */
export interface EcrTarget {
  readonly kind: "private" | "public"
  readonly region: string
  readonly fips: boolean
  readonly dualStack: boolean
  readonly role: AwsRole | undefined
}

/** A token as ECR gives it: `user:password` in base64, and its end. */
export interface EcrToken {
  readonly authorizationToken?: string | undefined
  readonly expiresAt?: Date | undefined
}

/** A repository of one registry. */
export interface EcrRepository {
  /** Whose registry; undefined: that of who we are. */
  readonly registryId?: string
  readonly repositoryName: string
}

export interface EcrConnection {
  readonly token: (signal: AbortSignal) => Promise<EcrToken | undefined>
  /** The rest only for private registries. False: it is there already. */
  readonly create?: (repository: EcrRepository, as: NewRepositories, signal: AbortSignal) => Promise<boolean>
  readonly setLifecyclePolicy?: (repository: EcrRepository, text: string, signal: AbortSignal) => Promise<unknown>
  readonly setPolicy?: (repository: EcrRepository, text: string, signal: AbortSignal) => Promise<unknown>
}

/** The role's credentials, got with our own by STS in the registry's region: endpoints of other regions may be out of reach. */
const assumed = async (region: string, { arn, externalId }: AwsRole, requestHandler: SdkRequests) => {
  const { fromTemporaryCredentials } = await import("@aws-sdk/credential-providers")
  return fromTemporaryCredentials({
    params: {
      RoleArn: arn,
      RoleSessionName: "image-cloner",
      ...(externalId === undefined ? {} : { ExternalId: externalId })
    },
    clientConfig: { region, requestHandler }
  })
}

/** A connection that keeps its identity's credentials, and renews them by itself. */
export const connect = async (target: EcrTarget, requestHandler: SdkRequests): Promise<EcrConnection> => {
  const { dualStack, fips, kind, region, role } = target
  const config: ECRClientConfig = {
    region,
    requestHandler,
    useFipsEndpoint: fips,
    useDualstackEndpoint: dualStack,
    maxAttempts: 2,
    ...(role === undefined ? {} : { credentials: await assumed(region, role, requestHandler) })
  }
  if (kind === "public") {
    const client = new ECRPUBLICClient(config)
    return {
      token: async (abortSignal) =>
        (await client.send(new GetPublicAuthorizationTokenCommand({}), { abortSignal })).authorizationData
    }
  }
  const client = new ECRClient(config)
  return {
    token: async (abortSignal) =>
      (await client.send(new GetAuthorizationTokenCommand({}), { abortSignal })).authorizationData?.[0],
    create: async (repository, { encryption, mutability, scanOnPush, tags }, abortSignal) => {
      const wanted = new CreateRepositoryCommand({
        ...repository,
        imageTagMutability: mutability,
        imageScanningConfiguration: { scanOnPush },
        ...(tags.length === 0 ? {} : { tags: [...tags] }),
        ...(encryption === undefined ? {} : { encryptionConfiguration: encryption })
      })
      try {
        await client.send(wanted, { abortSignal })
        return true
      } catch (error) {
        if (error instanceof RepositoryAlreadyExistsException) return false
        return Promise.reject(error)
      }
    },
    setLifecyclePolicy: (repository, lifecyclePolicyText, abortSignal) =>
      client.send(new PutLifecyclePolicyCommand({ ...repository, lifecyclePolicyText }), { abortSignal }),
    setPolicy: (repository, policyText, abortSignal) =>
      client.send(new SetRepositoryPolicyCommand({ ...repository, policyText }), { abortSignal })
  }
}
