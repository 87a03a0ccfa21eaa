import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { PacingRules, type Request } from "../../src/rewrite/PacingRules.ts"
import { withoutSecrets } from "../../src/workload/PullSet.ts"
import { workload } from "../support/Objects.ts"

const rest = { first: Duration.minutes(2), most: Duration.minutes(5) }
const request: Request = {
  as: "rollout",
  limit: 1,
  pulls: withoutSecrets,
  byNodes: true,
  asked: false,
  alone: false
}
const one = workload({ namespace: "one", name: "a" })
const second = workload({ namespace: "one", name: "b" })
const other = workload({ namespace: "two", name: "c" })

describe("where a workload stands", () => {
  it("is its place in line, in the order of turns, and who has the places", () => {
    const rules = new PacingRules(rest)
    const first = workload({ namespace: "three", name: "first" })
    for (const it of [first, one, second, other]) rules.admit(it, request, 0)
    const standings = [one, second, other].map((it) => rules.standing(it, withoutSecrets, 0))
    assert.deepStrictEqual(standings.map((it) => it.line), [
      { position: 1, of: 3 },
      { position: 3, of: 3 },
      { position: 2, of: 3 }
    ])
    assert.deepStrictEqual(standings[0]?.holders, [first.key])
    assert.isUndefined(rules.standing(first, withoutSecrets, 0).line)
  })

  it("is who shows first that its pods can pull", () => {
    const rules = new PacingRules(rest)
    const shows = { ...request, byNodes: false, limit: 2, asked: true }
    rules.admit(one, shows, 0)
    const held = rules.admit(other, shows, 0)
    assert.strictEqual(held?._tag === "Held" ? held.reason : held?._tag, "pull-unproven")
    const { proven, restsUntil, showing } = rules.standing(other, withoutSecrets, 0)
    assert.deepStrictEqual({ proven, restsUntil, showing }, {
      proven: false,
      restsUntil: undefined,
      showing: one.key
    })
  })

  it("is when its rest after a failed pull ends: its own, its namespace's or its set's", () => {
    const rules = new PacingRules(rest)
    rules.proofs.rest(withoutSecrets, "no secret", 1000)
    assert.strictEqual(rules.standing(other, withoutSecrets, 1000).restsUntil, 121_000)
    assert.isUndefined(rules.standing(other, withoutSecrets, 121_000).restsUntil)
    rules.letRest({ workload: one, set: undefined, detail: "no secret", byNodes: true }, 1000)
    assert.strictEqual(rules.standing(one, withoutSecrets, 1000).restsUntil, 241_000)
    assert.strictEqual(rules.standing(second, undefined, 1000).restsUntil, 121_000)
  })

  it("is that its rollout is under way, and which are stuck", () => {
    const rules = new PacingRules(rest)
    rules.places.observe(one, { _tag: "UnderWay", until: 5 }, false)
    rules.places.observe(other, { _tag: "Stuck", detail: "late" }, false)
    assert.deepStrictEqual(rules.standing(one, withoutSecrets, 0).rollout, { _tag: "UnderWay", until: 5 })
    assert.deepStrictEqual(rules.standing(one, withoutSecrets, 0).stuck, [other.key])
    assert.deepStrictEqual(rules.standing(second, withoutSecrets, 0).rollout, { _tag: "None" })
  })
})
