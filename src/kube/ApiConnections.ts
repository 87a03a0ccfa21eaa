// The connections to the API server: HTTP/1.1 only and apart from each other. One dead HTTP/2 connection stalls everything
// on it, and watches on a shared pool starve the requests.
import { Redacted } from "effect"
import { Agent, type Dispatcher, ProxyAgent, Socks5ProxyAgent } from "undici"
import type { Tls } from "./Access.ts"

/** What a request is for: each has its own connections. */
export type Purpose = "watch" | "request" | "lease"

/** How long a watch may be silent: the server sends a bookmark about every minute. */
export const longestSilence = 90_000
/** Of one answer. */
export const mostBodyBytes = 512 * 1024 * 1024 // an unpaged list of a large cluster is a tenth of it

const timeouts = {
  // some proxies hold the headers back until the first event
  watch: { headersTimeout: 30_000, bodyTimeout: longestSilence },
  // the server cuts changes after 34 s, all else after 60
  request: { headersTimeout: 35_000, bodyTimeout: 60_000, connections: 16, maxResponseSize: mostBodyBytes },
  lease: { headersTimeout: 5_000, bodyTimeout: 5_000, connections: 1 }
} as const

export type Agents = Readonly<Record<Purpose, Dispatcher>>

const make = (purpose: Purpose, tls: Tls, proxy: string | undefined): Dispatcher => {
  const given = {
    ca: tls.ca,
    cert: tls.cert,
    key: tls.key === undefined ? undefined : Redacted.value(tls.key),
    servername: tls.servername,
    rejectUnauthorized: tls.rejectUnauthorized
  }
  // undici takes an undefined member for a given one
  const requestTls = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const options = {
    ...timeouts[purpose],
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: 60_000, // the server closes idle connections after 90 s
    keepAliveMaxTimeout: 80_000
  }
  const connect = { timeout: purpose === "lease" ? 5_000 : 10_000, keepAlive: true, keepAliveInitialDelay: 30_000 }
  if (proxy === undefined) return new Agent({ ...options, connect: { ...connect, ...requestTls } })
  if (proxy.startsWith("socks")) {
    return new Socks5ProxyAgent(proxy, { ...options, requestTls: { ...connect, ...requestTls } })
  }
  return new ProxyAgent({ ...options, uri: proxy, requestTls: { ...connect, ...requestTls }, proxyTls: connect })
}

export const makeAgents = (tls: Tls, proxy: string | undefined): Agents => ({
  watch: make("watch", tls, proxy),
  request: make("request", tls, proxy),
  lease: make("lease", tls, proxy)
})

/** Two connections with equal keys may be one. */
export const keyOf = (tls: Tls): string =>
  [tls.ca, tls.cert, tls.key === undefined ? "" : Redacted.value(tls.key), tls.servername, tls.rejectUnauthorized].map(
    String
  ).join("\n")
