// A queue of keys: each key is an actor that never runs twice at once and misses nothing. Carries the loop over workloads and the loop
// over images. The rules are in Keys; here are time, fibers, failures and metrics.
import { Cause, Duration, Effect, Exit, FiberSet, Metric, Random, type Scope } from "effect"
import { uptime } from "../telemetry/Uptime.ts"
import {
  queueAdds,
  queueBusy,
  queueDelayed,
  queueDepth,
  queueRetries,
  queueWaitSeconds,
  queueWorkSeconds,
  touchQueue
} from "../telemetry/Metrics.ts"
import { type Backoff, standard, waitOf } from "./Backoff.ts"
import { Keys } from "./Keys.ts"

/** Higher is first; a point weighs as much as a second of waiting. */
export const Priority = {
  /** Somebody is waiting for it. */
  urgent: 100,
  /** A change that has just been seen. */
  live: 0,
  /** What was there when we started, and what is looked at again to be sure. */
  initial: -100
} as const

interface Options {
  /** `live` if not given; for a key that is being worked on, what it was taken with. */
  readonly priority?: number | undefined
}

export interface WorkQueue<K extends string> {
  /** Work on the key soon; once, however often this is said before the work begins. */
  readonly offer: (key: K, options?: Options) => Effect.Effect<void>
  /** Work on the key after a while, or earlier if that was or will be said. */
  readonly offerAfter: (key: K, delay: Duration.Input, options?: Options) => Effect.Effect<void>
  /**
   * Work on the key again after its back-off, which grows with every call until `forget`; not before `atLeast` is over, if that is
   * longer. Tells how long that is.
   */
  readonly offerFailed: (
    key: K,
    options?: Options & { readonly atLeast?: Duration.Input | undefined }
  ) => Effect.Effect<Duration.Duration>
  /** The next failure of the key is its first. */
  readonly forget: (key: K) => Effect.Effect<void>
  /** Keys ready to be worked on. */
  readonly depth: Effect.Effect<number>
  /**
   * Hands every key to `work`, at most `concurrency` at once, for ever. Work that succeeds is forgotten, unless it has called
   * `offerFailed` itself, or was woken before the back-off of its last failure was over; work that fails, by an error or a defect, is logged and offered again after its back-off. Interrupting
   * this interrupts the work and leaves its keys in the queue.
   */
  readonly run: <E, R>(
    concurrency: number | "unbounded",
    work: (key: K) => Effect.Effect<void, E, R>
  ) => Effect.Effect<never, never, R>
}

