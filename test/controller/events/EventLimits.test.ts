import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { burst, EventLimits, finish, refill, refresh } from "../../../src/controller/events/EventLimits.ts"

const admit = (limits: EventLimits, namespace: string, name: string, now: number) =>
  limits.admit(`Deployment/${namespace}/${name} Held`, namespace, `${name}.1`, now)._tag

const tags = (limits: EventLimits, namespace: string, count: number, now: number, prefix = "w") =>
  Array.from({ length: count }, (_, index) => admit(limits, namespace, `${prefix}${index}`, now))

describe("Events of a namespace", () => {
  it("are so many at once, and one more after a while, whatever the others have", () => {
    const limits = new EventLimits()
    assert.strictEqual(tags(limits, "loud", 500, 0).filter((it) => it === "New").length, burst)
    assert.deepStrictEqual(tags(limits, "calm", 1, 0), ["New"])
    assert.deepStrictEqual(tags(limits, "loud", 3, 2 * refill, "x"), ["New", "New", "Limited"])
  })

  it("keep some for what needs somebody", () => {
    const limits = new EventLimits()
    const well = Array.from({ length: 50 }, (_, index) => limits.admit(`w${index}`, "a", `w${index}.1`, 0, false)._tag)
    assert.strictEqual(well.filter((it) => it === "New").length, burst - 5)
    assert.strictEqual(tags(limits, "a", 50, 0).filter((it) => it === "New").length, 5)
  })

  it.prop(
    "are never more than its share of the time that has passed",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: refill }))), Schema.Boolean],
    ([waits, same]) => {
      const limits = new EventLimits()
      let now = 0
      let written = 0
      for (const [index, wait] of waits.entries()) {
        now += wait
        const tag = admit(limits, "a", same ? "w" : `w${index}`, now)
        if (tag === "New" || tag === "Series") written++
      }
      assert.isAtMost(written, burst + Math.ceil(now / refill))
    }
  )
})

describe("the same Event of the same object", () => {
  const again = (limits: EventLimits, now: number, reason = "Held", name = "web.1") =>
    limits.admit(`Deployment/a/web ${reason}`, "a", name, now)

  it("is a series: the second is told at once, the count of the others now and then", () => {
    const limits = new EventLimits()
    assert.deepStrictEqual(again(limits, 0), { _tag: "New" })
    assert.deepStrictEqual(again(limits, 1000, "Held", "web.2"), { _tag: "Series", count: 2, name: "web.1" })
    assert.deepStrictEqual(again(limits, 2000), { _tag: "Counted" })
    assert.deepStrictEqual(again(limits, refresh), { _tag: "Counted" })
    assert.deepStrictEqual(again(limits, refresh + 1000), { _tag: "Series", count: 5, name: "web.1" })
  })

  it("is a new one for another reason, and after a long silence", () => {
    const limits = new EventLimits()
    again(limits, 0)
    assert.deepStrictEqual(again(limits, 0, "Contested"), { _tag: "New" })
    assert.deepStrictEqual(again(limits, finish), { _tag: "New" })
  })

  it("is a new one where the last was not written", () => {
    const limits = new EventLimits()
    again(limits, 0)
    limits.forget("Deployment/a/web Held")
    assert.deepStrictEqual(again(limits, 1), { _tag: "New" })
  })
})
