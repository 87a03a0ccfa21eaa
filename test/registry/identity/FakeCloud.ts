// A cloud in memory, whose n-th login is the n-th of `passwords`, and options that make a loopback registry one of its own.
import { Clock, Duration, Effect, Option } from "effect"
import { basic } from "../../../src/registry/auth/DockerConfig.ts"
import { parseHostPattern } from "../../../src/registry/auth/HostPattern.ts"
import { CloudError } from "../../../src/registry/identity/CloudError.ts"
import type { CloudOptions, NewRepositories } from "../../../src/registry/identity/CloudOptions.ts"
import type { CloudProvider } from "../../../src/registry/identity/CloudProvider.ts"

export const unavailable = new CloudError({
  cloud: "AWS",
  identity: "somebody",
  action: "ecr:GetAuthorizationToken",
  resource: "a registry",
  detail: "Could not load credentials from any providers",
  retryable: false
})

/** The registries' tokens last for twelve hours unless `life` says otherwise; `asked` has the registry of each question. */
export const fakeCloud = () => {
  const cloud = { asked: Array.of<string>(), down: false, life: Duration.hours(12) }
  const provider: CloudProvider = {
    keyOf: ({ host }) => host.cloud === "aws" && host.kind === "private" ? host.region : "public",
    token: ({ registry }) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        cloud.asked.push(registry)
        return cloud.down
          ? Effect.fail(unavailable)
          : Effect.succeed({
            credential: basic("AWS", String(cloud.asked.length)),
            expiresAt: now + Duration.toMillis(cloud.life)
          })
      })
  }
  return { cloud, provider }
}

export const optionsOf = (
  regions: Readonly<Record<string, string>>,
  sources: ReadonlyArray<string> = []
): CloudOptions => ({
  clouds: new Set(["aws"]),
  sources: sources.flatMap((it) => Option.toArray(parseHostPattern(it))),
  domains: new Map(Object.entries(regions)),
  roles: []
})

/** Which login of the cloud a request came with; `nobody` for none. */
export const loginOf = (headers: { readonly authorization?: string | undefined }): string =>
  headers.authorization === undefined ? "nobody" : Buffer.from(headers.authorization.slice(6), "base64").toString()

/** As the defaults have it. */
export const newRepositories: NewRepositories = {
  tags: [],
  encryption: undefined,
  mutability: "MUTABLE",
  scanOnPush: false,
  lifecyclePolicy: undefined,
  repositoryPolicy: undefined
}
