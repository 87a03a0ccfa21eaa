// The sockets: one undici Agent for small requests, one for downloads, one for uploads, one for trusted realms, each
// with a pool per origin. HTTP/1.1 only: blobs are 1.8 times slower over HTTP/2 and one dead connection stalls all.
// Edge: whom a socket may reach is AddressPolicy's; what travels over it is Dispatch's.
import { Duration, Effect, type Scope } from "effect"
import type { LookupFunction, Socket } from "node:net"
import { Agent, buildConnector } from "undici"
import { mayBePrivate, publicOnly, refusedLiteral } from "./AddressPolicy.ts"
import { type Authorities, trustOf } from "./Authorities.ts"
import { BufferPool } from "./BufferPool.ts"
import type { RegistryOptions } from "./RegistrySettings.ts"

// 256 KiB reads keep the event loop's p99 delay under 60 ms at full speed; the process also serves admission
const readSize = 256 * 1024
const idleBuffers = 32
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
}

// undici passes the options on to net.connect; with more than one queued read, `read()` would concatenate (a copy)
const pooledReads = (pool: BufferPool) => ({
  highWaterMark: undefined,
  readableHighWaterMark: 1,
  onread: {
    buffer: () => pool.take(),
    callback(this: Socket, length: number, buffer: Uint8Array): boolean {
      if (length >= 4096) return this.push(buffer.subarray(0, length))
      const copy = Buffer.from(buffer.subarray(0, length))
      pool.give(buffer)
      return this.push(copy)
    }
  }
})

// net.Socket#connect() restores the prototype's write, hence an own property set after it
const recycleWrites = (socket: Socket, pool: BufferPool): void => {
  const write = socket.write
  const recycling = (chunk: Uint8Array | string, ...rest: ReadonlyArray<unknown>): boolean =>
    typeof chunk !== "string" && pool.owns(chunk)
      ? Reflect.apply(write, socket, [chunk, undefined, () => pool.give(chunk)])
      : Reflect.apply(write, socket, [chunk, ...rest])
  Object.defineProperty(socket, "write", { value: recycling, configurable: true, writable: true })
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
      ...(plain && kind === "download" ? pooledReads(pool) : {}),
      ...(plain && kind === "upload" ? { highWaterMark: undefined, writableHighWaterMark: 1 << 20 } : {})
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
      if (result[1] !== null && kind === "upload" && target.protocol === "http:") recycleWrites(result[1], pool)
      callback(...result)
    })
  }
}

/** Agents that live as long as the scope. */
export const makeAgents = (options: AgentOptions): Effect.Effect<Agents, never, Scope.Scope> =>
  Effect.gen(function*() {
    const pool = new BufferPool(readSize, idleBuffers)
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
