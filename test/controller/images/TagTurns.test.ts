import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { often, TagTurns } from "../../../src/controller/images/TagTurns.ts"

const minute = 60_000
const hours6 = 360 * minute

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** Everything that is asked until `end`, by minute, where `answers` says from when on a source answers. */
const played = (count: number, end: number, answers: (at: number) => boolean) => {
  const turns = new TagTurns(0.3)
  const sources = Array.from({ length: count }, (_, at) => `a.io/${at}:1`)
  const asked = new Map<number, number>()
  const answered = new Map<string, number>()
  for (const source of sources) {
    for (let at = turns.of(source, hours6, 0); at <= end;) {
      asked.set(Math.floor(at / minute), (asked.get(Math.floor(at / minute)) ?? 0) + 1)
      if (answers(at) && !answered.has(source)) answered.set(source, at)
      at = answers(at) ? turns.compared(source, hours6, at) : turns.putOff(source, hours6, at, 0)
    }
  }
  return { asked, answered }
}

describe("the turns of tags", () => {
  it.effect.prop(
    "come to each once an interval, and to no more than their share in any minute",
    [between(1, 5000)],
    ([count]) =>
      Effect.sync(() => {
        const { answered, asked } = played(count, hours6, () => true)
        assert.strictEqual(answered.size, count)
        for (const found of asked.values()) assert.isAtMost(found, Math.ceil(count / 360) + 4)
      }),
    { arbitrary: { runs: 20 } }
  )

  it.effect.prop(
    "of a source that was down for a whole interval come within an eighth of it, and not at once",
    [between(1, 3000)],
    ([count]) =>
      Effect.sync(() => {
        const { answered, asked } = played(count, 2 * hours6, (at) => at > hours6)
        assert.strictEqual(answered.size, count)
        for (const at of answered.values()) assert.isAtMost(at, hours6 + hours6 / 8)
        for (const [at, found] of asked) {
          assert.isAtMost(
            found,
            Math.ceil(count / (at < 360 + 45 ? 45 : 360)) + Math.ceil(count / 360) + 8,
            `minute ${at}`
          )
        }
      }),
    { arbitrary: { runs: 20 } }
  )

  it("are reckoned anew, and spread, when the interval changes", () => {
    const turns = new TagTurns(0)
    const sources = Array.from({ length: 300 }, (_, at) => `a.io/${at}:1`)
    for (const source of sources) turns.compared(source, hours6, 0)
    const now = 5 * 60 * minute
    const perMinute = new Map<number, number>()
    for (const source of sources) {
      const at = turns.of(source, 30 * minute, now)
      assert.isTrue(at > now && at <= now + 30 * minute)
      perMinute.set(Math.floor(at / minute), (perMinute.get(Math.floor(at / minute)) ?? 0) + 1)
    }
    assert.isAtMost(Math.max(...perMinute.values()), 14)
  })

  it("are hastened by who asks, once in ten seconds at most", () => {
    const turns = new TagTurns(0.5)
    turns.compared("a", hours6, minute)
    turns.hasten("a", minute + 1000)
    assert.strictEqual(turns.of("a", hours6, minute + 1000), minute + 10_000)
    turns.compared("a", hours6, 3 * minute)
    turns.hasten("a", 9 * minute)
    assert.strictEqual(turns.of("a", hours6, 9 * minute), 9 * minute)
  })

  it("do not come while a source is to rest, nor more often than is often enough without an answer", () => {
    const turns = new TagTurns(0.9)
    assert.isAbove(turns.putOff("a", hours6, 0, 50 * minute), 50 * minute)
    assert.isAtMost(turns.putOff("a", hours6, 0, 50 * minute), 50 * minute + hours6 / 8)
    assert.isAtMost(turns.putOff("b", 20 * minute, 0, 0), often)
    assert.isAtMost(turns.putOff("c", 2 * minute, 0, 0), 2 * minute)
  })

  it("end while it rests, and begin anew afterwards", () => {
    const turns = new TagTurns(0.9)
    const at = turns.of("a", hours6, 0)
    turns.rest("a")
    assert.isAbove(turns.of("a", hours6, at + hours6), at + hours6)
    turns.forget("a")
    turns.rest("a")
    assert.isAbove(turns.of("a", hours6, 5), 5)
  })
})
