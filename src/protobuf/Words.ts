// Words: short texts that come again and again, such as names of images and namespaces, as one string each. Bounded: a word that
// has not come for a while makes room. Edge: only ASCII is shared, since its characters are its bytes.
const longest = 96
const slots = 1 << 14

export class Words {
  readonly #kept: Array<string | undefined> = Array.from({ length: slots })

  /** The text of these bytes, UTF-8; what is none becomes U+FFFD, as in the API server's JSON. */
  text(bytes: Buffer, from: number, to: number): string {
    const length = to - from
    if (length === 0) return ""
    if (length > longest) return bytes.toString("utf8", from, to)
    // FNV-1a
    let hash = 0x811c9dc5
    for (let at = from; at < to; at++) {
      const byte = bytes[at] ?? 0
      if (byte >= 0x80) return bytes.toString("utf8", from, to)
      hash = Math.imul(hash ^ byte, 0x01000193)
    }
    const slot = hash & (slots - 1)
    const known = this.#kept[slot]
    if (known !== undefined && known.length === length && this.#same(known, bytes, from)) return known
    const word = bytes.toString("latin1", from, to)
    this.#kept[slot] = word
    return word
  }

  #same(word: string, bytes: Buffer, from: number): boolean {
    for (let at = 0; at < word.length; at++) {
      if (word.charCodeAt(at) !== bytes[from + at]) return false
    }
    return true
  }
}
