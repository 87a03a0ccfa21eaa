// CloudOptions: what the settings of cloud identities come to. Edge: their texts have passed settings/CloudSettings.ts.
import { Option } from "effect"
import type { Settings } from "../../settings/Settings.ts"
import { type HostPattern, parseHostPattern } from "../auth/HostPattern.ts"
import { type Cloud, type CloudHost, cloudHostOf } from "./CloudHosts.ts"

/** A role of AWS, and the external id that its trust policy may ask for. */
export interface AwsRole {
  readonly arn: string
  readonly externalId: string | undefined
}

export interface CloudOptions {
  /** Those that are switched on. */
  readonly clouds: ReadonlySet<Cloud>
  /** Sources whose owners' word it is that they may be asked with the cloud's identity. */
  readonly sources: ReadonlyArray<HostPattern>
  /** Regions of ECR's registries that have other names. */
  readonly domains: ReadonlyMap<string, string>
  readonly roles: ReadonlyArray<AwsRole & { readonly host: HostPattern }>
}

/** At the first `=`: neither hosts nor patterns have one. */
const halves = (text: string): readonly [before: string, after: string] => {
  const at = text.indexOf("=")
  return [text.slice(0, at), text.slice(at + 1)]
}

const patternOf = (text: string): ReadonlyArray<HostPattern> => Option.toArray(parseHostPattern(text))

export const cloudOptionsOf = (
  settings: Pick<Settings, "CLOUD_IDENTITIES" | "CLOUD_IDENTITY_SOURCES" | "ECR_DOMAINS" | "ECR_ROLES">
): CloudOptions => ({
  clouds: new Set(settings.CLOUD_IDENTITIES),
  sources: settings.CLOUD_IDENTITY_SOURCES.flatMap(patternOf),
  domains: new Map(settings.ECR_DOMAINS.map(halves)),
  roles: settings.ECR_ROLES.flatMap((text) => {
    const [host, given] = halves(text)
    const [arn = "", externalId] = given.split("#")
    return patternOf(host).map((it) => ({ host: it, arn, externalId }))
  })
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
