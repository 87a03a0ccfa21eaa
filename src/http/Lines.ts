// Newline framing of an answer's body: bytes in, whole lines out. A line that never ends is cut off before it fills the memory.
// What follows the last newline is not a line: the connection broke in the middle of it.
const newline = 0x0a

export interface Framer {
  /** The lines that end in `chunk`; undefined once a line has become too long. Empty lines are left out. */
  readonly push: (chunk: Uint8Array) => ReadonlyArray<string> | undefined
}

/** `longest`: bytes of a line, without its newline. */
export const makeFramer = (longest: number): Framer => {
  let parts: Array<Uint8Array> = []
  let size = 0
  const whole = (last: Buffer): string => {
    const line = parts.length === 0 ? last : Buffer.concat([...parts, last])
    parts = []
    size = 0
    return line.toString("utf8")
  }
  return {
    push: (chunk) => {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      const lines: Array<string> = []
      let start = 0
      for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
        if (size + end - start > longest) return undefined
        if (size + end - start > 0) lines.push(whole(bytes.subarray(start, end)))
        start = end + 1
      }
      if (start < bytes.length) {
        size += bytes.length - start
        if (size > longest) return undefined
        // a copy: the rest of the chunk must not be kept alive by its tail
        parts.push(Uint8Array.prototype.slice.call(bytes, start))
      }
      return lines
    }
  }
}
