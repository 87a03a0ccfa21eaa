// The sockets: one undici Agent for small requests, one for downloads, one for uploads, one for trusted realms, each
// with a pool per origin. HTTP/1.1 only: blobs are 1.8 times slower over HTTP/2 and one dead connection stalls all.
// A connection that has shown a client certificate is that identity until it ends, so such connections have agents of their
// own, one a kind, host and certificate: no anonymous request, and no other identity's, can ever go over them.
// Edge: whom a socket may reach is AddressPolicy's; what travels over it is Dispatch's.
import { Duration, Effect, Option, type Scope } from "effect"
import type { LookupFunction, Socket } from "node:net"
import { Agent, buildConnector, type Dispatcher } from "undici"
import { type Proxies, type Proxy, proxyFor } from "../../settings/Proxies.ts"
import type { RegistryOptions } from "../RegistrySettings.ts"
import { mayBePrivate, publicOnly, refusedLiteral } from "./AddressPolicy.ts"
import { BufferPool } from "./BufferPool.ts"
import type { Certificates } from "./Certificates.ts"
import { plainReads, recycleWrites, tlsReads } from "./PooledSockets.ts"
import { makeTunnels, type Tunnels } from "./Tunnels.ts"

/** Idle read buffers are kept up to so many bytes. */
const idleBytes = 8 * 1024 * 1024
const connectionsPerOrigin = 16
/** What an upload's socket takes before it asks for a pause; over TLS it is kept twice, the second time encrypted. */
const unsentBytes = 256 * 1024

/**
 * What a request is for: `control` small requests; `realm` small requests to a token server that a configured registry
 * vouches for, which may be private as that registry may; `download` and `upload` blobs, read into pooled buffers and
 * giving them back.
 */
export type Kind = "control" | "realm" | "download" | "upload"

export interface Agents {
  readonly pool: BufferPool
  /** For requests to the origin of `url`; `certificate`: over connections that show our client certificate for its host. */
  readonly of: (kind: Kind, url: URL, certificate: boolean) => Dispatcher
  /** Past every proxy, for metadata services of the machine, which are spoken to without TLS. */
  readonly direct: Dispatcher
  /** The proxy that the URL is reached through. */
  readonly proxyOf: (url: URL) => Option.Option<Proxy>
}

export interface AgentOptions {
  readonly settings: () => RegistryOptions
  readonly certificates: Certificates
  readonly proxies: Proxies
  readonly lookup: LookupFunction
  readonly connectTimeout: Duration.Duration
  /** Bytes of one read of a blob. */
  readonly readBytes: number
}

// In TLS 1.3 a server refuses a client certificate after the handshake. undici sees the end that follows before the alert:
// "other side closed" would be all that is told.
const endWithAlert = (socket: Socket): void => {
  socket.once("error", (error) => socket.destroy(error))
}

