import { assert, describe, it } from "@effect/vitest"
import { deadlineOf, patienceOf } from "../../src/workload/Deadlines.ts"
import { type Given, workload } from "../support/Objects.ts"

const minute = 60 * 1000
const hour = 60 * minute

/** A StatefulSet, which no controller judges, of so many pods. */
const stateful = (replicas: number, given: Given = {}) =>
  workload({ kind: "StatefulSet", spec: { replicas }, ...given })

describe("the pods of a changed workload are late", () => {
  it("when there was no progress for its deadline, ten minutes where it has none, an hour at most", () => {
    assert.strictEqual(patienceOf(workload()), 10 * minute)
    assert.strictEqual(patienceOf(workload({ spec: { progressDeadlineSeconds: 60 } })), minute)
    assert.strictEqual(patienceOf(workload({ spec: { progressDeadlineSeconds: 1e6 } })), hour)
    assert.strictEqual(deadlineOf(stateful(3), 0, 5 * minute), 15 * minute)
  })

  it("however they get on, after an hour for each fifty of them, six at most", () => {
    const always = 100 * hour
    const after = [1, 50, 51, 300, 10_000].map((replicas) => deadlineOf(stateful(replicas), 0, always) / hour)
    assert.deepStrictEqual(after, [1, 1, 2, 6, 6])
  })

  it("by the word of a Deployment's own controller, where that judges: then only the longest time counts", () => {
    assert.strictEqual(deadlineOf(workload(), 0, 0), hour)
  })
})
