// A binary heap: the smallest item first. Items that are not wanted any more are marked by their owner and skipped by it.
export class Heap<A> {
  #items: Array<A> = []
  readonly #before: (one: A, other: A) => boolean

  constructor(before: (one: A, other: A) => boolean) {
    this.#before = before
  }

  get size(): number {
    return this.#items.length
  }

  peek(): A | undefined {
    return this.#items[0]
  }

  push(item: A): void {
    const items = this.#items
    let at = items.push(item) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#less(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  pop(): A | undefined {
    const items = this.#items
    const [top] = items
    const last = items.pop()
    if (last === undefined || items.length === 0) return top
    items[0] = last
    for (let at = 0;;) {
      const left = 2 * at + 1
      const child = left + 1 < items.length && this.#less(left + 1, left) ? left + 1 : left
      if (child >= items.length || !this.#less(child, at)) return top
      this.#swap(at, child)
      at = child
    }
  }

  /** Leaves only these. */
  retain(wanted: (item: A) => boolean): void {
    const items = this.#items.filter(wanted)
    this.#items = []
    for (const item of items) this.push(item)
  }

  #less(one: number, other: number): boolean {
    const a = this.#items[one]
    const b = this.#items[other]
    return a !== undefined && b !== undefined && this.#before(a, b)
  }

  #swap(one: number, other: number): void {
    const a = this.#items[one]
    const b = this.#items[other]
    if (a === undefined || b === undefined) return
    this.#items[one] = b
    this.#items[other] = a
  }
}
