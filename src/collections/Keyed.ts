// Keyed: a key of Effect's caches that carries what its work needs, and is equal to every other of the same text.
import { Equal, Hash } from "effect"

export class Keyed<A> implements Equal.Equal {
  readonly key: string
  readonly value: A
  constructor(key: string, value: A) {
    this.key = key
    this.value = value
  }
  [Equal.symbol](that: unknown): boolean {
    return that instanceof Keyed && that.key === this.key
  }
  [Hash.symbol](): number {
    return Hash.string(this.key)
  }
}
