import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Images } from "../../src/store/Inventory.ts"

const User = Schema.Literals(["a", "b", "c"])
const Source = Schema.Literals(["x", "y", "z"])

describe("the inventory", () => {
  it("names an image as new once, however many workloads want it", () => {
    const images = new Images()
    assert.deepStrictEqual(images.want("a", ["x", "y"]), ["x", "y"])
    assert.deepStrictEqual(images.want("b", ["x"]), [])
    assert.sameMembers([...images.get("x")!.users], ["a", "b"])
  })

  it("wakes exactly the users of an image, and nobody for one that is not wanted any more", () => {
    const images = new Images()
    images.want("a", ["x"])
    images.want("b", ["x", "y"])
    assert.sameMembers([...images.set("x", { _tag: "Pending" })], ["a", "b"])
    images.want("a", [])
    images.want("b", ["y"])
    assert.deepStrictEqual(images.set("x", { _tag: "Pending" }), [])
    assert.isUndefined(images.state("x"))
  })

  it("names an image again when the first of its users pulls it anew at every start, and knows when the last one goes", () => {
    const images = new Images()
    const always = new Set(["x"])
    images.want("a", ["x", "y"])
    assert.deepStrictEqual(images.want("a", ["x", "y"], always), ["x"])
    assert.deepStrictEqual(images.want("b", ["x"], always), [])
    images.want("a", ["y"])
    assert.deepStrictEqual([...images.get("x")!.pullers!], ["b"])
    images.want("b", ["x"])
    assert.strictEqual(images.get("x")?.pullers?.size, 0)
    assert.deepStrictEqual(images.want("b", ["x", "z"], new Set(["x", "z"])), ["x", "z"])
  })

  it("takes a question for a tag once, and none for what nobody wants", () => {
    const images = new Images()
    images.want("a", ["x"])
    images.ask("x")
    images.ask("y")
    assert.deepStrictEqual([images.takeAsked("x"), images.takeAsked("x"), images.takeAsked("y")], [true, false, false])
  })

  it("remembers since when a source is gone while somebody wants it", () => {
    const images = new Images()
    const of = () => images.get("x")?.gone
    images.noteGone("x", 1)
    images.want("a", ["x"])
    assert.isUndefined(of())
    for (const now of [1, 5, 9]) images.noteGone("x", now)
    assert.deepStrictEqual(of(), { since: 1, last: 9 })
    images.setVanished(new Map([["x", "not-found"], ["nobody's", "not-found"]]))
    assert.strictEqual(images.get("x")?.vanished, "not-found")
    images.noteGone("x", undefined)
    images.setVanished(new Map())
    assert.deepStrictEqual([of(), images.get("x")?.vanished], [undefined, undefined])
    images.noteGone("x", 11)
    images.setVanished(undefined)
    assert.isUndefined(of())
  })

  it.effect.prop(
    "holds what is wanted and nothing else, after any sequence of wishes",
    [Schema.Array(Schema.Tuple([User, Schema.Array(Source)]))],
    ([wishes]) =>
      Effect.sync(() => {
        const images = new Images()
        const last = new Map<string, ReadonlyArray<string>>()
        for (const [user, sources] of wishes) {
          const known = new Set(images.all.map((it) => it.source))
          assert.sameMembers([...images.want(user, sources)], [...new Set(sources)].filter((it) => !known.has(it)))
          last.set(user, sources)
        }
        const expected = new Map<string, Set<string>>()
        for (const [user, sources] of last) {
          for (const source of sources) expected.set(source, (expected.get(source) ?? new Set()).add(user))
        }
        assert.deepStrictEqual(new Map(images.all.map((it) => [it.source, new Set(it.users)])), expected)
      }),
    { arbitrary: { runs: 200 } }
  )
})
