import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { ageing, Keys } from "../../src/queue/Keys.ts"

const takeAll = (keys: Keys<string>, now: number): ReadonlyArray<string> => {
  const taken: Array<string> = []
  for (let next = keys.take(now); next !== undefined; next = keys.take(now)) taken.push(next.key)
  return taken
}

describe("Keys", () => {
  it("come in the order they were added, once each", () => {
    const keys = new Keys<string>()
    for (const key of ["a", "b", "a", "c"]) keys.add(key, 0, 0, 0)
    assert.deepStrictEqual(takeAll(keys, 0), ["a", "b", "c"])
  })

  it("that were added while they were worked on come back when the work is done", () => {
    const keys = new Keys<string>()
    keys.add("a", 0, 0, 0)
    keys.take(0)
    keys.add("a", 0, 0, 0)
    assert.isUndefined(keys.take(0))
    keys.done("a", 0)
    assert.strictEqual(keys.take(0)?.key, "a")
    keys.done("a", 0)
    assert.isUndefined(keys.take(0))
  })

  it("come by priority, and by priority again when it is raised", () => {
    const keys = new Keys<string>()
    keys.add("low", 0, -100, 0)
    keys.add("raised", 0, -100, 0)
    keys.add("normal", 0, 0, 0)
    keys.add("raised", 0, 100, 0)
    keys.add("raised", 0, -100, 0)
    assert.deepStrictEqual(takeAll(keys, 0), ["raised", "normal", "low"])
  })

  it("do not starve: waiting weighs as much as priority", () => {
    const keys = new Keys<string>()
    keys.add("low", 0, -100, 0)
    keys.add("early", 99 * ageing, 0, 99 * ageing)
    keys.add("late", 101 * ageing, 0, 101 * ageing)
    assert.deepStrictEqual(takeAll(keys, 101 * ageing), ["early", "low", "late"])
  })

  it("come at the earliest of their times", () => {
    const keys = new Keys<string>()
    keys.add("a", 500, 0, 0)
    keys.add("a", 300, 0, 0)
    keys.add("a", 900, 0, 0)
    assert.strictEqual(keys.nextAt, 300)
    assert.isUndefined(keys.take(299))
    assert.deepStrictEqual(keys.take(300), { key: "a", priority: 0, waited: 0 })
    assert.isUndefined(keys.nextAt)
  })

  it("keep the time they have waited when they are added again", () => {
    const keys = new Keys<string>()
    keys.add("a", 0, 0, 0)
    keys.add("a", 7, 0, 5)
    keys.add("a", 0, 1, 5)
    assert.deepStrictEqual(keys.take(9), { key: "a", priority: 1, waited: 9 })
  })

  it("do not pile up however often they are added again", () => {
    const keys = new Keys<string>()
    for (let time = 10_000; time > 0; time--) keys.add("a", time, 0, 0)
    for (let level = 0; level < 10_000; level++) keys.add("b", 0, level, 0)
    assert.strictEqual(keys.delayed, 1)
    assert.strictEqual(keys.ready, 1)
    assert.deepStrictEqual(takeAll(keys, 1), ["b", "a"])
  })

  const Name = Schema.Literals(["a", "b", "c", "d", "e"])
  const Step = Schema.Union([
    Schema.Struct({
      do: Schema.Literal("add"),
      key: Name,
      delay: Schema.Literals([0, 0, 0, 1, 5, 20]),
      priority: Schema.Literals([-1, 0, 1])
    }),
    Schema.Struct({ do: Schema.Literal("take") }),
    Schema.Struct({ do: Schema.Literal("done"), key: Name }),
    Schema.Struct({ do: Schema.Literal("wait"), time: Schema.Literals([0, 1, 3, 10, 5000]) })
  ])
  const Steps = Schema.Array(Step).check(Schema.isMinLength(20), Schema.isMaxLength(80))

  it.prop("do what a plain list would do", { steps: Steps }, ({ steps }) => {
    const keys = new Keys<string>()
    const model = new Map<string, { priority: number; readyAt: number; order: number }>()
    const busy = new Set<string>()
    let now = 0
    let order = 0
    for (const step of steps) {
      if (step.do === "wait") now += step.time
      else if (step.do === "add") {
        const before = model.get(step.key)
        const at = now + step.delay
        const ready = before !== undefined && before.readyAt <= now
        const next = {
          priority: Math.max(step.priority, before?.priority ?? step.priority),
          readyAt: ready ? before.readyAt : Math.min(at, before?.readyAt ?? at),
          order: before?.order ?? 0
        }
        if (next.priority !== before?.priority || next.readyAt !== before.readyAt) next.order = order++
        assert.strictEqual(keys.add(step.key, at, step.priority, now), !ready && next.readyAt <= now)
        model.set(step.key, next)
      } else if (step.do === "done") {
        busy.delete(step.key)
        keys.done(step.key, now)
      } else {
        const [first] = [...model].filter(([key, it]) => it.readyAt <= now && !busy.has(key)).toSorted(([, a], [, b]) =>
          (a.readyAt - a.priority * ageing) - (b.readyAt - b.priority * ageing) || a.order - b.order
        )
        const taken = keys.take(now)
        assert.deepStrictEqual(
          taken,
          first === undefined
            ? undefined
            : { key: first[0], priority: first[1].priority, waited: now - first[1].readyAt }
        )
        if (taken !== undefined) {
          model.delete(taken.key)
          busy.add(taken.key)
        }
      }
      const later = [...model.values()].filter((it) => it.readyAt > now).map((it) => it.readyAt)
      assert.strictEqual(
        keys.readyAt(now),
        [...model].filter(([key, it]) => it.readyAt <= now && !busy.has(key)).length
      )
      assert.strictEqual(keys.nextAt, later.length === 0 ? undefined : Math.min(...later))
      assert.deepStrictEqual([keys.delayed, keys.busy], [later.length, busy.size])
    }
  }, { arbitrary: { runs: 500 } })

  it("can be asked whether they are worked on, and when they are next", () => {
    const keys = new Keys<string>()
    assert.deepStrictEqual(keys.outlookOf("a"), { busy: false, nextAt: undefined })
    keys.add("a", 50, 0, 0)
    assert.deepStrictEqual(keys.outlookOf("a"), { busy: false, nextAt: 50 })
    keys.take(50)
    assert.deepStrictEqual(keys.outlookOf("a"), { busy: true, nextAt: undefined })
    keys.add("a", 90, 0, 50)
    assert.deepStrictEqual(keys.outlookOf("a"), { busy: true, nextAt: 90 })
  })
})
