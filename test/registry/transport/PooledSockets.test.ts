// Bytes through pooled buffers over real TLS and plain sockets: each arrives once and in order, however long the receiver
// holds on to them, and the buffers come back.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createHash, randomBytes } from "node:crypto"
import * as net from "node:net"
import { setTimeout } from "node:timers/promises"
import * as tls from "node:tls"
import { BufferPool } from "../../../src/registry/transport/BufferPool.ts"
import { plainReads, recycleWrites, tlsReads } from "../../../src/registry/transport/PooledSockets.ts"
import { makeCertificates } from "../../kube/Certificates.ts"

const size = 256 * 1024
const total = 24 * 1024 * 1024

const portOf = (server: net.Server) => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

/** Sends the bytes in pieces of all sizes and ends the connection. */
const sender = (bytes: Buffer) => (socket: net.Socket) => {
  const lengths = [1, 700, 5_000, 16_384, 16_385, 100_000, 1_000_000]
  let at = 0
  const more = () => {
    for (let turn = 0; at < bytes.length; turn++) {
      const length = lengths[turn % lengths.length] ?? 1
      const piece = bytes.subarray(at, at + length)
      at += length
      if (!socket.write(piece)) return void socket.once("drain", more)
    }
    socket.end()
  }
  socket.on("error", () => {})
  more()
}

/** Reads as undici does, keeps every chunk for a while, and only then looks at it and gives it back. */
const receive = async (socket: net.Socket, pool: BufferPool, holdMillis: (chunk: number) => number) => {
  const hash = createHash("sha256")
  let received = 0
  let chunks = 0
  let last = Promise.resolve()
  const use = async (before: Promise<void>, chunk: Buffer, wait: number) => {
    await before
    if (wait > 0) await setTimeout(wait)
    hash.update(chunk)
    if (pool.owns(chunk)) pool.give(chunk)
  }
  socket.on("readable", () => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
      received += chunk.length
      last = use(last, chunk, holdMillis(chunks++))
    }
  })
  await new Promise<void>((resolve, reject) => socket.once("end", resolve).once("error", reject))
  await last
  return { digest: hash.digest("hex"), received, chunks }
}

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex")

const serverOf = <S extends net.Server>(server: S) =>
  Effect.acquireRelease(
    Effect.callback<S>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))),
    (it) => Effect.callback<void>((resume) => void it.close(() => resume(Effect.void)))
  )

describe("tlsReads", () => {
  it.live(
    "passes every byte on once and in order, to quick and slow receivers at the same time",
    () =>
      Effect.gen(function*() {
        const { ca, server } = yield* Effect.promise(makeCertificates)
        const bytes = randomBytes(total)
        const listening = yield* serverOf(tls.createServer(server, sender(bytes)))
        const pool = new BufferPool(size, 4)
        // one connector for all sockets, as undici has it
        const options = tlsReads(pool)
        const results = yield* Effect.promise(() =>
          Promise.all([0, 1, 2].map(async (slowness) => {
            const socket = tls.connect({ port: portOf(listening), host: "127.0.0.1", ca, ...options })
            const result = await receive(socket, pool, (chunk) => slowness * (chunk % 3 === 0 ? 2 : 0))
            socket.destroy()
            return result
          }))
        )
        for (const { digest, received } of results) {
          assert.strictEqual(received, total)
          assert.strictEqual(digest, sha256(bytes))
        }
      }),
    30_000
  )

  it.live("passes the records of one turn of the event loop on together", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* Effect.promise(makeCertificates)
      const bytes = randomBytes(total)
      const listening = yield* serverOf(tls.createServer(server, (socket) => void socket.end(bytes)))
      const pool = new BufferPool(size, 4)
      const { chunks, received } = yield* Effect.promise(() => {
        const socket = tls.connect({ port: portOf(listening), host: "127.0.0.1", ca, ...tlsReads(pool) })
        return receive(socket, pool, () => 0)
      })
      assert.strictEqual(received, total)
      assert.isBelow(chunks, total / (16 * 1024) * 0.7)
    }), 30_000)

  it.live("loses nothing that came right before the end", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* Effect.promise(makeCertificates)
      const bytes = randomBytes(40_000)
      const listening = yield* serverOf(tls.createServer(server, (socket) => void socket.end(bytes)))
      for (let round = 0; round < 20; round++) {
        const pool = new BufferPool(size, 4)
        const { digest } = yield* Effect.promise(() => {
          const socket = tls.connect({ port: portOf(listening), host: "127.0.0.1", ca, ...tlsReads(pool) })
          return receive(socket, pool, () => 0)
        })
        assert.strictEqual(digest, sha256(bytes))
      }
    }), 30_000)
})

describe("plainReads", () => {
  it.live("passes every byte on once and in order while chunks are held", () =>
    Effect.gen(function*() {
      const bytes = randomBytes(total)
      const listening = yield* serverOf(net.createServer(sender(bytes)))
      const pool = new BufferPool(size, 4)
      const { digest } = yield* Effect.promise(() => {
        // undici passes the options on; Node's type does not know those of its streams
        const options = { port: portOf(listening), host: "127.0.0.1", ...plainReads(pool) } as net.TcpNetConnectOpts
        return receive(net.connect(options), pool, (chunk) => chunk % 2)
      })
      assert.strictEqual(digest, sha256(bytes))
    }), 30_000)
})

describe("recycleWrites", () => {
  it.live("gives a pooled buffer back when it has been written, and not before", () =>
    Effect.gen(function*() {
      const arrived: Array<Buffer> = []
      const ended = Promise.withResolvers<void>()
      const listening = yield* serverOf(net.createServer((socket) => {
        socket.on("data", (chunk: Buffer) => void arrived.push(Buffer.from(chunk)))
        socket.on("end", () => {
          socket.end()
          ended.resolve()
        })
      }))
      const pool = new BufferPool(size, 4)
      const sent: Array<Buffer> = []
      const socket = net.connect({ port: portOf(listening), host: "127.0.0.1" })
      yield* Effect.callback<void>((resume) => void socket.once("connect", () => resume(Effect.void)))
      recycleWrites(socket, pool)
      const used = new Set<Buffer>()
      for (let turn = 0; turn < 40; turn++) {
        const buffer = pool.take()
        used.add(buffer)
        buffer.fill(turn)
        sent.push(Buffer.from(buffer))
        if (!socket.write(buffer)) {
          yield* Effect.callback<void>((resume) => void socket.once("drain", () => resume(Effect.void)))
        }
      }
      socket.end()
      yield* Effect.promise(() => ended.promise)
      assert.isBelow(used.size, 40)
      assert.isTrue(Buffer.concat(arrived).equals(Buffer.concat(sent)))
    }))
})
