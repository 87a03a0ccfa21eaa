// SharedTexts: texts that are made again and again and kept by thousands of objects, as one string each. Bounded: when there are too
// many, all are forgotten, and those that come yet are shared anew. Long ones, such as what a registry says, are left as they are.

const longest = 256

export class SharedTexts {
  readonly #kept = new Map<string, string>()
  readonly #most: number
  constructor(most: number) {
    this.#most = most
  }

  /** The same text; a string that was given before, where it is still known. */
  of(text: string): string {
    if (text.length > longest) return text
    const known = this.#kept.get(text)
    if (known !== undefined) return known
    if (this.#kept.size >= this.#most) this.#kept.clear()
    this.#kept.set(text, text)
    return text
  }
}
