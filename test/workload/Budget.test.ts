import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { budgetAgainst, selects } from "../../src/workload/Budget.ts"
import { projectBudget } from "../../src/workload/ProjectSurroundings.ts"
import { type Given, workload } from "../support/Objects.ts"

const object = (spec: object, status: object = { observedGeneration: 1, disruptionsAllowed: 0 }) => ({
  metadata: { name: "web", namespace: "shop", generation: 1 },
  spec,
  status
})

const budget = (spec: object = { selector: { matchLabels: { app: "web" } } }, status?: object) =>
  projectBudget(object(spec, status))!

const labelled = (given: Given = {}, labels: Record<string, string> = { app: "web" }) => {
  const of = workload(given)
  return { ...of, podLabels: labels }
}

describe("a selector", () => {
  const word = Schema.Literals(["a", "b", "c"])
  const Labels = Schema.Record(word, word)

  it.prop("takes the pods that have all its labels", [Labels, Labels], ([wanted, labels]) => {
    const expected = Object.entries(wanted).every(([key, value]) =>
      Object.entries(labels).some(([name, it]) => name === key && it === value)
    )
    assert.strictEqual(selects({ labels: wanted, expressions: [] }, labels), expected)
  })

  it("understands every operator, and takes nothing where there is none", () => {
    const by = (operator: string, values: ReadonlyArray<string> = []) =>
      [{ app: "web" }, { app: "db" }, {}].map((labels) =>
        selects({ labels: {}, expressions: [{ key: "app", operator, values }] }, labels)
      )
    assert.deepStrictEqual(by("In", ["web"]), [true, false, false])
    assert.deepStrictEqual(by("NotIn", ["web"]), [false, true, true])
    assert.deepStrictEqual(by("Exists"), [true, true, false])
    assert.deepStrictEqual(by("DoesNotExist"), [false, false, true])
    assert.isFalse(selects(undefined, { app: "web" }))
    assert.isTrue(selects({ labels: {}, expressions: [] }, {}))
  })
})

describe("a budget without disruptions", () => {
  const statefulSet = labelled({ kind: "StatefulSet" })

  it("holds what takes pods away before new ones are ready, and nothing else", () => {
    const against = (given: Given) => budgetAgainst(labelled(given), [budget()])?.key
    assert.strictEqual(against({ kind: "StatefulSet" }), "shop/web")
    assert.strictEqual(against({ kind: "DaemonSet" }), "shop/web")
    assert.strictEqual(against({ spec: { strategy: { type: "Recreate" } } }), "shop/web")
    // one replica, a quarter of it missing at most: the new pod comes first
    assert.isUndefined(against({}))
    const surge = { updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } }
    assert.isUndefined(against({ kind: "DaemonSet", spec: surge }))
  })

  it("speaks of the pods of its namespace that it selects", () => {
    assert.isUndefined(budgetAgainst(statefulSet, [budget({ selector: { matchLabels: { app: "db" } } })]))
    assert.isUndefined(budgetAgainst(statefulSet, [{ ...budget(), namespace: "other" }]))
    assert.isUndefined(budgetAgainst(statefulSet, [budget({})]))
    assert.isDefined(budgetAgainst(statefulSet, [budget({ selector: {} })]))
  })

  it("is one whose status says so, or is older than the budget", () => {
    const exhausted = (status: object) => budget({}, status).exhausted
    assert.isFalse(exhausted({ observedGeneration: 1, disruptionsAllowed: 1 }))
    assert.isTrue(exhausted({ observedGeneration: 1, disruptionsAllowed: 0 }))
    assert.isTrue(exhausted({ observedGeneration: 0, disruptionsAllowed: 1 }))
    assert.isTrue(exhausted({}))
  })

  it("is read from whatever an API server sends", () => {
    for (const odd of [{}, { metadata: {} }, object({ selector: { matchExpressions: [{}] } })]) {
      assert.doesNotThrow(() => projectBudget(odd))
    }
  })
})
