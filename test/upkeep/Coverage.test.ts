import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { countAll, CoverageTally, ratioOf } from "../../src/upkeep/Coverage.ts"
import type { PodCoverage } from "../../src/upkeep/PodCoverage.ts"

const covered = (given: Partial<PodCoverage> = {}): PodCoverage => ({
  namespace: "shop",
  state: "whole",
  reason: undefined,
  running: [],
  ...given
})

describe("coverage, counted on change", () => {
  it("counts a pod once, as it is now, and a namespace no longer that has none", () => {
    const tally = new CoverageTally()
    tally.note("Pod/shop/a", covered({ state: "at-risk" }))
    tally.note("Pod/shop/a", covered({ state: "running", running: ["x"] }))
    tally.note("Pod/bank/b", covered({ namespace: "bank", state: "left", reason: "private" }))
    assert.deepStrictEqual(tally.pods, { running: 1, whole: 0, left: 1, "at-risk": 0 })
    assert.deepStrictEqual([tally.runs("x"), tally.leftFor("private")], [true, 1])
    tally.note("Pod/shop/a", undefined)
    tally.note("Pod/shop/unknown", undefined)
    assert.deepStrictEqual(tally.namespaces.map((it) => it.namespace), ["bank"])
    assert.strictEqual(tally.runs("x"), false)
  })

  const step = Schema.Struct({
    pod: Schema.Literals(["a", "b", "c"]),
    namespace: Schema.Literals(["shop", "bank"]),
    state: Schema.Literals(["running", "whole", "left", "at-risk", "gone"])
  })

  it.effect.prop(
    "has after any course what a count of all would have",
    [Schema.Array(step)],
    ([steps]) =>
      Effect.sync(() => {
        const tally = new CoverageTally()
        const last = new Map<string, (typeof steps)[number]>()
        for (const it of steps) {
          const { namespace, pod, state } = it
          tally.note(pod, state === "gone" ? undefined : covered({ namespace, state }))
          last.set(pod, it)
        }
        const left = [...last.values()].flatMap((it) => it.state === "gone" ? [] : [{ ...it, state: it.state }])
        assert.deepStrictEqual(tally.pods, countAll(left.map((it) => it.state)))
        for (const { namespace, pods } of tally.namespaces) {
          assert.deepStrictEqual(pods, countAll(left.filter((it) => it.namespace === namespace).map((it) => it.state)))
        }
      })
  )

  it("is a share of what could have a copy, and all of nothing", () => {
    assert.strictEqual(ratioOf({ running: 2, whole: 1, left: 7, "at-risk": 1 }), 0.75)
    assert.strictEqual(ratioOf({ running: 0, whole: 0, left: 3, "at-risk": 0 }), 1)
  })
})
