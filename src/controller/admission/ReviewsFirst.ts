// ReviewsFirst: copies give way to reviews. Both have one thread, a pod that is made waits for its review, and no copy is in such a
// hurry: while reviews come, fewer images are copied at once where the thread is full. Edge: who is copied next is Cloner's.
import { Effect, Latch, SubscriptionRef } from "effect"
import { Cloner } from "../../clone/Cloner.ts"
import { least, nextLimit } from "../../queue/AdaptiveLimit.ts"
import { SettingsRef } from "../../settings/SettingsRef.ts"
import { MeasureThreadUse } from "../../telemetry/ThreadUse.ts"
import { uptime } from "../../telemetry/Uptime.ts"

/** How often it is looked at how busy the thread is, in milliseconds. */
const interval = 100
/** How long after a review others are expected, in milliseconds of uptime. */
const expecting = 10_000

/** `reviewed` is to be told of each review; `giveWay` never ends. */
export const make = Effect.gen(function*() {
  const cloner = yield* Cloner
  const settings = yield* SettingsRef
  const measure = yield* MeasureThreadUse
  const reviews = yield* Latch.make(false)
  let last = 0

  const reviewed = Effect.flatMap(uptime, (now) =>
    Effect.suspend(() => {
      last = now
      return reviews.open
    }))

  const whileExpecting = Effect.gen(function*() {
    const busy = measure()
    // what begins with a review begins with few
    let limit = least
    while ((yield* uptime) - last < expecting) {
      yield* cloner.atMost(limit)
      yield* Effect.sleep(interval)
      limit = nextLimit(limit, {
        busy: busy(),
        running: (yield* cloner.inFlight).length,
        waiting: (yield* cloner.waiting) > 0,
        most: SubscriptionRef.getUnsafe(settings).MAX_CONCURRENT_RECONCILES
      })
    }
    yield* cloner.atMost(undefined)
    yield* reviews.close
  })

  return { reviewed, giveWay: Effect.forever(Effect.andThen(reviews.await, whileExpecting)) }
})
