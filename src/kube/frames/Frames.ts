// Frames: the events of a watch as they come over the wire: lines of JSON, or in Protocol Buffers messages behind their length. One that
// never ends is cut off before it fills the memory; what is not whole at the end was cut off with the connection, and is none.
// Source: apimachinery pkg/util/framer.
import { makeFramer as makeLineFramer } from "../../http/Lines.ts"
import { isProtobuf } from "./Envelope.ts"

/** A line of JSON, or the bytes of a message. */
export type Frame = string | Buffer

export interface Framer {
  /** What ends in `chunk`; undefined once a frame is longer than any may be. Messages are views of what was pushed. */
  readonly push: (chunk: Uint8Array) => ReadonlyArray<Frame> | undefined
}

/** Of a message's length, in the order of networks. */
const prefix = 4

/** What has come of a message that is not whole, its length before it. */
class Begun {
  #parts: Array<Buffer> = []
  #size = 0
  /** Undefined until all of it has come. */
  length: number | undefined

  get size(): number {
    return this.#size
  }

  /** How many bytes are missing: of the length, and once that is known of the message. */
  get missing(): number {
    return prefix + (this.length ?? 0) - this.#size
  }

  add(part: Buffer): void {
    this.#parts.push(part)
    this.#size += part.length
    if (this.length === undefined && this.#size >= prefix) this.length = this.#joined().readUInt32BE(0)
  }

  /** The whole message, and nothing is begun. */
  take(): Buffer {
    const message = this.#joined().subarray(prefix)
    this.#parts = []
    this.#size = 0
    this.length = undefined
    return message
  }

  /** Put together once, however many chunks it comes in. */
  #joined(): Buffer {
    const [first] = this.#parts
    return this.#parts.length === 1 && first !== undefined ? first : Buffer.concat(this.#parts)
  }
}

const makeLengthFramer = (longest: number): Framer => {
  const begun = new Begun()
  const isTooLong = () => begun.length !== undefined && begun.length > longest

  /** Completes what was begun, with as much of a chunk as that takes; where the rest of the chunk begins. */
  const complete = (bytes: Buffer, frames: Array<Frame>): number => {
    let at = 0
    while (begun.size > 0 && at < bytes.length && !isTooLong()) {
      const part = bytes.subarray(at, at + begun.missing)
      at += part.length
      begun.add(part)
      if (begun.missing === 0) frames.push(begun.take())
    }
    return at
  }

  return {
    push: (chunk) => {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      const frames: Array<Frame> = []
      let at = complete(bytes, frames)
      while (bytes.length - at >= prefix) {
        const end = at + prefix + bytes.readUInt32BE(at)
        if (end > bytes.length) break
        if (end - at - prefix > longest) return undefined
        frames.push(bytes.subarray(at + prefix, end))
        at = end
      }
      // a copy: what has been read must not be kept alive by what is to come
      if (at < bytes.length) begun.add(at === 0 ? bytes : Buffer.from(bytes.subarray(at)))
      return isTooLong() ? undefined : frames
    }
  }
}

/** For an answer of this content type. `longest`: bytes of a frame. */
export const makeFramer = (contentType: string | undefined, longest: number): Framer =>
  isProtobuf(contentType) ? makeLengthFramer(longest) : makeLineFramer(longest)
