// CloudHosts: which registries are a cloud's, told by their names alone, and what the names say of them.
// Edge: pure; what a host's cloud is asked for is that cloud's file. A custom domain says nothing: settings name it.
// Sources: the AWS SDK's partitions and amazon-ecr-credential-helper (ECR), docker-credential-gcr (Google), Azure's sdk-for-go
// (ACR). Every pattern holds for a whole name: an end that strangers can have would be given our token.

/** Clouds whose registries are known by name. */
export type Cloud = "aws" | "google" | "azure"

/** A private registry of ECR. */
export interface EcrHost {
  readonly cloud: "aws"
  readonly kind: "private"
  /** Twelve digits: whose registry it is; undefined where the name does not say. */
  readonly account: string | undefined
  readonly region: string
  readonly fips: boolean
  readonly dualStack: boolean
}

export type CloudHost =
  | EcrHost
  /** ECR's public gallery: one for all the world. */
  | { readonly cloud: "aws"; readonly kind: "public" }
  | { readonly cloud: "google" }
  | { readonly cloud: "azure" }

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

/** The private registry of ECR that a host is. */
export const ecrHostOf = (registry: string): EcrHost | undefined => {
  const [, account, separator, fips, region, domain] = ecr.exec(registry) ?? []
  return region === undefined
    ? undefined
    : {
      cloud: "aws",
      kind: "private",
      account,
      region,
      fips: fips !== undefined,
      dualStack: separator === "-" || domain?.startsWith("on.") === true
    }
}

/** What a registry (`host[:port]`, canonical) is to a cloud; undefined: nothing. A port of its own is no cloud's. */
export const cloudHostOf = (registry: string): CloudHost | undefined =>
  ecrPublic.has(registry)
    ? { cloud: "aws", kind: "public" }
    : google.test(registry)
    ? { cloud: "google" }
    : azure.test(registry)
    ? { cloud: "azure" }
    : ecrHostOf(registry)
