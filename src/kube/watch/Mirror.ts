// Mirror: what is kept of a kind: changes in terms of the keys of what was kept before. Only the names of what is kept stay here.
import { type Meta, metaOf, type WatchEvent } from "./WatchEvent.ts"

export type Change<A> =
  /** Atomic replacement of everything: what is not in it is gone. Comes first, and again after every gap. */
  | { readonly _tag: "Synced"; readonly items: ReadonlyMap<string, A> }
  | { readonly _tag: "Applied"; readonly key: string; readonly item: A }
  /** Deleted, or not kept any more. */
  | { readonly _tag: "Deleted"; readonly key: string }

interface Rules<A> {
  /** What is kept of an object; undefined: nothing. */
  readonly project: (object: unknown) => A | undefined
  readonly key: (item: A) => string
}

interface Listed<A> {
  readonly items: Map<string, A>
  /** namespace/name → key */
  readonly names: Map<string, string>
}

/** A list while it comes, object by object. */
export class Listing<A> {
  #listed: Listed<A> = { items: new Map(), names: new Map() }
  readonly #rules: Rules<A>
  constructor(rules: Rules<A>) {
    this.#rules = rules
  }

  /** @param meta of the object, where it is known */
  add(object: unknown, meta: Meta | undefined = metaOf(object)): void {
    const item = meta === undefined ? undefined : this.#rules.project(object)
    if (meta === undefined || item === undefined) return
    const key = this.#rules.key(item)
    this.#listed.items.set(key, item)
    this.#listed.names.set(`${meta.namespace}/${meta.name}`, key)
  }

  /** All of it; what is taken is not kept here, since a session outlives its list by minutes. */
  take(): Listed<A> {
    const listed = this.#listed
    this.#listed = { items: new Map(), names: new Map() }
    return listed
  }
}

export class Mirror<A> {
  #kept = new Map<string, string>()
  readonly #rules: Rules<A>
  constructor(rules: Rules<A>) {
    this.#rules = rules
  }

  listing(): Listing<A> {
    return new Listing(this.#rules)
  }

  /** A list has been seen whole. */
  replace(listing: Listing<A>): Change<A> {
    const { items, names } = listing.take()
    this.#kept = names
    return { _tag: "Synced", items }
  }

  /** What an event means for what is kept; undefined: nothing. */
  change(event: Extract<WatchEvent, { _tag: "Applied" | "Deleted" }>): Change<A> | undefined {
    const id = `${event.meta.namespace}/${event.meta.name}`
    const item = event._tag === "Applied" ? this.#rules.project(event.object) : undefined
    if (item !== undefined) {
      const key = this.#rules.key(item)
      this.#kept.set(id, key)
      return { _tag: "Applied", key, item }
    }
    const key = this.#kept.get(id)
    if (key === undefined) return undefined
    this.#kept.delete(id)
    return { _tag: "Deleted", key }
  }
}
