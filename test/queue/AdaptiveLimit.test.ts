import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { nextLimit, type Seen } from "../../src/queue/AdaptiveLimit.ts"

const seen = (given: Partial<Seen> = {}): Seen => ({ busy: 0.3, running: 5, waiting: true, most: 10, ...given })

describe("how much is done at once beside something that must not wait", () => {
  it.effect("grows one by one while there is room, up to what is allowed", () =>
    Effect.sync(() => {
      assert.strictEqual(nextLimit(2, seen()), 3)
      assert.strictEqual(nextLimit(9, seen()), 10)
      assert.strictEqual(nextLimit(10, seen()), 10)
    }))

  it.effect("is half of what is done where the thread is full, and leaves room for another than one that stalls", () =>
    Effect.sync(() => {
      assert.strictEqual(nextLimit(8, seen({ busy: 0.9, running: 8 })), 4)
      // what was allowed and not done is no reason for more
      assert.strictEqual(nextLimit(8, seen({ busy: 0.9, running: 6 })), 3)
      assert.strictEqual(nextLimit(2, seen({ busy: 1, running: 1 })), 2)
      assert.strictEqual(nextLimit(2, seen({ busy: 1, running: 1, most: 1 })), 1)
    }))

  it.effect("stays between full and roomy, instead of swinging", () =>
    Effect.sync(() => assert.strictEqual(nextLimit(4, seen({ busy: 0.75 })), 4)))

  it.effect("is no more than what is used where nothing waits, so that what comes next begins slowly", () =>
    Effect.sync(() => {
      assert.strictEqual(nextLimit(10, seen({ waiting: false, running: 3 })), 3)
      assert.strictEqual(nextLimit(10, seen({ waiting: false, running: 0 })), 2)
    }))

  it.effect.prop(
    "is two at least where as many are allowed, and never more than that, and never two more than before",
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
        assert.isTrue(next >= Math.min(2, it.most) && next <= it.most && next <= Math.max(2, limit + 1))
        // when all is quiet, it is where it was allowed to be in the end
        let settled = next
        for (let ticks = 0; ticks < 1000; ticks++) settled = nextLimit(settled, { ...it, busy: 0, waiting: true })
        assert.strictEqual(settled, it.most)
      })
  )
})
