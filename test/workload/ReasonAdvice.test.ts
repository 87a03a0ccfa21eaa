import { assert, describe, it } from "@effect/vitest"
import { advice, plainAdvice } from "../../src/workload/ReasonAdvice.ts"
import { holdReasons, skipReasons } from "../../src/workload/Reason.ts"

const reasons = [...Object.keys(skipReasons), ...Object.keys(holdReasons)].map((it) => it as keyof typeof advice) // all of them

describe("advice", () => {
  it("is there for every reason, and for no other", () => {
    assert.deepStrictEqual(Object.keys(advice).toSorted(), [...reasons].toSorted())
  })

  it("names the section of the handbook on a terminal, and shows no marks of Markdown", () => {
    assert.strictEqual(plainAdvice("pull-unproven"), "see Pull secrets (docs/operations.md#pull-secrets)")
    assert.strictEqual(plainAdvice("paced"), "wait, or raise MAX_CONCURRENT_ROLLOUTS")
    for (const reason of reasons) assert.notMatch(plainAdvice(reason), /[`[\]]|\]\(/)
  })
})
