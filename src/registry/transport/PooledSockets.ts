// Sockets that read into the pool's buffers, and sockets that give them back once written: between the two a blob's bytes
// are never copied by us, and make no garbage. Edge: which sockets are such ones is Agents.ts's to say.
import type { Socket } from "node:net"
import type { BufferPool } from "./BufferPool.ts"

/** Shorter reads are copied: they would pin a whole buffer each. */
const shortRead = 4096
/** The most that a TLS record holds (RFC 8446 §5.1). */
const recordBytes = 16 * 1024

/** Options of net.connect, which undici passes on: every read fills a buffer of its own. */
export const plainReads = (pool: BufferPool) => ({
  highWaterMark: undefined,
  // with more than one queued read, `read()` would concatenate (a copy, and the buffer lost to the pool)
  readableHighWaterMark: 1,
  onread: {
    buffer: () => pool.take(),
    callback(this: Socket, length: number, buffer: Uint8Array): boolean {
      if (length >= shortRead) return this.push(buffer.subarray(0, length))
      const copy = Buffer.from(buffer.subarray(0, length))
      pool.give(buffer)
      return this.push(copy)
    }
  }
})

/** What one socket has gathered: `from` to `to` of the buffer that it is filling wait to be passed on. */
interface Gathered {
  buffer: Uint8Array
  from: number
  to: number
  waiting: boolean
}

/**
 * Options of tls.connect. Records arrive one by one, 16 KiB each; those of one turn of the event loop are passed on
 * together: fewer rounds through parser, hash and the other side's TLS.
 */
export const tlsReads = (pool: BufferPool) => {
  const sockets = new WeakMap<Socket, Gathered>()
  // Node asks for the next buffer right after the callback, without saying for which socket
  let next: Uint8Array | undefined

  const pass = (socket: Socket, gathered: Gathered): void => {
    const chunk = gathered.buffer.subarray(gathered.from, gathered.to)
    gathered.from = gathered.to
    if (chunk.length === 0 || socket.destroyed) return
    if (chunk.length < shortRead) return void socket.push(Buffer.from(chunk))
    pool.share(chunk)
    socket.push(chunk)
  }

  /** The end is passed on after what was gathered before it. */
  const begin = (socket: Socket, buffer: Uint8Array): Gathered => {
    const gathered = { buffer, from: 0, to: 0, waiting: false }
    sockets.set(socket, gathered)
    const push = socket.push
    Object.defineProperty(socket, "push", {
      value: (chunk: unknown, ...rest: ReadonlyArray<unknown>): boolean => {
        if (chunk === null) pass(socket, gathered)
        return Reflect.apply(push, socket, [chunk, ...rest])
      },
      configurable: true,
      writable: true
    })
    return gathered
  }

  return {
    highWaterMark: 1,
    onread: {
      buffer: () => {
        const buffer = next ?? pool.take()
        next = undefined
        return buffer
      },
      callback(this: Socket, length: number, read: Uint8Array): boolean {
        const gathered = sockets.get(this) ?? begin(this, read)
        gathered.to += length
        if (gathered.buffer.length - gathered.to >= recordBytes) {
          next = gathered.buffer.subarray(gathered.to)
          if (!gathered.waiting) {
            gathered.waiting = true
            setImmediate(() => {
              gathered.waiting = false
              pass(this, gathered)
            })
          }
        } else {
          pass(this, gathered)
          pool.give(gathered.buffer)
          next = gathered.buffer = pool.take()
          gathered.from = gathered.to = 0
        }
        // reading goes on when what was passed on has been consumed
        return this.readableLength === 0
      }
    }
  }
}

// net.Socket#connect() restores the prototype's write, hence an own property set after it
/** Gives pooled buffers back when they are written. */
export const recycleWrites = (socket: Socket, pool: BufferPool): void => {
  const write = socket.write
  const recycling = (chunk: Uint8Array | string, ...rest: ReadonlyArray<unknown>): boolean =>
    typeof chunk !== "string" && pool.owns(chunk)
      ? Reflect.apply(write, socket, [chunk, undefined, () => pool.give(chunk)])
      : Reflect.apply(write, socket, [chunk, ...rest])
  Object.defineProperty(socket, "write", { value: recycling, configurable: true, writable: true })
}
