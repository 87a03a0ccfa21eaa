// Ways through a proxy: CONNECT tunnels for TLS, whole URLs for plain HTTP. Source: RFC 9110 §9.3.6, RFC 9112 §3.2.2.
// The proxy's own address may be anywhere: the operator has configured it. Hosts behind it are judged first (BehindProxy.ts).
// Edge: which URL goes through which proxy is settings/Proxies.ts; TLS within a tunnel is Agents.ts's.
import { Duration, Option, Redacted } from "effect"
import type { LookupFunction } from "node:net"
import type { Duplex } from "node:stream"
import { Agent, buildConnector, type Dispatcher } from "undici"
import type { Proxy } from "../../settings/Proxies.ts"
import { makeJudgeHost } from "./BehindProxy.ts"
import type { Certificates } from "./Certificates.ts"

/** The proxy is dead, or will not do it. */
export class ProxyFailed extends Error {
  override readonly name = "ProxyFailed"
  constructor(origin: string, problem: string, cause?: unknown) {
    super(`the proxy ${origin} ${problem}`, { cause })
  }
}

/** What an answer 407 means. */
export const wantsLogin =
  "wants a login (HTTP 407): user and password go into its variable, http://user:password@host:port"

export interface Tunnels {
  /** A connection through the proxy to `host:port`, on which TLS can begin. */
  readonly open: (
    proxy: Proxy,
    to: { readonly hostname: string; readonly port: string; readonly open: boolean },
    then: (error: Error | null, socket: Duplex | null) => void
  ) => void
  /** Sends requests for plain-HTTP URLs to the proxy. `open` says which hosts may be at private addresses. */
  readonly forward: (proxy: Proxy, open: (host: string) => boolean) => Dispatcher
  readonly destroy: () => Promise<void>
}

const connections = 64

const codeOf = (error: unknown): string =>
  error instanceof AggregateError
    ? codeOf(error.errors[0])
    : error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : String(error)

const failed = (origin: string, cause: unknown): ProxyFailed =>
  cause instanceof ProxyFailed ? cause : new ProxyFailed(origin, `gives no answer (${codeOf(cause)})`, cause)

const headersOf = (proxy: Proxy): Record<string, string> =>
  Option.match(proxy.authorization, {
    onNone: () => ({}),
    onSome: (it) => ({ "proxy-authorization": Redacted.value(it) })
  })

interface Ways {
  readonly certificates: Certificates
  readonly lookup: LookupFunction
  readonly connectTimeout: Duration.Duration
}

/** Connections to proxies, whoever asks for them. */
const makeProxyAgent = ({ certificates, connectTimeout, lookup }: Ways): Agent => {
  const timeout = Duration.toMillis(connectTimeout)
  return new Agent({
    allowH2: false,
    connections,
    pipelining: 1,
    keepAliveTimeout: 10_000,
    headersTimeout: timeout,
    connect: (target, callback) => {
      const host = target.host ?? target.hostname
      const trust = target.protocol === "https:" ? certificates.trustOf(host, false) : undefined
      buildConnector({
        allowH2: false,
        timeout,
        lookup,
        ...(trust === undefined ? {} : { secureContext: trust.context })
      })(
        target,
        (error, socket) =>
          error === null ? callback(null, socket) : callback(failed(`${target.protocol}//${host}`, error), null)
      )
    }
  })
}

export const makeTunnels = (ways: Ways): Tunnels => {
  const judge = makeJudgeHost(ways.lookup)
  let agent: Agent | undefined
  // most have no proxy
  const toProxies = (): Agent => agent ??= makeProxyAgent(ways)

  return {
    open: (proxy, { hostname, open, port }, then) =>
      judge(hostname, open, (refused) => {
        if (refused !== undefined) return then(refused, null)
        const authority = `${hostname.includes(":") && !hostname.startsWith("[") ? `[${hostname}]` : hostname}:${port}`
        const headers = { ...headersOf(proxy), host: authority }
        toProxies().connect({ origin: proxy.origin, path: authority, headers }, (error, answer) => {
          if (error !== null) return then(failed(proxy.origin, error), null)
          if (answer.statusCode >= 200 && answer.statusCode < 300) return then(null, answer.socket)
          // nobody else listens to it any more
          answer.socket.on("error", () => {}).destroy()
          const problem = answer.statusCode === 407
            ? wantsLogin
            : `refuses to connect to ${authority} (HTTP ${answer.statusCode})`
          return then(new ProxyFailed(proxy.origin, problem), null)
        })
      }),
    forward: (proxy, open) =>
      toProxies().compose((dispatch) => (request, handler) => {
        const url = new URL(String(request.origin))
        judge(url.hostname, open(url.host), (refused) => {
          // undici itself has no controller for what fails before it is sent, whatever its type says
          if (refused !== undefined) return handler.onResponseError?.(null as never, refused)
          return dispatch({
            ...request,
            origin: proxy.origin,
            path: `${url.origin}${request.path}`,
            // Dispatch.ts gives a record
            headers: { ...(request.headers as Record<string, string>), ...headersOf(proxy), host: url.host }
          }, handler)
        })
        return true
      }),
    destroy: async () => agent?.destroy()
  }
}
