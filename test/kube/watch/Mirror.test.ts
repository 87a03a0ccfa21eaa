// What is kept, and what a change of it is called.
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Mirror } from "../../../src/kube/watch/Mirror.ts"
import type { WatchEvent } from "../../../src/kube/watch/WatchEvent.ts"

interface Thing {
  readonly metadata: { readonly namespace: string; readonly name: string; readonly resourceVersion: string }
  readonly kept: boolean
}

const thing = (name: string, kept = true): Thing => ({
  metadata: { namespace: "ns", name, resourceVersion: "1" },
  kept
})
const rules = {
  // the mirror is given objects of the API, which are things here
  project: (object: unknown) => (object as Thing).kept ? (object as Thing) : undefined,
  key: (it: Thing) => `Thing/${it.metadata.namespace}/${it.metadata.name}`
}
const event = (_tag: "Applied" | "Deleted", object: Thing): Extract<WatchEvent, { _tag: "Applied" | "Deleted" }> => ({
  _tag,
  object,
  meta: object.metadata
})

describe("a mirror", () => {
  it("keeps a whole list, and what it does not keep it never knew", () => {
    const mirror = new Mirror(rules)
    const listing = mirror.listing()
    for (const it of [thing("a"), thing("b", false)]) listing.add(it)
    listing.add({ metadata: {} })
    const all = mirror.replace(listing)
    assert.deepStrictEqual(all._tag === "Synced" ? [...all.items.keys()] : [], ["Thing/ns/a"])
    assert.isUndefined(mirror.change(event("Deleted", thing("b"))))
    assert.deepStrictEqual(mirror.change(event("Deleted", thing("a"))), { _tag: "Deleted", key: "Thing/ns/a" })
  })

  it("calls deleted what is not kept any more", () => {
    const mirror = new Mirror(rules)
    assert.strictEqual(mirror.change(event("Applied", thing("a")))?._tag, "Applied")
    assert.deepStrictEqual(mirror.change(event("Applied", thing("a", false))), { _tag: "Deleted", key: "Thing/ns/a" })
    assert.isUndefined(mirror.change(event("Applied", thing("a", false))))
  })

  it("hands a list over whole, and keeps nothing of it for the rest of the session", () => {
    const mirror = new Mirror(rules)
    const listing = mirror.listing()
    listing.add(thing("a"))
    assert.strictEqual(listing.take().items.size, 1)
    assert.strictEqual(listing.take().items.size, 0)
  })

  const Step = Schema.Struct({
    name: Schema.Literals(["a", "b", "c"]),
    what: Schema.Literals(["keep", "drop", "delete"])
  })
  it.prop("tells whoever follows what is kept in the end", [Schema.Array(Step)], ([steps]) => {
    const mirror = new Mirror(rules)
    const followed = new Set<string>()
    const truth = new Set<string>()
    for (const { name, what } of steps) {
      const change = mirror.change(event(what === "delete" ? "Deleted" : "Applied", thing(name, what === "keep")))
      if (what === "keep") truth.add(`Thing/ns/${name}`)
      else truth.delete(`Thing/ns/${name}`)
      if (change?._tag === "Applied") followed.add(change.key)
      if (change?._tag === "Deleted") followed.delete(change.key)
    }
    assert.deepStrictEqual([...followed].toSorted(), [...truth].toSorted())
  })
})
