// Words: short texts that come again and again, such as names of images and namespaces, as one string each. Bounded: a word that
// has not come for a while makes room. Edge: only ASCII is shared, since its characters are its bytes.
const longest = 96
const slotBits = 14
const slots = 1 << slotBits

/** How much of a word tells its slot: words that differ do so at their ends, mostly. */
const telling = 16

/** FNV-1a. */
const slotOf = (bytes: Buffer, from: number, to: number): number => {
  let hash = 0x811c9dc5 ^ (to - from)
  for (let at = Math.max(from, to - telling); at < to; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193)
  return (hash ^ (hash >>> slotBits)) & (slots - 1)
}

export class Words {
  readonly #kept: Array<string | undefined> = Array.from({ length: slots })

  /** The text of these bytes, UTF-8; what is none becomes U+FFFD, as in the API server's JSON. */
  text(bytes: Buffer, from: number, to: number): string {
    const length = to - from
    if (length === 0) return ""
    if (length > longest) return bytes.toString("utf8", from, to)
    const slot = slotOf(bytes, from, to)
    const known = this.#kept[slot]
    if (known !== undefined && known.length === length && this.#same(known, bytes, from)) return known
    const word = bytes.toString("utf8", from, to)
    // of other characters a text has fewer than bytes, and is found by none
    if (word.length === length) this.#kept[slot] = word
    return word
  }

  #same(word: string, bytes: Buffer, from: number): boolean {
    for (let at = 0; at < word.length; at++) {
      if (word.charCodeAt(at) !== bytes[from + at]) return false
    }
    return true
  }
}
