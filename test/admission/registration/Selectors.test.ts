import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { narrows, type Selector } from "../../../src/admission/registration/Selectors.ts"

const Values = Schema.NonEmptyArray(Schema.Literals(["a", "b", "c", "d"]))
/** What is ours: a key of its own for each. */
const Ours = Schema.Array(Values)
const Exclusion = Schema.Struct({
  key: Schema.Literals(["control-plane", "kubernetes.azure.com/managedby", "theirs.example.com"]),
  operator: Schema.Literals(["NotIn", "DoesNotExist"]),
  values: Values
})
const More = Schema.Array(Exclusion)

type Expression = NonNullable<Selector["matchExpressions"]>[number]

const wanted = (values: typeof Ours.Type): ReadonlyArray<Expression> =>
  values.map((it, index) => ({ key: `ours-${index}`, operator: "NotIn", values: it }))

const exclusions = (more: typeof More.Type): ReadonlyArray<Expression> =>
  more.map(({ key, operator, values }) => operator === "NotIn" ? { key, operator, values } : { key, operator })

const runs = { arbitrary: { runs: 300 } }

describe("a selector", () => {
  it.prop(
    "says what it should whatever it excludes more, in whatever order",
    { ours: Ours, more: More, values: Schema.Array(Schema.String), turned: Schema.Boolean, before: Schema.Boolean },
    ({ before, more, ours, turned, values }) => {
      const wider = wanted(ours).map((it) => {
        const all = [...(it.values ?? []), ...values]
        return { ...it, values: turned ? all.toReversed() : all }
      })
      const found = before ? [...exclusions(more), ...wider] : [...wider, ...exclusions(more)]
      const matchExpressions = turned ? found.toReversed() : found
      assert.isTrue(narrows({ matchExpressions }, { matchExpressions: wanted(ours) }))
    },
    runs
  )

  it.prop(
    "does not say what it should where one of ours is missing or altered, whatever else it excludes",
    {
      ours: Schema.NonEmptyArray(Values),
      at: Schema.Int,
      more: More,
      alteration: Schema.Literals(["gone", "a value less", "another key", "In", "Exists", "DoesNotExist"])
    },
    ({ alteration, at, more, ours }) => {
      const matchExpressions = wanted(ours)
      const chosen = Math.abs(at) % matchExpressions.length
      const altered = matchExpressions.flatMap((it, index): ReadonlyArray<Expression> => {
        if (index !== chosen) return [it]
        switch (alteration) {
          case "gone":
            return []
          case "a value less":
            return [{ ...it, values: (it.values ?? []).filter((value) => value !== it.values?.[0]) }]
          case "another key":
            return [{ ...it, key: "another" }]
          case "In":
            return [{ ...it, operator: alteration }]
          case "Exists":
          case "DoesNotExist":
            return [{ key: it.key, operator: alteration }]
        }
      })
      assert.isFalse(narrows({ matchExpressions: [...altered, ...exclusions(more)] }, { matchExpressions }))
    },
    runs
  )

  it.prop(
    "does not say what it should where it asks for something to be there, for that takes us out of nearly everything",
    { ours: Ours, more: More, positive: Schema.Literals(["In", "Exists", "an operator of later", "matchLabels"]) },
    ({ more, ours, positive }) => {
      const matchExpressions = wanted(ours)
      const found = positive === "matchLabels"
        ? { matchExpressions: [...matchExpressions, ...exclusions(more)], matchLabels: { team: "a" } }
        : { matchExpressions: [...matchExpressions, { key: "team", operator: positive }, ...exclusions(more)] }
      assert.isFalse(narrows(found, { matchExpressions }))
    },
    runs
  )

  it("of everything may exclude something, and be written in each way", () => {
    for (
      const found of [{}, { matchExpressions: [] }, { matchExpressions: [{ key: "a", operator: "DoesNotExist" }] }]
    ) {
      assert.isTrue(narrows(found, {}))
    }
  })

  it("that takes every namespace out excludes too much", () => {
    const key = "kubernetes.io/metadata.name"
    assert.isFalse(narrows({ matchExpressions: [{ key, operator: "DoesNotExist" }] }, {}))
    assert.isTrue(narrows({ matchExpressions: [{ key, operator: "NotIn", values: ["gke-managed-cim"] }] }, {}))
  })

  it("that asks for one of some values may not ask for one of more", () => {
    const ours = { matchExpressions: [{ key: "team", operator: "In", values: ["a", "b"] }] }
    const found = (values: ReadonlyArray<string>) => ({ matchExpressions: [{ key: "team", operator: "In", values }] })
    assert.isTrue(narrows(found(["b", "a"]), ours))
    assert.isFalse(narrows(found(["a", "b", "c"]), ours))
    assert.isFalse(narrows(found(["a"]), ours))
  })

  it("that is none says nothing", () => {
    const broken = [{ matchExpressions: [{ key: 1 }] }, { matchExpressions: {} }]
    for (const found of [undefined, null, "all", [], ...broken]) assert.isFalse(narrows(found, {}))
  })
})
