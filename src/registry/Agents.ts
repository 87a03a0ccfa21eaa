// The sockets: one undici Agent for small requests, one for downloads, one for uploads, one for trusted realms, each
// with a pool per origin. HTTP/1.1 only: blobs are 1.8 times slower over HTTP/2 and one dead connection stalls all.
// A connection that has shown a client certificate is that identity until it ends, so such connections have agents of their
// own, one a kind, host and certificate: no anonymous request, and no other identity's, can ever go over them.
// Edge: whom a socket may reach is AddressPolicy's; what travels over it is Dispatch's.
import { Duration, Effect, type Scope } from "effect"
import type { LookupFunction, Socket } from "node:net"
import { Agent, buildConnector, type Dispatcher } from "undici"
import { mayBePrivate, publicOnly, refusedLiteral } from "./AddressPolicy.ts"
import { BufferPool } from "./BufferPool.ts"
import type { Certificates } from "./Certificates.ts"
import { plainReads, recycleWrites, tlsReads } from "./PooledSockets.ts"
import type { RegistryOptions } from "./RegistrySettings.ts"

/** Idle read buffers are kept up to so many bytes. */
const idleBytes = 8 * 1024 * 1024
const connectionsPerOrigin = 16

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
}

export interface AgentOptions {
  readonly settings: () => RegistryOptions
  readonly certificates: Certificates
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
      ...(kind === "upload" ? { highWaterMark: plain ? undefined : 1 << 20, writableHighWaterMark: 1 << 20 } : {})
    })
    made.set(key, { version, connector: one })
    return one
  }
  return (target, callback) => {
    const host = target.host ?? target.hostname
    const open = kind === "realm" || mayBePrivate(options.settings(), host)
    const refused = open ? undefined : refusedLiteral(target.hostname)
    if (refused !== undefined) return callback(refused, null)
    connectorFor(target.protocol, host, open)(target, (...result: Parameters<buildConnector.Callback>) => {
      // without an error there is a socket; with one there is nothing, whatever the type says
      const socket = result[0] === null ? result[1] : null
      if (socket !== null && kind === "upload") recycleWrites(socket, pool)
      if (socket !== null && target.protocol === "https:") endWithAlert(socket)
      callback(...result)
    })
  }
}

/** Agents that live as long as the scope. */
export const makeAgents = (options: AgentOptions): Effect.Effect<Agents, never, Scope.Scope> =>
  Effect.gen(function*() {
    const pool = new BufferPool(options.readBytes, Math.ceil(idleBytes / options.readBytes))
    const all = new Set<Agent>()
    // close would wait for requests that hang
    yield* Effect.addFinalizer(() => Effect.promise(() => Promise.all([...all].map((it) => it.destroy()))))
    const agent = (kind: Kind, certificate: boolean) => {
      const made = new Agent({
        allowH2: false,
        connections: connectionsPerOrigin,
        pipelining: 1,
        keepAliveTimeout: 10_000,
        connect: guardedConnector(kind, certificate, pool, options)
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
    const of: Agents["of"] = (kind, url, certificate) => {
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
    return { pool, of }
  })
