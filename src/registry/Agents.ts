// The sockets: one undici Agent for small requests, one for downloads, one for uploads, one for trusted realms, each
// with a pool per origin. HTTP/1.1 only: blobs are 1.8 times slower over HTTP/2 and one dead connection stalls all.
// Edge: whom a socket may reach is AddressPolicy's; what travels over it is Dispatch's.
import { Duration, Effect, type Scope } from "effect"
import type { LookupFunction } from "node:net"
import { Agent, buildConnector } from "undici"
import { mayBePrivate, publicOnly, refusedLiteral } from "./AddressPolicy.ts"
import { type Authorities, trustOf } from "./Authorities.ts"
import { BufferPool } from "./BufferPool.ts"
import { plainReads, recycleWrites, tlsReads } from "./PooledSockets.ts"
import type { RegistryOptions } from "./RegistrySettings.ts"

/** Idle read buffers are kept up to so many bytes. */
const idleBytes = 8 * 1024 * 1024
const connectionsPerOrigin = 16

export interface Agents {
  readonly pool: BufferPool
  /** Small requests. */
  readonly control: Agent
  /** Small requests to a realm that a configured registry vouches for: may be private as that registry may. */
  readonly realm: Agent
  /** Blobs from a registry; plain-HTTP sockets read into pooled buffers. */
  readonly download: Agent
  /** Blobs to the backup; plain-HTTP sockets give pooled buffers back. */
  readonly upload: Agent
}

export interface AgentOptions {
  readonly settings: () => RegistryOptions
  readonly authorities: Authorities
  readonly lookup: LookupFunction
  readonly connectTimeout: Duration.Duration
  /** Bytes of one read of a blob. */
  readonly readBytes: number
}

type Kind = "control" | "realm" | "download" | "upload"

const guardedConnector = (kind: Kind, pool: BufferPool, options: AgentOptions): buildConnector.connector => {
  const made = new Map<string, buildConnector.connector>()
  const connectorFor = (protocol: string, host: string, open: boolean): buildConnector.connector => {
    const ca = trustOf(options.authorities, host)
    const key = `${protocol} ${open} ${ca === undefined ? "" : host}`
    const present = made.get(key)
    if (present !== undefined) return present
    const plain = protocol === "http:"
    const one = buildConnector({
      allowH2: false,
      timeout: Duration.toMillis(options.connectTimeout),
      lookup: open ? options.lookup : publicOnly(options.lookup),
      ...(ca === undefined ? {} : { ca: [...ca] }),
      ...(kind === "download" ? (plain ? plainReads(pool) : tlsReads(pool)) : {}),
      ...(kind === "upload" ? { highWaterMark: plain ? undefined : 1 << 20, writableHighWaterMark: 1 << 20 } : {})
    })
    made.set(key, one)
    return one
  }
  return (target, callback) => {
    const host = target.host ?? target.hostname
    const open = kind === "realm" || mayBePrivate(options.settings(), host)
    const refused = open ? undefined : refusedLiteral(target.hostname)
    if (refused !== undefined) return callback(refused, null)
    connectorFor(target.protocol, host, open)(target, (...result: Parameters<buildConnector.Callback>) => {
      if (result[1] !== null && kind === "upload") recycleWrites(result[1], pool)
      callback(...result)
    })
  }
}

/** Agents that live as long as the scope. */
export const makeAgents = (options: AgentOptions): Effect.Effect<Agents, never, Scope.Scope> =>
  Effect.gen(function*() {
    const pool = new BufferPool(options.readBytes, Math.ceil(idleBytes / options.readBytes))
    const agent = (kind: Kind) =>
      Effect.acquireRelease(
        Effect.sync(() =>
          new Agent({
            allowH2: false,
            connections: connectionsPerOrigin,
            pipelining: 1,
            keepAliveTimeout: 10_000,
            connect: guardedConnector(kind, pool, options)
          })
        ),
        // close would wait for requests that hang
        (it) => Effect.promise(() => it.destroy())
      )
    return {
      pool,
      control: yield* agent("control"),
      realm: yield* agent("realm"),
      download: yield* agent("download"),
      upload: yield* agent("upload")
    }
  })
