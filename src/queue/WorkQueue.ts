// A queue of keys: each key is an actor that never runs twice at once and misses nothing. Carries the loop over workloads and the loop
// over images. The rules are in Keys and Failures; here are time, fibers and metrics.
import { Cause, Clock, Duration, Effect, Exit, FiberSet, Metric, Random, Result, type Scope } from "effect"
import { uptime, uptimeUnsafe } from "../telemetry/Uptime.ts"
import { type Backoff, standard, waitOf } from "./Backoff.ts"
import { Failures } from "./Failures.ts"
import { Keys, type Outlook, type Taken } from "./Keys.ts"
import { countersOf, type QueueFigures, showFigures } from "./QueueFigures.ts"
import { Wakes } from "./Wakes.ts"

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
  /** The same of many, at the price of one. */
  readonly offerAll: (keys: Iterable<K>, options?: Options) => Effect.Effect<void>
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
  /** Whether the key is worked on now, and when it is next, in uptime: only to be told to people. */
  readonly outlookOf: (key: K) => Effect.Effect<Outlook>
  /** Keys ready to be worked on. */
  readonly depth: Effect.Effect<number>
  /**
   * Hands every key to `work`, at most `concurrency` at once, for ever. Work that succeeds is forgotten, unless it has called
   * `offerFailed` itself, or was woken before the back-off of its last failure was over; work that fails, by an error or a defect, is logged and offered again after its back-off. Interrupting
   * this interrupts the work and leaves its keys in the queue.
   * @param glance is asked first: true, it has done all that there was to do, and the key needs no fiber
   */
  readonly run: <E, R>(
    concurrency: number | "unbounded",
    work: (key: K) => Effect.Effect<void, E, R>,
    glance?: (key: K) => boolean
  ) => Effect.Effect<never, never, R>
}

/** How long glances go on before others have their turn, in milliseconds. */
const glanceSlice = 8

/** Whoever works on the keys of a queue. */
interface Worker<K> {
  /** Keys at once. */
  readonly most: number
  readonly glance: ((key: K) => boolean) | undefined
  /** Taken, and not done yet. */
  readonly taken: Set<K>
  stopping: boolean
}

class Queue<K extends string> {
  readonly #keys = new Keys<K>()
  readonly #failures = new Failures<K>()
  readonly #wakes = new Wakes()
  readonly #name: string
  readonly #backoff: Backoff
  readonly #metric: ReturnType<typeof countersOf>
  #closed = false
  constructor(name: string, backoff: Backoff) {
    this.#name = name
    this.#backoff = backoff
    this.#metric = countersOf(name)
  }

  /** Takes no more keys. */
  close(): void {
    this.#closed = true
  }

  /** What stands in it at this moment. */
  get figures(): QueueFigures {
    const { busy, delayed, ready } = this.#keys
    return { busy, delayed, ready }
  }

  readonly add = (key: K, delay: number, priority: number | undefined): Effect.Effect<void> =>
    this.addAll([key], delay, priority)