/** A new queue; `name` is the label of its metrics. */
export const make = Effect.fnUntraced(function*<K extends string>(options: {
  readonly name: string
  readonly backoff?: Backoff | undefined
}): Effect.fn.Return<WorkQueue<K>, never, Scope.Scope> {
  const keys = new Keys<K>()
  const backoff = options.backoff ?? standard
  const failures = new Map<K, { readonly times: number; readonly until: number }>()
  const failed = new Set<K>() // keys whose work has said by itself that it failed
  const waiters = new Set<() => void>()
  let closed = false
  const label = { queue: options.name }
  const metric = {
    depth: queueDepth(label),
    delayed: queueDelayed(label),
    busy: queueBusy(label),
    adds: queueAdds(label),
    retries: queueRetries(label),
    wait: queueWaitSeconds(label),
    work: queueWorkSeconds(label)
  }
  yield* touchQueue(options.name)
  yield* Effect.addFinalizer(() => Effect.sync(() => void (closed = true)))

  let wakes = 0
  const wake = () => {
    wakes++
    const all = [...waiters]
    waiters.clear()
    for (const waiter of all) waiter()
  }

  const report = Effect.suspend(() =>
    Effect.andThen(
      Metric.update(metric.depth, keys.ready),
      Effect.andThen(Metric.update(metric.delayed, keys.delayed), Metric.update(metric.busy, keys.busy))
    )
  )

  const add = (key: K, delay: number, priority: number | undefined) =>
    Effect.flatMap(uptime, (now) => {
      if (closed) return Effect.void
      const level = priority ?? keys.priorityOf(key) ?? Priority.live
      const ready = keys.add(key, now + Math.ceil(delay), level, now)
      wake()
      return ready ? Effect.andThen(Metric.update(metric.adds, 1), report) : report
    })

  const offerFailed: WorkQueue<K>["offerFailed"] = Effect.fnUntraced(function*(key, given) {
    const before = failures.get(key)?.times ?? 0
    failed.add(key)
    const wait = waitOf(backoff, before, yield* Random.next)
    const delay = Math.ceil(Math.max(wait, Duration.toMillis(given?.atLeast ?? 0)))
    failures.set(key, { times: before + 1, until: (yield* uptime) + delay })
    yield* Metric.update(metric.retries, 1)
    yield* add(key, delay, given?.priority)
    return Duration.millis(delay)
  })

  const forget = (key: K) => Effect.sync(() => void failures.delete(key))

  /** What follows from how the work on a key has ended. */
  const settle = Effect.fnUntraced(function*(key: K, exit: Exit.Exit<void, unknown>, stopping: boolean) {
    const said = failed.delete(key)
    if (Exit.isSuccess(exit)) {
      // what was woken early may have done nothing but see that it is too early
      const early = (failures.get(key)?.until ?? 0) > (yield* uptime)
      if (!said && !early) failures.delete(key)
    } else if (stopping) {
      yield* add(key, 0, undefined)
    } else {
      const wait = yield* offerFailed(key)
      failed.delete(key)
      if (!Cause.hasInterruptsOnly(exit.cause)) {
        yield* Effect.logError(`work failed, trying again in ${Duration.format(wait)}`, exit.cause).pipe(
          Effect.annotateLogs({ queue: options.name, key })
        )
      }
    }
  })

  /** Until something may have changed since `seen` wakes, or a delayed key becomes ready. */
  const sleep = Effect.fnUntraced(function*(seen: number, full: boolean) {
    const now = yield* uptime
    const next = full ? undefined : keys.nextAt
    const woken = Effect.callback<void>((resume) => {
      if (wakes !== seen) return resume(Effect.void)
      const waiter = () => resume(Effect.void)
      waiters.add(waiter)
      return Effect.sync(() => waiters.delete(waiter))
    })
    if (next === undefined) return yield* woken
    return yield* Effect.timeoutOrElse(woken, { duration: Math.max(0, next - now), orElse: () => Effect.void })
  })

  const giveBack = (key: K) =>
    Effect.flatMap(uptime, (now) => {
      const priority = keys.priorityOf(key)
      keys.done(key, now)
      return add(key, 0, priority)
    })

  const run: WorkQueue<K>["run"] = (concurrency, work) => {
    const most = concurrency === "unbounded" ? Number.POSITIVE_INFINITY : concurrency
    return Effect.scoped(Effect.gen(function*() {
      // taken by us, and not done yet
      const mine = new Set<K>()
      let stopping = false
      // the last thing of all: what was interrupted before it began
      yield* Effect.addFinalizer(() => Effect.forEach(mine, giveBack, { discard: true }))
      const fibers = yield* FiberSet.make<void>()
      yield* Effect.addFinalizer(() => Effect.sync(() => void (stopping = true)))
      const one = (key: K) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.gen(function*() {
            const started = yield* uptime
            const exit = yield* Effect.exit(restore(Effect.suspend(() => work(key))))
            const now = yield* uptime
            yield* Metric.update(metric.work, (now - started) / 1000)
            yield* settle(key, exit, stopping)
            keys.done(key, now)
            mine.delete(key)
            wake()
            yield* report
          })
        )
      while (true) {
        const now = yield* uptime
        const seen = wakes
        const next = mine.size < most ? keys.take(now) : undefined
        if (next === undefined) {
          yield* sleep(seen, mine.size >= most)
          continue
        }
        mine.add(next.key)
        yield* Metric.update(metric.wait, next.waited / 1000)
        yield* report
        yield* FiberSet.run(fibers, one(next.key))
      }
    }))
  }

  return {
    offer: (key, given) => add(key, 0, given?.priority),
    offerAfter: (key, delay, given) => add(key, Duration.toMillis(delay), given?.priority),
    offerFailed,
    forget,
    depth: Effect.map(uptime, (now) => keys.readyAt(now)),
    run
  }
})
