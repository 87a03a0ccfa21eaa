// EcrLibrary: the AWS SDK, as far as it is used. A chunk of its own, loaded with the first registry of ECR: nothing else may
// import this file but by `import()`. Edge: promises and the SDK's own errors; what they mean is EcrIdentity.ts'.
import { ECRClient, type ECRClientConfig, GetAuthorizationTokenCommand } from "@aws-sdk/client-ecr"
import {
  ECRPUBLICClient,
  GetAuthorizationTokenCommand as GetPublicAuthorizationTokenCommand
} from "@aws-sdk/client-ecr-public"
import type { AwsRole } from "./CloudOptions.ts"
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

export interface EcrConnection {
  readonly token: (signal: AbortSignal) => Promise<EcrToken | undefined>
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
      (await client.send(new GetAuthorizationTokenCommand({}), { abortSignal })).authorizationData?.[0]
  }
}
