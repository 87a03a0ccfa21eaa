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

const makeLengthFramer = (longest: number): Framer => {
  let wanted = prefix
  let waiting: Array<Buffer> = []
  let size = 0
  return {
    push: (chunk) => {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      waiting.push(bytes)
      size += bytes.length
      // a frame of many chunks is put together once
      if (size < wanted) return []
      const rest = waiting.length === 1 ? bytes : Buffer.concat(waiting)
      const frames: Array<Frame> = []
      let at = 0
      for (;;) {
        if (rest.length - at < prefix) {
          wanted = prefix
          break
        }
        const length = rest.readUInt32BE(at)
        if (length > longest) return undefined
        wanted = prefix + length
        if (rest.length - at < wanted) break
        frames.push(rest.subarray(at + prefix, at + wanted))
        at += wanted
      }
      size = rest.length - at
      // a copy: what has been read must not be kept alive by what is to come
      waiting = size === 0 ? [] : [Buffer.from(rest.subarray(at))]
      return frames
    }
  }
}

/** For an answer of this content type. `longest`: bytes of a frame. */
export const makeFramer = (contentType: string | undefined, longest: number): Framer =>
  isProtobuf(contentType) ? makeLengthFramer(longest) : makeLineFramer(longest)
