// Which proxy a URL goes through, from HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as Go's programs read them, which is what users of
// Kubernetes have in mind. Source: golang.org/x/net/http/httpproxy. Upper case wins over lower case; HTTP_PROXY is for plain
// HTTP alone; loopback addresses and localhost never go through a proxy. Edge: pure; the sockets are registry/transport/Tunnels.ts.
import { Option, Redacted, Result } from "effect"
import ipaddr from "ipaddr.js"
import { isIP } from "node:net"
import type { Problem } from "./SettingsError.ts"

export interface Proxy {
  /** `http://host:port`, fit for messages: user and password are not in it. */
  readonly origin: string
  /** Value of the Proxy-Authorization header. */
  readonly authorization: Option.Option<Redacted.Redacted>
}

/** What is reached directly: true for a host (lower case, no brackets, no dot at its end) and its port. */
type Direct = (host: string, port: string) => boolean

export interface Proxies {
  readonly https: Option.Option<Proxy>
  readonly http: Option.Option<Proxy>
  readonly direct: ReadonlyArray<Direct>
}

export const noProxies: Proxies = { https: Option.none(), http: Option.none(), direct: [] }

/** The keys with what they mean, for docs/configuration.md. */
export const proxyKeys = {
  HTTPS_PROXY: {
    fallback: "",
    description:
      "Proxy for registries that are spoken to with TLS, `http://[user:password@]host:port` or `https://…`; it is "
      + "asked to CONNECT. `https_proxy` too. The API server is never reached through it."
  },
  HTTP_PROXY: {
    fallback: "",
    description: "The same for PLAIN_HTTP_REGISTRIES, and for those alone. `http_proxy` too."
  },
  NO_PROXY: {
    fallback: "",
    description: "What is reached without a proxy, comma separated: `host` (and all below it), `.domain` (below it), "
      + "addresses, CIDRs (for hosts that are addresses), each with `:port` if wanted, or `*`. localhost and loopback "
      + "addresses always are. `no_proxy` too."
  }
} as const

/** The value of a variable; none where it is unset or empty. */
export type Variable = (name: string) => Option.Option<string>

const proxyOf = (text: string): Result.Result<Proxy, string> => {
  const allowed = "it must be http://host:port or https://host:port, with user:password@ before the host if wanted"
  const href = text.includes("://") ? text : `http://${text}`
  if (!URL.canParse(href)) return Result.fail(allowed)
  const url = new URL(href)
  if ((url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") return Result.fail(allowed)
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") return Result.fail(allowed)
  if (url.username === "") return Result.succeed({ origin: url.origin, authorization: Option.none() })
  const login = Result.try(() => `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`)
  return Result.match(login, {
    onFailure: () => Result.fail("its user or password is not percent-encoded"),
    onSuccess: (pair) =>
      Result.succeed({
        origin: url.origin,
        authorization: Option.some(
          Redacted.make(`Basic ${Buffer.from(pair).toString("base64")}`, { label: "proxy-authorization" })
        )
      })
  })
}

const addressOf = (host: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined =>
  ipaddr.isValid(host) ? ipaddr.process(host) : undefined

const networkOf = (text: string): Result.Result<Direct, string> => {
  // "10.1/16" would be read as inet_aton does, which is not what anybody means
  const parsed = isIP(text.slice(0, text.indexOf("/"))) === 0
    ? Option.none()
    : Result.getSuccess(Result.try(() => ipaddr.parseCIDR(text)))
  if (Option.isNone(parsed)) return Result.fail(`${JSON.stringify(text)} is no network such as 10.0.0.0/8`)
  const [network, bits] = parsed.value
  return Result.succeed((host) => {
    const address = addressOf(host)
    return address !== undefined && address.kind() === network.kind() && address.match(network, bits)
  })
}

const nameShape = /^(?:\*?\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/

const directOf = (entry: string): Result.Result<Direct, string> => {
  const text = entry.toLowerCase()
  if (text === "*") return Result.succeed(() => true)
  if (text.includes("/")) return networkOf(text)
  const [, bracketed, bare, port] = /^(?:\[([^\]]+)\]|([^:]*|.*:.*:.*?))(?::(\d+))?$/.exec(text) ?? []
  const name = (bracketed ?? bare ?? "").replace(/\.$/, "")
  const onPort = (its: string) => port === undefined || its === port
  const address = addressOf(name)
  if (address !== undefined) {
    const canonical = address.toString()
    return Result.succeed((host, its) => onPort(its) && addressOf(host)?.toString() === canonical)
  }
  if (!nameShape.test(name)) return Result.fail(`${JSON.stringify(entry)} is no host, domain, address or network`)
  const below = name.replace(/^\*?\.?/, ".")
  const itself = /^[*.]/.test(name) ? undefined : name
  return Result.succeed((host, its) => onPort(its) && (host === itself || host.endsWith(below)))
}

/** Reads the variables; `problems` names what is wrong, and tells no password. */
export const parseProxies = (
  variable: Variable
): { readonly proxies: Proxies; readonly problems: ReadonlyArray<Problem> } => {
  const problems: Array<Problem> = []
  const read = (name: string): Option.Option<{ readonly key: string; readonly text: string }> =>
    Option.orElse(
      Option.map(variable(name), (text) => ({ key: name, text })),
      () => Option.map(variable(name.toLowerCase()), (text) => ({ key: name.toLowerCase(), text }))
    )
  const proxy = (name: string): Option.Option<Proxy> =>
    Option.flatMap(read(name), ({ key, text }) => {
      const parsed = proxyOf(text)
      if (Result.isFailure(parsed)) problems.push({ key, problem: parsed.failure })
      return Result.getSuccess(parsed)
    })
  const direct: Array<Direct> = []
  Option.map(read("NO_PROXY"), ({ key, text }) => {
    for (const entry of text.split(/[\s,]+/).filter((it) => it !== "")) {
      const parsed = directOf(entry)
      if (Result.isFailure(parsed)) problems.push({ key, problem: parsed.failure })
      else direct.push(parsed.success)
    }
  })
  return { proxies: { https: proxy("HTTPS_PROXY"), http: proxy("HTTP_PROXY"), direct }, problems }
}

const isLoopback = (host: string): boolean => {
  if (host === "localhost" || host.endsWith(".localhost")) return true
  return addressOf(host)?.range() === "loopback"
}

/** The proxy for a URL; none: it is reached directly. */
export const proxyFor = (proxies: Proxies, url: URL): Option.Option<Proxy> => {
  const proxy = url.protocol === "https:" ? proxies.https : proxies.http
  if (Option.isNone(proxy)) return proxy
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "").toLowerCase()
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port
  return isLoopback(host) || proxies.direct.some((it) => it(host, port)) ? Option.none() : proxy
}
