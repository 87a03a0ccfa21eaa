// CloudHosts: what a registry is to the clouds, as far as its name says. Edge: pure; the names are image/CloudNames.ts', hosts of the
// owner's that stand for a cloud's registry are CloudOptions.ts', and what a host's cloud is asked for is that cloud's file.
import { type Cloud, cloudOf, type EcrName, ecrNameOf, isEcrPublic } from "../../image/CloudNames.ts"

export type { Cloud }

/** A private registry of ECR; the account is undefined where the name does not say it. */
export interface EcrHost extends EcrName {
  readonly cloud: "aws"
  readonly kind: "private"
}

export type CloudHost =
  | EcrHost
  /** ECR's public gallery: one for all the world. */
  | { readonly cloud: "aws"; readonly kind: "public" }
  | { readonly cloud: "google" }
  | { readonly cloud: "azure" }

/** The private registry of ECR that a host is. */
export const ecrHostOf = (registry: string): EcrHost | undefined => {
  const name = ecrNameOf(registry)
  return name === undefined ? undefined : { cloud: "aws", kind: "private", ...name }
}

/** What a registry (`host[:port]`, canonical) is to a cloud; undefined: nothing. */
export const cloudHostOf = (registry: string): CloudHost | undefined => {
  if (isEcrPublic(registry)) return { cloud: "aws", kind: "public" }
  const cloud = cloudOf(registry)
  return cloud === undefined || cloud === "aws" ? ecrHostOf(registry) : { cloud }
}
