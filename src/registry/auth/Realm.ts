// May a registry's credential go to the token server it names? A realm of a foreign host gets none: whoever answers for a
// registry could name any (docker/distribution's token specification says nothing of it).
// Edge: names only; where the realm's address may be is AddressPolicy's.
import { Effect } from "effect"
import type { getDomain } from "tldts"
import { type RegistryError, registryError } from "../RegistryError.ts"

/** A registry whose token server is outside its own domain. */
interface Pair {
  readonly registry: RegExp
  readonly realm: string
}

/** Each with where it is told; all their repositories have that one token server. */
const known: ReadonlyArray<Pair> = [
  // Docker, "Registry authentication" (its endpoint is registry-1.docker.io)
  { registry: /^docker\.io$/, realm: "auth.docker.io" },
  // NVIDIA/nvidia-container-toolkit#1945: nvcr.io/proxy_auth for whoever has no token, this for one that has ended
  { registry: /^nvcr\.io$/, realm: "authn.nvidia.com" },
  // DigitalOcean API, "Container Registry": /v2/registry/auth
  { registry: /^registry\.digitalocean\.com$/, realm: "api.digitalocean.com" },
  // Scaleway's challenge: api.scaleway.com/registry-internal/v1/regions/<region>/tokens
  { registry: /^rg\.[a-z]{2}-[a-z]{3}\.scw\.cloud$/, realm: "api.scaleway.com" },
  // Alibaba Cloud, all regions: agentscope-ai/AgentTeams#564, ketches/registry-proxy#3
  {
    registry: /^(?:registry(?:-vpc|-intl)?\.[a-z0-9-]+|[a-z0-9-]+\.[a-z0-9-]+(?:\.personal)?\.cr)\.aliyuncs\.com$/,
    realm: "dockerauth.cn-hangzhou.aliyuncs.com"
  }
]

const knownFor = (registry: string): Pair | undefined => known.find((it) => it.registry.test(registry))

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
      detail:
        `the registry's token server ${realm.host} is without TLS, and nothing is shown to it: the registry has to name it `
        + "with https (behind a proxy it may not know that it is spoken to over TLS)"
    }))
    : Effect.void

/** A registry of which is known that all its repositories have one token server. */
export const hasOneRealm = (registry: string): boolean => knownFor(registry) !== undefined

/** `host=realm-host`, as TRUSTED_TOKEN_SERVERS has it: what somebody has to write to trust this realm. */
export const pairOf = (registry: string, realm: URL): string => `${registry}=${realm.host}`

const isNamed = (pairs: ReadonlyArray<string>, registry: string, realm: URL): boolean =>
  pairs.includes(pairOf(registry, realm)) ||
  // the port of plain HTTP, which a URL does not show
  (realm.protocol === "http:" && realm.port === "" && pairs.includes(`${registry}=${realm.host}:80`))

/**
 * True where the realm belongs to the registry: same host, a neighbour or the parent in one domain
 * (registry.example.com and gitlab.example.com), a known pair, or one of `trusted` (TRUSTED_TOKEN_SERVERS). TLS may not be left on
 * the way.
 */
export const isTrustedRealm = Effect.fnUntraced(function*(
  registry: string,
  endpoint: URL,
  realm: URL,
  trusted: ReadonlyArray<string> = []
) {
  if (leavesTls(endpoint, realm)) return false
  if (realm.hostname === endpoint.hostname) return true
  if (knownFor(registry)?.realm === realm.host || isNamed(trusted, registry, realm)) return true
  // the public suffix list is long, and most registries are their own token servers
  const { getDomain: domainOf } = yield* Effect.promise(() => import("tldts"))
  const domain = parentOf(domainOf, endpoint.hostname)
  return domain !== undefined && (realm.hostname === domain || parentOf(domainOf, realm.hostname) === domain)
})
