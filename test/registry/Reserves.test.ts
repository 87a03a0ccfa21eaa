import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { type Charge, makeReserves } from "../../src/registry/Reserves.ts"

const charge: Charge = { host: "a.io", identity: "anonymous", cost: "counted" }
const headers = (remaining: number, window: number) => ({
  "ratelimit-limit": `100;w=${window}`,
  "ratelimit-remaining": [`${remaining};w=${window}`]
})

/** Seconds for which something rests from now on. */
const rest = (it: ReturnType<typeof makeReserves>, of: Charge) =>
  Effect.map(Clock.monotonicTimeNanos, (now) => {
    const until = it.restOf(of)
    return until === 0n ? undefined : Number(until - now) / 1e9
  })

describe("a reserve", () => {
  it.effect("rests what counts for its window, a quarter of an hour at most, and says so once", () =>
    Effect.gen(function*() {
      const rested: Array<string> = []
      const it = makeReserves({ reserve: () => 0.2, onRest: (host) => Effect.sync(() => rested.push(host)) })
      assert.isUndefined(yield* rest(it, charge))
      for (const window of [60, 21_600]) {
        const of = { ...charge, host: `${window}.io` }
        yield* it.announced(of, headers(19, window))
        yield* it.announced(of, headers(18, window))
        assert.strictEqual(yield* rest(it, of), Math.min(window, 900))
        assert.isUndefined(yield* rest(it, { ...of, cost: "free" }))
        assert.isUndefined(yield* rest(it, { ...of, identity: "login" }))
        assert.strictEqual(it.budgetOf(of.host)?.remaining, 18)
        yield* it.announced(of, headers(20, window))
        assert.isUndefined(yield* rest(it, of))
      }
      assert.deepStrictEqual(rested, ["60.io", "21600.io"])
    }))
})
