// May a registry's credential go to the token server it names? A realm of a foreign host gets none: whoever answers for a
// registry could name any (docker/distribution's token specification says nothing of it).
// Edge: names only; where the realm's address may be is AddressPolicy's.
import { Effect } from "effect"
import type { getDomain } from "tldts"
import { type RegistryError, registryError } from "../RegistryError.ts"

// token servers outside their registry's own domain
const known: ReadonlyMap<string, string> = new Map([
  ["docker.io", "auth.docker.io"],
  ["nvcr.io", "authn.nvidia.com"],
  ["registry.digitalocean.com", "api.digitalocean.com"]
])

/**
 * Registry hosts whose customers are neighbours of one another. The public suffix list knows the hosts where strangers can have
 * names, where their owners have asked for it; few of those that sell registries have. Each with what is below it.
 */
const shared: ReadonlyArray<string> = [
  "azurecr.io",
  "azurecr.cn",
  "azurecr.us",
  "azurecr.de",
  "jfrog.io",
  "cloudsmith.io",
  "pkg.dev",
  "gcr.io",
  "amazonaws.com",
  "amazonaws.com.cn",
  "amazonaws.eu",
  "on.aws",
  "on.amazonwebservices.com.cn",
  "sc2s.sgov.gov",
  "c2s.ic.gov",
  "hci.ic.gov",
  "cloud.adc-e.uk",
  "s3nsregistry.fr",
  "ocir.io",
  "oraclecloud.com",
  "aliyuncs.com",
  "myhuaweicloud.com",
  "tencentcloudcr.com",
  "icr.io",
  "scw.cloud",
  "ovh.net",
  "ovh.us",
  "nip.io",
  "sslip.io"
]

const isShared = (domain: string): boolean => shared.some((it) => domain === it || domain.endsWith(`.${it}`))

/** The domain of which a host is a direct neighbour; undefined where strangers may have names beside it. */
const parentOf = (domainOf: typeof getDomain, hostname: string): string | undefined => {
  const registrable = domainOf(hostname, { allowPrivateDomains: true, extractHostname: false })
  const parent = hostname.slice(hostname.indexOf(".") + 1)
  // an address has no domain; what is a domain itself has none but strangers beside it
  if (registrable === null || hostname === registrable || isShared(parent)) return undefined
  return parent
}

const leavesTls = (endpoint: URL, realm: URL): boolean => realm.protocol !== "https:" && endpoint.protocol === "https:"

/** Fails with `Refused` where the way from the registry to its token server would leave TLS, credential or not. */
export const keepTls = (
  { operation, target }: { readonly operation: string; readonly target: string },
  endpoint: URL,
  realm: URL
): Effect.Effect<void, RegistryError> =>
  leavesTls(endpoint, realm)
    ? Effect.fail(registryError({
      operation,
      target,
      reason: "Refused",
      detail: `the registry's token server ${realm.host} is without TLS`
    }))
    : Effect.void

/** A registry of which is known that all its repositories have one token server. */
export const hasOneRealm = (registry: string): boolean => known.has(registry)

/**
 * True where the realm belongs to the registry: same host, a neighbour or the parent in one domain
 * (registry.example.com and gitlab.example.com), or a known pair. TLS may not be left on the way.
 */
export const isTrustedRealm = Effect.fnUntraced(function*(registry: string, endpoint: URL, realm: URL) {
  if (leavesTls(endpoint, realm)) return false
  if (realm.hostname === endpoint.hostname) return true
  if (known.get(registry) === realm.host) return true
  // the public suffix list is long, and most registries are their own token servers
  const { getDomain: domainOf } = yield* Effect.promise(() => import("tldts"))
  const domain = parentOf(domainOf, endpoint.hostname)
  return domain !== undefined && (realm.hostname === domain || parentOf(domainOf, realm.hostname) === domain)
})
