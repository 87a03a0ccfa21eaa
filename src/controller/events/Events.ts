// Events: where whoever has done or decided something says so, for the object's Events. Saying costs nothing and waits for nothing: what
// is too much for a namespace is left out here, and what the API server takes too slowly is dropped. Edge: WriteEvents writes them.
import { Clock, Context, Effect, Layer, Metric, Queue } from "effect"
import { eventsWritten } from "../../telemetry/Metrics.ts"
import { uptime } from "../../telemetry/Uptime.ts"
import { EventLimits } from "./EventLimits.ts"
import { eventName } from "./EventObject.ts"
import type { ToldEvent } from "./EventOf.ts"

/** How many wait to be written (client-go tools/events: 1000). */
export const mostWaiting = 1000

export interface WaitingEvent {
  readonly event: ToldEvent
  /** What the Event is called; of a series what it is called already. */
  readonly name: string
  /** How many there were in all. */
  readonly count: number
  /** When it happened: milliseconds since the epoch. */
  readonly now: number
}

export interface TellsEvents {
  /** Never waits, never fails. */
  readonly tell: (event: ToldEvent) => Effect.Effect<void>
  /** The next to be written. */
  readonly take: Effect.Effect<WaitingEvent>
  /** It was not written: the next of its series is a new one. */
  readonly forget: (event: ToldEvent) => Effect.Effect<void>
}

/** Without a layer nothing is told to anybody: commands and most tests. */
export const Events = Context.Reference<TellsEvents>(
  "image-cloner/controller/Events",
  { defaultValue: () => ({ tell: () => Effect.void, take: Effect.never, forget: () => Effect.void }) }
)

const keyOf = ({ cause, reason, regarding: { kind, name, namespace, uid = "" } }: ToldEvent): string =>
  [kind, namespace, name, uid, reason, cause].join("/")

const count = (result: "limited" | "dropped") => Metric.update(eventsWritten({ result }), 1)

export const layer: Layer.Layer<never> = Layer.effect(
  Events,
  Effect.gen(function*() {
    const waiting = yield* Queue.dropping<WaitingEvent>(mostWaiting)
    const limits = new EventLimits()

    const tell = Effect.fnUntraced(function*(event: ToldEvent): Effect.fn.Return<void> {
      const nanos = yield* Clock.currentTimeNanos
      const key = keyOf(event)
      const name = eventName(event.regarding, nanos)
      const needsSomebody = event.type === "Warning"
      const write = limits.admit(key, event.regarding.namespace, name, yield* uptime, needsSomebody)
      if (write._tag === "Counted") return
      if (write._tag === "Limited") return yield* count("limited")
      const now = yield* Clock.currentTimeMillis
      const of = write._tag === "Series" ? { name: write.name, count: write.count } : { name, count: 1 }
      if (yield* Queue.offer(waiting, { event, now, ...of })) return
      limits.forget(key)
      yield* count("dropped")
    })
    return {
      tell,
      take: Queue.take(waiting),
      forget: (event) => Effect.sync(() => limits.forget(keyOf(event)))
    }
  })
)
