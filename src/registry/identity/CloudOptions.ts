// CloudOptions: what the settings of cloud identities come to. Edge: their texts have passed settings/CloudSettings.ts.
import { Option } from "effect"
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

/** What a registry is to a cloud that is switched on: by its name, or because ECR_DOMAINS says so. */
export const hostIn = (options: CloudOptions, registry: string): CloudHost | undefined => {
  const region = options.domains.get(registry)
  const host: CloudHost | undefined = region === undefined
    ? cloudHostOf(registry)
    : { cloud: "aws", kind: "private", account: undefined, region, fips: false, dualStack: false }
  return host !== undefined && options.clouds.has(host.cloud) ? host : undefined
}

/** The role that is assumed for a registry of AWS; undefined: the identity of the process is used as it is. */
export const roleFor = (options: CloudOptions, registry: string): AwsRole | undefined =>
  options.roles.find((it) => it.host.matches(registry))
