// May a registry's credential go to the token server it names? (R2.1: a realm of a foreign host gets none.)
// Edge: names only; where the realm's address may be is AddressPolicy's.

// token servers outside their registry's own domain
const known: ReadonlyMap<string, string> = new Map([
  ["docker.io", "auth.docker.io"],
  ["nvcr.io", "authn.nvidia.com"],
  ["registry.digitalocean.com", "api.digitalocean.com"]
])

// under these, neighbours are strangers (a short cut through the public suffix list, erring on the side of "no")
const shared: ReadonlySet<string> = new Set([
  "github.io",
  "gitlab.io",
  "azurecr.io",
  "azurecr.cn",
  "azurewebsites.net",
  "cloudfront.net",
  "cloudapp.net",
  "herokuapp.com",
  "vercel.app",
  "netlify.app",
  "pages.dev",
  "workers.dev",
  "fly.dev",
  "web.app",
  "run.app",
  "ngrok.io",
  "nip.io",
  "sslip.io",
  "duckdns.org",
  "jfrog.io",
  "amazonaws.com"
])

const isShared = (domain: string): boolean => [...shared].some((it) => domain === it || domain.endsWith(`.${it}`))

const parentOf = (hostname: string): string | undefined => {
  const labels = hostname.split(".")
  const parent = labels.slice(1)
  if (labels.length < 3 || /^[\d.]+$/.test(hostname) || hostname.startsWith("[")) return undefined
  const [name = "", top = ""] = parent
  // "co.uk" and its like: a short second level below a country
  if (parent.length === 2 && top.length === 2 && name.length <= 3) return undefined
  const domain = parent.join(".")
  return isShared(domain) ? undefined : domain
}

/**
 * True where the realm belongs to the registry: same host, a neighbour or the parent in one domain
 * (registry.example.com and gitlab.example.com), or a known pair. TLS may not be left on the way.
 */
export const isTrustedRealm = (registry: string, endpoint: URL, realm: URL): boolean => {
  if (realm.protocol !== "https:" && endpoint.protocol === "https:") return false
  if (realm.hostname === endpoint.hostname) return true
  if (known.get(registry) === realm.host) return true
  const domain = parentOf(endpoint.hostname)
  return domain !== undefined && (realm.hostname === domain || parentOf(realm.hostname) === domain)
}
