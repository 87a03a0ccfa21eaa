import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { nextLimit, type Seen } from "../../src/queue/AdaptiveLimit.ts"

const seen = (given: Partial<Seen> = {}): Seen => ({ busy: 0.3, running: 5, waiting: true, most: 10, ...given })

describe("how much is done at once beside something that must not wait", () => {
  it.effect("grows one by one while there is room, up to what is allowed", () =>
    Effect.sync(() => {
      assert.strictEqual(nextLimit(1, seen()), 2)
      assert.strictEqual(nextLimit(9, seen()), 10)
      assert.strictEqual(nextLimit(10, seen()), 10)
    }))

  it.effect("is half of what is done where the thread is full, and one at least", () =>
    Effect.sync(() => {
      assert.strictEqual(nextLimit(8, seen({ busy: 0.9, running: 8 })), 4)
      // what was allowed and not done is no reason for more
      assert.strictEqual(nextLimit(8, seen({ busy: 0.9, running: 4 })), 2)
      assert.strictEqual(nextLimit(1, seen({ busy: 1, running: 0 })), 1)
    }))

  it.effect("stays between full and roomy, instead of swinging", () =>
    Effect.sync(() => assert.strictEqual(nextLimit(4, seen({ busy: 0.75 })), 4)))

  it.effect("is no more than what is used where nothing waits, so that what comes next begins slowly", () =>
    Effect.sync(() => {
      assert.strictEqual(nextLimit(10, seen({ waiting: false, running: 3 })), 3)
      assert.strictEqual(nextLimit(10, seen({ waiting: false, running: 0 })), 1)
    }))

  it.effect.prop(
    "is one at least, and never more than is allowed, and never two more than before",
    {
      limit: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })),
      busy: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })),
      running: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })),
      waiting: Schema.Boolean,
      most: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))
    },
    ({ limit, ...it }) =>
      Effect.sync(() => {
        const next = nextLimit(limit, it)
        assert.isTrue(next >= 1 && next <= Math.max(it.most, limit) && next <= limit + 1)
        // when all is quiet, it is where it was allowed to be in the end
        let settled = next
        for (let ticks = 0; ticks < 1000; ticks++) settled = nextLimit(settled, { ...it, busy: 0, waiting: true })
        assert.strictEqual(settled, it.most)
      })
  )
})
