// Cursor: a place in the bytes of a message in Protocol Buffers' wire format. What breaks the format is remembered and ends the
// reading: whoever reads looks at `broken` at the end, and takes nothing of a message that is. Source:
// protobuf.dev/programming-guides/encoding.

/** Wire types that are in use; groups are not. */
export const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

export class Cursor {
  at: number
  end: number
  /** What is wrong with the bytes; the first that was. */
  broken: string | undefined
  readonly bytes: Buffer
  constructor(bytes: Buffer, from = 0, to = bytes.length) {
    this.bytes = bytes
    this.at = from
    this.end = to
  }

  fail(what: string): void {
    this.broken ??= what
    this.at = this.end
  }

  /** A number of 64 bits with its sign in the highest; exact up to 2⁵³. */
  varint(): number {
    const { bytes } = this
    const from = this.at
    let value = 0
    let scale = 1
    for (let count = 0; count < 10 && this.at < this.end; count++) {
      const byte = bytes[this.at++] ?? 0
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return count < 9 ? value : this.#long(from)
      scale *= 128
    }
    this.fail("a number does not end")
    return 0
  }

  /** One of ten bytes, which only negative ones are. */
  #long(from: number): number {
    let value = 0n
    for (let at = from; at < this.at; at++) value |= BigInt((this.bytes[at] ?? 0) & 0x7f) << BigInt(7 * (at - from))
    return Number(BigInt.asIntN(64, value))
  }

  /** Where the bytes end that begin here, after their length. */
  span(): number {
    const length = this.varint()
    const to = this.at + length
    if (to > this.end || length < 0) {
      this.fail("a field is longer than what it is in")
      return this.end
    }
    return to
  }

  skip(type: number): void {
    switch (type) {
      case wire.varint:
        this.varint()
        return
      case wire.bytes:
        this.at = this.span()
        return
      case wire.fixed64:
      case wire.fixed32: {
        const to = this.at + (type === wire.fixed64 ? 8 : 4)
        if (to > this.end) this.fail("a field is longer than what it is in")
        else this.at = to
        return
      }
      default:
        this.fail(`there is no wire type ${type}`)
    }
  }
}
