import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Phases, turnAfter } from "../../src/queue/Phases.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const Many = between(1, 5000)
const Slices = between(1, 300)
const Thousandth = between(0, 999)
const Minutes = between(1, 600)

const phasesOf = (count: number, start: number) => {
  const phases = new Phases(start)
  return Array.from({ length: count }, () => phases.next())
}

describe("turns that come once an interval", () => {
  it.effect.prop(
    "are spread: no slice of the interval has more than its share of them, and a handful",
    [Many, Slices, Thousandth],
    ([count, slices, start]) =>
      Effect.sync(() => {
        const counts = new Map<number, number>()
        for (const phase of phasesOf(count, start / 1000)) {
          const slice = Math.floor(phase * slices)
          counts.set(slice, (counts.get(slice) ?? 0) + 1)
        }
        for (const found of counts.values()) assert.isAtMost(found, Math.ceil(count / slices) + 4)
      }),
    { arbitrary: { runs: 200 } }
  )

  it.effect.prop(
    "are spread likewise for some of them, as where every second image is gone, or of another registry",
    [Many, between(2, 7), Thousandth],
    ([count, every, start]) =>
      Effect.sync(() => {
        const some = phasesOf(count, start / 1000).filter((_, at) => at % every === 0)
        const counts = new Map<number, number>()
        for (const phase of some) counts.set(Math.floor(phase * 10), (counts.get(Math.floor(phase * 10)) ?? 0) + 1)
        for (const found of counts.values()) assert.isAtMost(found, Math.ceil(some.length / 10) + 6)
      }),
    { arbitrary: { runs: 200 } }
  )

  it.effect.prop(
    "come after now, within an interval, and then once an interval",
    [Thousandth, Minutes, between(0, 1_000_000_000)],
    ([part, minutes, now]) =>
      Effect.sync(() => {
        const interval = minutes * 60_000
        const turn = turnAfter(part / 1000, interval, now)
        assert.isTrue(turn > now && turn <= now + interval, `${turn - now} of ${interval}`)
        assert.strictEqual(turnAfter(part / 1000, interval, turn), turn + interval)
      }),
    { arbitrary: { runs: 500 } }
  )
})
