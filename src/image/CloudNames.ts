// CloudNames: which registries are a cloud's, told by their names alone, and what ECR's names say. The one owner of these patterns.
// Edge: pure; an own domain says nothing, settings name it; what a host is to the program is registry/identity/CloudHosts.ts.
// Sources: the AWS SDK's partitions and amazon-ecr-credential-helper (ECR), docker-credential-gcr (Google), Azure's sdk-for-go
// (ACR). Every pattern holds for a whole name: an end that strangers can have would be given our token.

/** Clouds whose registries are known by name. */
export type Cloud = "aws" | "google" | "azure"

/** What the name of a private registry of ECR says. */
export interface EcrName {
  /** Twelve digits: whose registry it is. */
  readonly account: string | undefined
  readonly region: string
  readonly fips: boolean
  readonly dualStack: boolean
}

const ecrDomains = [
  String.raw`amazonaws\.(?:com(?:\.cn)?|eu)`,
  String.raw`on\.(?:aws|amazonwebservices\.com\.cn)`,
  String.raw`sc2s\.sgov\.gov`,
  String.raw`c2s\.ic\.gov`,
  String.raw`cloud\.adc-e\.uk`,
  String.raw`csp\.hci\.ic\.gov`
].join("|")
const ecr = new RegExp(String.raw`^(\d{12})\.dkr([.-])ecr(-fips)?\.([a-z0-9][a-z0-9_-]*)\.(${ecrDomains})$`)
const ecrPublic: ReadonlySet<string> = new Set(["public.ecr.aws", "ecr-public.aws.com"])
const google = /^(?:(?:[a-z0-9-]+\.)*gcr\.io|[a-z0-9-]+-docker\.pkg\.dev|docker\.s3nsregistry\.fr)$/
const azure = /^[a-z0-9-]+(?:\.[a-z0-9]+\.geo)?\.azurecr\.(?:io|cn|us|de)$/

/** The parts of the name of a private registry of ECR; undefined for every other. */
export const ecrNameOf = (registry: string): EcrName | undefined => {
  const [, account, separator, fips, region, domain] = ecr.exec(registry) ?? []
  return region === undefined
    ? undefined
    : { account, region, fips: fips !== undefined, dualStack: separator === "-" || domain?.startsWith("on.") === true }
}

/** Is it ECR's public gallery? */
export const isEcrPublic = (registry: string): boolean => ecrPublic.has(registry)

/** Whose a registry (`host[:port]`, canonical) is; undefined: no cloud's. A port of its own is no cloud's. */
export const cloudOf = (registry: string): Cloud | undefined =>
  isEcrPublic(registry) || ecr.test(registry)
    ? "aws"
    : google.test(registry)
    ? "google"
    : azure.test(registry)
    ? "azure"
    : undefined
