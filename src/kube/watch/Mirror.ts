// Mirror: what a list, and every event after it, means to whoever keeps a kind: changes in terms of its keys. Keeps nothing itself but
// a list while it comes: an object's name tells its key.
import { type Meta, metaOf, type WatchEvent } from "./WatchEvent.ts"

export type Change<A> =
  /** Atomic replacement of everything: what is not in it is gone. Comes first, and again after every gap. */
  | { readonly _tag: "Synced"; readonly items: ReadonlyMap<string, A> }
  | { readonly _tag: "Applied"; readonly key: string; readonly item: A }
  /** Deleted, or not to be kept (any more); it may never have been. */
  | { readonly _tag: "Deleted"; readonly key: string }

interface Rules<A> {
  /** What is kept of an object; undefined: nothing. */
  readonly project: (object: unknown) => A | undefined
  readonly key: (meta: Meta) => string
  readonly keyOf?: ((item: A) => string) | undefined
}

/** A list while it comes, object by object. */
export class Listing<A> {
  #items = new Map<string, A>()
  readonly #rules: Rules<A>
  constructor(rules: Rules<A>) {
    this.#rules = rules
  }

  /** @param meta of the object, where it is known */
  add(object: unknown, meta: Meta | undefined = metaOf(object)): void {
    const { key, keyOf, project } = this.#rules
    const item = meta === undefined ? undefined : project(object)
    if (meta !== undefined && item !== undefined) this.#items.set(keyOf?.(item) ?? key(meta), item)
  }

  /** All of it; what is taken is not kept here, since a session outlives its list by minutes. */
  take(): ReadonlyMap<string, A> {
    const items = this.#items
    this.#items = new Map()
    return items
  }
}

export class Mirror<A> {
  readonly #rules: Rules<A>
  constructor(rules: Rules<A>) {
    this.#rules = rules
  }

  listing(): Listing<A> {
    return new Listing(this.#rules)
  }

  /** A list has been seen whole. */
  replace(listing: Listing<A>): Change<A> {
    return { _tag: "Synced", items: listing.take() }
  }

  /** What an event means for what is kept. */
  change({ _tag, meta, object }: Extract<WatchEvent, { _tag: "Applied" | "Deleted" }>): Change<A> {
    const key = this.#rules.key(meta)
    const item = _tag === "Applied" ? this.#rules.project(object) : undefined
    return item === undefined ? { _tag: "Deleted", key } : { _tag: "Applied", key, item }
  }
}
