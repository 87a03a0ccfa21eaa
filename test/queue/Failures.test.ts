import { assert, describe, it } from "@effect/vitest"
import { Failures } from "../../src/queue/Failures.ts"

describe("failures of a key", () => {
  it("are counted until they are forgotten", () => {
    const failures = new Failures()
    failures.note("a", 100)
    failures.note("a", 300)
    assert.deepStrictEqual([failures.timesOf("a"), failures.timesOf("b")], [2, 0])
    failures.forget("a")
    assert.strictEqual(failures.timesOf("a"), 0)
  })

  it("let it rest until their time", () => {
    const failures = new Failures()
    failures.note("a", 100)
    assert.deepStrictEqual([99, 100].map((now) => failures.isResting("a", now)), [true, false])
  })

  it("are told once to whoever settles the work", () => {
    const failures = new Failures()
    failures.note("a", 100)
    assert.deepStrictEqual([failures.takeSaid("a"), failures.takeSaid("a")], [true, false])
    // the next of them is still the second
    assert.strictEqual(failures.timesOf("a"), 1)
  })
})
