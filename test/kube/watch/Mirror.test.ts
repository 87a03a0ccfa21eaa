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
  key: (it: { readonly namespace: string; readonly name: string }) => `Thing/${it.namespace}/${it.name}`
}
const event = (_tag: "Applied" | "Deleted", object: Thing): Extract<WatchEvent, { _tag: "Applied" | "Deleted" }> => ({
  _tag,
  object,
  meta: object.metadata
})

describe("a mirror", () => {
  it("takes a whole list, but for what is not kept", () => {
    const mirror = new Mirror(rules)
    const listing = mirror.listing()
    for (const it of [thing("a"), thing("b", false)]) listing.add(it)
    listing.add({ metadata: {} })
    const all = mirror.replace(listing)
    assert.deepStrictEqual(all._tag === "Synced" ? [...all.items.keys()] : [], ["Thing/ns/a"])
    assert.deepStrictEqual(mirror.change(event("Deleted", thing("a"))), { _tag: "Deleted", key: "Thing/ns/a" })
  })

  it("calls deleted what is not kept any more", () => {
    const mirror = new Mirror(rules)
    assert.strictEqual(mirror.change(event("Applied", thing("a")))._tag, "Applied")
    assert.deepStrictEqual(mirror.change(event("Applied", thing("a", false))), { _tag: "Deleted", key: "Thing/ns/a" })
    assert.strictEqual(
      mirror.change(event("Applied", thing("b", false)))._tag,
      "Deleted",
      "it may never have been kept"
    )
  })

  it("takes the keys of a list from what is kept, where that tells them", () => {
    const mirror = new Mirror({ ...rules, keyOf: (it: Thing) => `kept/${it.metadata.name}` })
    const listing = mirror.listing()
    listing.add(thing("a"))
    assert.deepStrictEqual([...listing.take().keys()], ["kept/a"])
  })

  it("hands a list over whole, and keeps nothing of it for the rest of the session", () => {
    const mirror = new Mirror(rules)
    const listing = mirror.listing()
    listing.add(thing("a"))
    assert.strictEqual(listing.take().size, 1)
    assert.strictEqual(listing.take().size, 0)
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
      if (change._tag === "Applied") followed.add(change.key)
      if (change._tag === "Deleted") followed.delete(change.key)
    }
    assert.deepStrictEqual([...followed].toSorted(), [...truth].toSorted())
  })
})
