// Which addresses may be dialled (invariant 8): pod specs, realms, redirects and Locations name hosts, so every address
// is judged when it is dialled, resolved or literal. Public unicast only, unless the host is configured. Of a name with
// several addresses only the public ones are dialled, and what was judged is what is dialled: nothing resolves twice.
// Behind a proxy somebody else dials: BehindProxy.ts judges there what can be judged here.
import { Context } from "effect"
import ipaddr from "ipaddr.js"
import { lookup as systemLookup, type LookupAddress } from "node:dns"
import { isIP, type LookupFunction } from "node:net"
import { includesHost, type RegistryOptions } from "../RegistrySettings.ts"

/** Nothing was sent: the host is, or resolves to, an address that only configured registries may have. */
export class AddressRefused extends Error {
  override readonly name = "AddressRefused"
  readonly address: string
  constructor(host: string, address: string) {
    super(
      `${host} ${host === address ? "is" : `resolves to ${address},`} a private, local or reserved address; ` +
        "hosts that may be there are named in PRIVATE_REGISTRIES"
    )
    this.address = address
  }
}

// public by its number, but the host's own metadata service on Azure
const alsoForbidden: ReadonlySet<string> = new Set(["168.63.129.16"])
const globalUnicast = ipaddr.parseCIDR("2000::/3")
const nat64 = ipaddr.parseCIDR("64:ff9b::/96")

/**
 * True for an address of the public internet: everything else can be ours, the node's or the cloud's. An IPv4 address within
 * an IPv6 one (mapped, or behind NAT64's well-known prefix) is judged as itself; forms that lead through tunnels of somebody
 * else's (6to4, Teredo, local NAT64 prefixes) are never public, nor is an address with a zone.
 * Source: IANA's special-purpose address registries (RFC 6890), RFC 6052, RFC 8215.
 */
export const isPublicAddress = (text: string): boolean => {
  if (isIP(text) === 0 || text.includes("%")) return false
  // the library takes "::8.8.8.8" for a mapped address, which it is not; URLs write the last bits as hexadecimal digits
  const plain = isIP(text) === 6 ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text
  const address = ipaddr.process(plain) // IPv4-mapped IPv6 becomes the IPv4 that would be dialled
  if (address.kind() === "ipv4") return address.range() === "unicast" && !alsoForbidden.has(address.toString())
  // what is dialled is the IPv4 address in the last 32 bits
  if (address.match(nat64)) return isPublicAddress(ipaddr.fromByteArray(address.toByteArray().slice(12)).toString())
  return address.range() === "unicast" && address.match(globalUnicast)
}

/** The names a host may be configured by: `host[:port]` as in a URL. */
export const mayBePrivate = (
  options: Pick<RegistryOptions, "backup" | "plainHttp" | "privateHosts">,
  host: string
): boolean =>
  host === options.backup.registry || includesHost(options.plainHttp, host) || includesHost(options.privateHosts, host)

/** How names become addresses; a Reference so that tests can resolve what they like. */
export class Resolver extends Context.Reference<LookupFunction>("image-cloner/registry/Resolver", {
  defaultValue: (): LookupFunction => systemLookup
}) {}

/** A literal that undici hands to the socket without asking any resolver; undefined: a name, or a good address. */
export const refusedLiteral = (hostname: string): AddressRefused | undefined => {
  const bare = hostname.replace(/^\[|\]$/g, "")
  return isIP(bare) === 0 || isPublicAddress(bare) ? undefined : new AddressRefused(hostname, bare)
}

/** A resolver that yields public addresses only, and fails when none is left. */
export const publicOnly = (lookup: LookupFunction): LookupFunction => (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, found, family) => {
    if (error !== null) return callback(error, "", 0)
    const all: ReadonlyArray<LookupAddress> = typeof found === "string"
      ? [{ address: found, family: family ?? isIP(found) }]
      : found
    const good = all.filter((it) => isPublicAddress(it.address))
    const first = good[0]
    if (first === undefined) return callback(new AddressRefused(hostname, all[0]?.address ?? "nothing"), "", 0)
    return options.all === true ? callback(null, [...good]) : callback(null, first.address, first.family)
  })
}
