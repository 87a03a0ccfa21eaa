import { assert, describe, it } from "@effect/vitest"
import { CloneHints } from "../../../src/controller/admission/CloneHints.ts"

const minute = 60_000
const many = (count: number) => Array.from({ length: count }, (_, at) => `host/image:${at}`)

describe("hints of what pods lacked", () => {
  it("are wanted for ten minutes, once", () => {
    const hints = new CloneHints()
    assert.deepStrictEqual(hints.ask("shop", ["a"], 0), { user: "Hint/shop", sources: ["a"] })
    assert.isUndefined(hints.ask("shop", ["a"], minute))
    assert.deepStrictEqual(hints.ask("shop", ["a", "b"], 5 * minute)?.sources, ["a", "b"])
    assert.deepStrictEqual(hints.expire(9 * minute), [])
    assert.deepStrictEqual(hints.expire(10 * minute), [{ user: "Hint/shop", sources: ["b"] }])
    assert.deepStrictEqual(hints.expire(15 * minute), [{ user: "Hint/shop", sources: [] }])
    assert.deepStrictEqual(hints.expire(60 * minute), [])
  })

  it("are bounded for each namespace, whatever is asked", () => {
    const hints = new CloneHints()
    assert.lengthOf(hints.ask("shop", many(1000), 0)?.sources ?? [], 20)
    assert.isUndefined(hints.ask("shop", ["another"], 0))
    // and none takes anything from the others
    assert.deepStrictEqual(hints.ask("other", ["another"], 0)?.sources, ["another"])
  })

  it("are bounded in all", () => {
    const hints = new CloneHints()
    const taken = Array.from({ length: 1000 }, (_, at) => hints.ask(`n${at}`, ["a"], 0)).filter((it) =>
      it !== undefined
    )
    assert.lengthOf(taken, 500)
    hints.expire(10 * minute)
    assert.isDefined(hints.ask("late", ["a"], 11 * minute))
  })
})