const guardedConnector = (
  kind: Kind,
  certificate: boolean,
  pool: BufferPool,
  tunnels: Tunnels,
  options: AgentOptions
): buildConnector.connector => {
  // connectors remember TLS sessions, and a session remembers who began it: none is shared by two versions
  const made = new Map<string, { readonly version: string; readonly connector: buildConnector.connector }>()
  const connectorFor = (protocol: string, host: string, open: boolean): buildConnector.connector => {
    const trust = protocol === "https:" ? options.certificates.trustOf(host, certificate) : undefined
    const key = `${protocol} ${open} ${trust === undefined ? "" : host}`
    const version = trust?.version ?? ""
    const present = made.get(key)
    if (present !== undefined && present.version === version) return present.connector
    const plain = protocol === "http:"
    const one = buildConnector({
      allowH2: false,
      timeout: Duration.toMillis(options.connectTimeout),
      lookup: open ? options.lookup : publicOnly(options.lookup),
      ...(trust === undefined ? {} : { secureContext: trust.context }),
      ...(kind === "download" ? (plain ? plainReads(pool) : tlsReads(pool)) : {}),
      ...(kind === "upload"
        ? { highWaterMark: plain ? undefined : unsentBytes, writableHighWaterMark: unsentBytes }
        : {})
    })
    made.set(key, { version, connector: one })
    return one
  }
  return (target, callback) => {
    const host = target.host ?? target.hostname
    const open = kind === "realm" || mayBePrivate(options.settings(), host)
    const refused = open ? undefined : refusedLiteral(target.hostname)
    if (refused !== undefined) return callback(refused, null)
    const connect = (httpSocket?: Socket) =>
      connectorFor(target.protocol, host, open)(
        { ...target, ...(httpSocket === undefined ? {} : { httpSocket }) },
        (...result: Parameters<buildConnector.Callback>) => {
          // without an error there is a socket; with one there is nothing, whatever the type says
          const socket = result[0] === null ? result[1] : null
          if (socket !== null && kind === "upload") recycleWrites(socket, pool)
          if (socket !== null && target.protocol === "https:") endWithAlert(socket)
          callback(...result)
        }
      )
    const proxy = target.protocol === "https:" ? proxyFor(options.proxies, new URL(`https://${host}`)) : Option.none()
    if (Option.isNone(proxy)) return connect()
    const { hostname, port } = target
    return tunnels.open(
      proxy.value,
      { hostname, port: port === "" ? "443" : port, open },
      // a tunnel is a socket of net's: it comes from undici's own connector
      (error, socket) => error === null ? connect(socket as Socket) : callback(error, null)
    )
  }
}

/** Agents that live as long as the scope. */
export const makeAgents = Effect.fnUntraced(
  function*(options: AgentOptions): Effect.fn.Return<Agents, never, Scope.Scope> {
    const pool = new BufferPool(options.readBytes, Math.ceil(idleBytes / options.readBytes))
    const all = new Set<Agent>()
    const tunnels = makeTunnels(options)
    // close would wait for requests that hang
    yield* Effect.addFinalizer(() =>
      Effect.promise(() => Promise.all([tunnels.destroy(), ...[...all].map((it) => it.destroy())]))
    )
    const agent = (kind: Kind, certificate: boolean) => {
      const made = new Agent({
        allowH2: false,
        connections: connectionsPerOrigin,
        pipelining: 1,
        keepAliveTimeout: 10_000,
        connect: guardedConnector(kind, certificate, pool, tunnels, options)
      })
      all.add(made)
      return made
    }
    const anonymous = {
      control: agent("control", false),
      realm: agent("realm", false),
      download: agent("download", false),
      upload: agent("upload", false)
    }
    /** By kind and host; as many as there are client certificates. */
    const identified = new Map<string, { readonly version: string; readonly agent: Agent }>()
    const proxyOf: Agents["proxyOf"] = (url) => proxyFor(options.proxies, url)
    /** By proxy and by whether realms are asked through it: what forwards plain HTTP. */
    const forwarding = new Map<string, Dispatcher>()
    const forward = (kind: Kind, proxy: Proxy): Dispatcher => {
      const key = `${proxy.origin} ${kind === "realm"}`
      const known = forwarding.get(key) ??
        tunnels.forward(proxy, (host) => kind === "realm" || mayBePrivate(options.settings(), host))
      forwarding.set(key, known)
      return known
    }
    const of: Agents["of"] = (kind, url, certificate) => {
      const proxy = url.protocol === "http:" ? proxyOf(url) : Option.none()
      if (Option.isSome(proxy)) return forward(kind, proxy.value)
      const trust = certificate && url.protocol === "https:" ? options.certificates.trustOf(url.host, true) : undefined
      if (trust === undefined) return anonymous[kind]
      const key = `${kind} ${url.host}`
      const present = identified.get(key)
      if (present?.version === trust.version) return present.agent
      if (present !== undefined) present.agent.close(() => all.delete(present.agent))
      const made = { version: trust.version, agent: agent(kind, true) }
      identified.set(key, made)
      return made.agent
    }
    // of plain HTTP, proxies are chosen above and not by the connector
    return { pool, of, direct: anonymous.realm, proxyOf }
  }
)