  readonly addAll = (keys: Iterable<K>, delay: number, priority: number | undefined): Effect.Effect<void> =>
    Effect.flatMap(uptime, (now) => {
      if (this.#closed) return Effect.void
      let ready = 0
      for (const key of keys) {
        const level = priority ?? this.#keys.priorityOf(key) ?? Priority.live
        if (this.#keys.add(key, now + Math.ceil(delay), level, now)) ready++
      }
      this.#wakes.wake()
      return ready > 0 ? Metric.update(this.#metric.adds, ready) : Effect.void
    })

  readonly offerFailed: WorkQueue<K>["offerFailed"] = Effect.fnUntraced({ self: this }, function*(key, given) {
    const wait = waitOf(this.#backoff, this.#failures.timesOf(key), yield* Random.next)
    const delay = Math.ceil(Math.max(wait, Duration.toMillis(given?.atLeast ?? 0)))
    this.#failures.note(key, (yield* uptime) + delay)
    yield* Metric.update(this.#metric.retries, 1)
    yield* this.add(key, delay, given?.priority)
    return Duration.millis(delay)
  })

  forget(key: K): void {
    this.#failures.forget(key)
  }

  outlookOf(key: K): Outlook {
    return this.#keys.outlookOf(key)
  }

  get depth(): Effect.Effect<number> {
    return Effect.map(uptime, (now) => this.#keys.readyAt(now))
  }

  #logError(text: string, why: unknown, key: K): Effect.Effect<void> {
    return Effect.annotateLogs(Effect.logError(text, why), { queue: this.#name, key })
  }

  /** What follows from how the work on a key has ended. */
  readonly #settle = Effect.fnUntraced(
    { self: this },
    function*(key: K, exit: Exit.Exit<void, unknown>, stopping: boolean) {
      const said = this.#failures.takeSaid(key)
      if (Exit.isSuccess(exit)) {
        if (!said && !this.#failures.isResting(key, yield* uptime)) this.#failures.forget(key)
        return
      }
      if (stopping) return yield* this.add(key, 0, undefined)
      const wait = yield* this.offerFailed(key)
      this.#failures.takeSaid(key)
      if (Cause.hasInterruptsOnly(exit.cause)) return
      yield* this.#logError(`work failed, trying again in ${Duration.format(wait)}`, exit.cause, key)
    }
  )

  /** Until something may have changed since `seen` wakes, or a delayed key becomes ready. */
  readonly #sleep = Effect.fnUntraced({ self: this }, function*(seen: number, full: boolean) {
    const now = yield* uptime
    const next = full ? undefined : this.#keys.nextAt
    const woken = this.#wakes.after(seen)
    if (next === undefined) return yield* woken
    return yield* Effect.timeoutOrElse(woken, { duration: Math.max(0, next - now), orElse: () => Effect.void })
  })

  readonly #giveBack = (key: K) =>
    Effect.flatMap(uptime, (now) => {
      const priority = this.#keys.priorityOf(key)
      this.#keys.done(key, now)
      return this.add(key, 0, priority)
    })

  /** Works on one key to its end, whatever happens; the work itself may be interrupted. */
  readonly #one = Effect.fnUntraced(
    { self: this },
    function*(key: K, work: Effect.Effect<Exit.Exit<void, unknown>>, by: Worker<K>) {
      const started = yield* uptime
      const exit = yield* work
      const now = yield* uptime
      yield* Metric.update(this.#metric.work, (now - started) / 1000)
      yield* this.#settle(key, exit, by.stopping)
      this.#keys.done(key, now)
      by.taken.delete(key)
      this.#wakes.wake()
    }
  )

  /**
   * The next key that is ready and needs work, taken by the worker in the same step, or an interruption could lose it. Those of which a
   * glance is enough are done on the way, a slice of time at once; where it fails the work is done all the same.
   */
  readonly #next = (by: Worker<K>): Effect.Effect<Taken<K> | undefined> =>
    Effect.flatMap(Clock.Clock, (clock) => {
      const { glance, taken } = by
      const began = uptimeUnsafe(clock)
      for (let now = began; now - began < glanceSlice; now = uptimeUnsafe(clock)) {
        const next = this.#keys.take(now)
        if (next === undefined) return Effect.undefined
        const glanced = glance === undefined ? undefined : Result.try(() => glance(next.key))
        if (glanced === undefined || Result.isFailure(glanced) || !glanced.success) {
          taken.add(next.key)
          return glanced === undefined || Result.isSuccess(glanced)
            ? Effect.succeed(next)
            : Effect.as(this.#logError("a glance failed, it is worked on instead", glanced.failure, next.key), next)
        }
        this.#failures.forget(next.key)
        this.#keys.done(next.key, now)
      }
      return Effect.andThen(Effect.yieldNow, this.#next(by))
    })

  /** The next key that needs work, once there is one and the worker is free for it. */
  readonly #take = Effect.fnUntraced({ self: this }, function*(by: Worker<K>) {
    const isFull = () => by.taken.size >= by.most
    while (true) {
      const { seen } = this.#wakes
      const next = isFull() ? undefined : yield* this.#next(by)
      if (next !== undefined) {
        yield* Metric.update(this.#metric.wait, next.waited / 1000)
        return next.key
      }
      yield* this.#sleep(seen, isFull())
    }
  })

  readonly run = <E, R>(
    concurrency: number | "unbounded",
    work: (key: K) => Effect.Effect<void, E, R>,
    glance?: (key: K) => boolean
  ): Effect.Effect<never, never, R> =>
    Effect.scoped(Effect.gen({ self: this }, function*() {
      const context = yield* Effect.context<R>()
      const most = concurrency === "unbounded" ? Number.POSITIVE_INFINITY : concurrency
      const by: Worker<K> = { most, glance, taken: new Set(), stopping: false }
      // the last thing of all: what was interrupted before it began
      yield* Effect.addFinalizer(() => Effect.forEach(by.taken, this.#giveBack, { discard: true }))
      const fibers = yield* FiberSet.make<void>()
      yield* Effect.addFinalizer(() => Effect.sync(() => void (by.stopping = true)))
      const one = (key: K) =>
        Effect.uninterruptibleMask((restore) =>
          this.#one(key, Effect.exit(restore(Effect.provideContext(Effect.suspend(() => work(key)), context))), by)
        )
      while (true) yield* FiberSet.run(fibers, one(yield* this.#take(by)))
    }))
}

/** A new queue; `name` is the label of its metrics. */
export const make = Effect.fnUntraced(function*<K extends string>(options: {
  readonly name: string
  readonly backoff?: Backoff | undefined
}): Effect.fn.Return<WorkQueue<K>, never, Scope.Scope> {
  const queue = new Queue<K>(options.name, options.backoff ?? standard)
  yield* showFigures(options.name, () => queue.figures)
  yield* Effect.addFinalizer(() => Effect.sync(() => queue.close()))
  return {
    offer: (key, given) => queue.add(key, 0, given?.priority),
    offerAll: (keys, given) => queue.addAll(keys, 0, given?.priority),
    offerAfter: (key, delay, given) => queue.add(key, Duration.toMillis(delay), given?.priority),
    offerFailed: queue.offerFailed,
    forget: (key) => Effect.sync(() => queue.forget(key)),
    outlookOf: (key) => Effect.sync(() => queue.outlookOf(key)),
    depth: queue.depth,
    run: queue.run
  }
})
