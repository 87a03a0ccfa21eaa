import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { burst, EventLimits, finish, refill, refresh } from "../../../src/controller/events/EventLimits.ts"

const tags = (limits: EventLimits, namespace: string, count: number, now: number) =>
  Array.from(
    { length: count },
    (_, index) => limits.admit(`Deployment/${namespace}/w${index}`, namespace, "Held", now)._tag
  )

describe("Events of a namespace", () => {
  it("are so many at once, and one more after a while, whatever the others have", () => {
    const limits = new EventLimits()
    assert.strictEqual(tags(limits, "loud", 500, 0).filter((it) => it === "New").length, burst)
    assert.deepStrictEqual(tags(limits, "calm", 1, 0), ["New"])
    const later = Array.from(
      { length: 3 },
      (_, index) => limits.admit(`Deployment/loud/x${index}`, "loud", "Held", 2 * refill)._tag
    )
    assert.deepStrictEqual(later, ["New", "New", "None"])
  })

  it.prop(
    "are never more than its share of the time that has passed",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: refill })))],
    ([waits]) => {
      const limits = new EventLimits()
      let now = 0
      let written = 0
      for (const [index, wait] of waits.entries()) {
        now += wait
        if (limits.admit(`Deployment/a/w${index}`, "a", "Held", now)._tag !== "None") written++
      }
      assert.isAtMost(written, burst + Math.ceil(now / refill))
    }
  )
})

describe("the same Event of the same object", () => {
  const again = (limits: EventLimits, now: number, reason = "Held") =>
    limits.admit("Deployment/a/web", "a", reason, now)

  it("is a series, whose count is told now and then", () => {
    const limits = new EventLimits()
    assert.deepStrictEqual(again(limits, 0), { _tag: "New" })
    assert.deepStrictEqual(again(limits, 1000), { _tag: "None" })
    assert.deepStrictEqual(again(limits, refresh - 1000), { _tag: "None" })
    assert.deepStrictEqual(again(limits, refresh), { _tag: "Series", count: 4 })
  })

  it("is a new one for another reason, and after a long silence", () => {
    const limits = new EventLimits()
    again(limits, 0)
    assert.deepStrictEqual(again(limits, 0, "Contested"), { _tag: "New" })
    assert.deepStrictEqual(again(limits, finish), { _tag: "New" })
  })
})
