// CloudOptions: what the settings of cloud identities come to. Edge: their texts have passed settings/CloudSettings.ts.
import { Option } from "effect"
import { cloudOf } from "../../image/CloudNames.ts"
import type { Settings, SettingsKey } from "../../settings/Settings.ts"
import { type HostPattern, parseHostPattern } from "../auth/HostPattern.ts"
import { type Cloud, type CloudHost, cloudHostOf } from "./CloudHosts.ts"

/** A role of AWS, and the external id that its trust policy may ask for. */
export interface AwsRole {
  readonly arn: string
  readonly externalId: string | undefined
}

/** What new repositories of ECR are made with. Policies are JSON. */
export interface NewRepositories {
  readonly tags: ReadonlyArray<{ readonly Key: string; readonly Value: string }>
  readonly encryption: { readonly encryptionType: "AES256" | "KMS" | "KMS_DSSE"; readonly kmsKey?: string } | undefined
  readonly mutability: "MUTABLE" | "IMMUTABLE"
  readonly scanOnPush: boolean
  readonly lifecyclePolicy: string | undefined
  readonly repositoryPolicy: string | undefined
}

export interface CloudOptions {
  /** Those that are switched on. */
  readonly clouds: ReadonlySet<Cloud>
  /** Sources whose owners' word it is that they may be asked with the cloud's identity. */
  readonly sources: ReadonlyArray<HostPattern>
  /** Regions of ECR's registries that have other names. */
  readonly domains: ReadonlyMap<string, string>
  /** Hosts that stand for a cloud's registry, with its own name. Default: none. */
  readonly standIns?: ReadonlyMap<string, string>
  readonly roles: ReadonlyArray<AwsRole & { readonly host: HostPattern }>
  /** Undefined: no repository is created. */
  readonly newRepositories?: NewRepositories | undefined
}

/** At the first `=`: neither hosts nor patterns have one. */
const halves = (text: string): readonly [before: string, after: string] => {
  const at = text.indexOf("=")
  return [text.slice(0, at), text.slice(at + 1)]
}

const patternOf = (text: string): ReadonlyArray<HostPattern> => Option.toArray(parseHostPattern(text))

/** The settings that are read here. */
type CloudSettings = Pick<Settings, Extract<SettingsKey, `ECR_${string}` | `CLOUD_${string}`>>

const encryptionOf = (text: string): NewRepositories["encryption"] => {
  const [type, kmsKey] = text.includes("=") ? halves(text) : [text]
  return type === "AES256" || type === "KMS" || type === "KMS_DSSE"
    ? { encryptionType: type, ...(kmsKey === undefined ? {} : { kmsKey }) }
    : undefined
}

const orNone = (text: string): string | undefined => text === "" ? undefined : text

export const cloudOptionsOf = (settings: CloudSettings): CloudOptions => ({
  clouds: new Set(settings.CLOUD_IDENTITIES),
  sources: settings.CLOUD_IDENTITY_SOURCES.flatMap(patternOf),
  domains: new Map(settings.ECR_DOMAINS.map(halves)),
  standIns: new Map(settings.CLOUD_DOMAINS.map(halves)),
  roles: settings.ECR_ROLES.flatMap((text) => {
    const [host, given] = halves(text)
    const [arn = "", externalId] = given.split("#")
    return patternOf(host).map((it) => ({ host: it, arn, externalId }))
  }),
  newRepositories: settings.ECR_CREATE_REPOSITORIES
    ? {
      tags: settings.ECR_TAGS.map(halves).map(([Key, Value]) => ({ Key, Value })),
      encryption: encryptionOf(settings.ECR_ENCRYPTION),
      mutability: settings.ECR_MUTABILITY,
      scanOnPush: settings.ECR_SCAN_ON_PUSH,
      lifecyclePolicy: orNone(settings.ECR_LIFECYCLE_POLICY),
      repositoryPolicy: orNone(settings.ECR_REPOSITORY_POLICY)
    }
    : undefined
})

/** The name by which its cloud knows a registry: its own, unless CLOUD_DOMAINS says for which it stands. */
export const cloudNameOf = (options: CloudOptions, registry: string): string =>
  options.standIns?.get(registry) ?? registry

/** What a registry is to a cloud: by its name, or because ECR_DOMAINS or CLOUD_DOMAINS says so. */
const knownIn = (options: CloudOptions, registry: string): CloudHost | undefined => {
  const region = options.domains.get(registry)
  return region === undefined
    ? cloudHostOf(cloudNameOf(options, registry))
    : { cloud: "aws", kind: "private", account: undefined, region, fips: false, dualStack: false }
}

/** Whose registry it is, whether its identity may be used or not: that is how it takes blobs. */
export const cloudIn = (options: CloudOptions | undefined, registry: string): Cloud | undefined =>
  options === undefined ? cloudOf(registry) : knownIn(options, registry)?.cloud

/** What a registry is to a cloud that is switched on. */
export const hostIn = (options: CloudOptions, registry: string): CloudHost | undefined => {
  const host = knownIn(options, registry)
  return host !== undefined && options.clouds.has(host.cloud) ? host : undefined
}

/** The role that is assumed for a registry of AWS, by either of its names; undefined: the identity of the process is used as it is. */
export const roleFor = (options: CloudOptions, registry: string): AwsRole | undefined =>
  options.roles.find(({ host }) => host.matches(registry) || host.matches(cloudNameOf(options, registry)))
