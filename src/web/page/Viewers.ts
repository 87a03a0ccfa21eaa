// Viewers: who has the status page open, and what they are sent: the parts that have changed, every five seconds, rendered once for all
// of them and never for nobody. Edge: ten at most; whoever does not read what is sent is dropped, so that nothing piles up.
import { Context, Effect, Latch, Layer, Queue, Stream } from "effect"
import { partsOf } from "./PageHtml.ts"
import { PageSource } from "./PageSource.ts"

export const mostViewers = 10

/** Events that may wait for a viewer: fifteen seconds without reading. */
const mostWaiting = 3

interface Viewer {
  readonly events: Queue.Queue<Uint8Array>
  /** Closes the connection. */
  readonly drop: Effect.Effect<void>
  /** Whether it has been sent nothing yet. */
  fresh: boolean
}

const encoder = new TextEncoder()

/** One server-sent event (HTML standard, 9.2): JSON has no line breaks of its own. */
const eventOf = (parts: Iterable<readonly [string, string]>): Uint8Array =>
  encoder.encode(`data: ${JSON.stringify([...parts])}\n\n`)

/** Says that we are there, and nothing else. */
const comment = encoder.encode(": nothing is known yet\n\n")

/** Has the connection begin at once, and be tried again five seconds after it was lost. */
const greeting = encoder.encode("retry: 5000\n\n")

/** Memory of what was sent last, and what is to be sent of a newer look. */
const makeRender = () => {
  let before = new Map<string, string>()
  return (parts: ReturnType<typeof partsOf>) => {
    const now = new Map(parts.map(({ body, id }) => [id, body.text]))
    const changed = eventOf([...now].filter(([id, text]) => before.get(id) !== text))
    before = now
    return { all: eventOf(now), changed }
  }
}

export class Viewers extends Context.Service<Viewers, {
  /**
   * A viewer's events; it has left when the stream ends. Undefined: there are as many viewers as may be.
   * @param drop closes the connection of one that does not read, and every one when all ends
   */
  readonly join: (drop: Effect.Effect<void>) => Effect.Effect<Stream.Stream<Uint8Array> | undefined>
  /** Drops all, and takes no more. */
  readonly end: Effect.Effect<void>
}>()("image-cloner/web/Viewers") {
  static readonly layer = Layer.effect(
    Viewers,
    Effect.gen(function*() {
      const { look } = yield* PageSource
      const viewers = new Set<Viewer>()
      const somebody = Latch.makeUnsafe()
      const render = makeRender()
      let ended = false

      const leave = (viewer: Viewer) =>
        Effect.suspend(() => {
          viewers.delete(viewer)
          if (viewers.size === 0) somebody.closeUnsafe()
          return Queue.shutdown(viewer.events)
        })

      const drop = (viewer: Viewer) => Effect.andThen(leave(viewer), viewer.drop)

      const send = Effect.fnUntraced(function*(viewer: Viewer, event: Uint8Array) {
        if (!(yield* Queue.offer(viewer.events, event))) yield* drop(viewer)
      })

      const tick = Effect.gen(function*() {
        const view = yield* look
        const events = view === undefined ? { all: comment, changed: comment } : render(partsOf(view))
        for (const viewer of viewers) {
          yield* send(viewer, viewer.fresh ? events.all : events.changed)
          viewer.fresh = view === undefined && viewer.fresh
        }
      })

      yield* somebody.await.pipe(
        Effect.andThen(tick),
        // the page is for people only: nothing that goes wrong with it may end the program
        Effect.catchCause((cause) => Effect.logWarning("the status page could not be brought up to date", cause)),
        Effect.andThen(Effect.sleep("5 seconds")),
        Effect.forever,
        Effect.forkScoped
      )

      const end = Effect.suspend(() => {
        ended = true
        return Effect.forEach([...viewers], drop, { discard: true })
      })
      yield* Effect.addFinalizer(() => end)

      return Viewers.of({
        join: Effect.fnUntraced(function*(close) {
          if (ended || viewers.size >= mostViewers) return undefined
          const viewer: Viewer = { events: yield* Queue.dropping<Uint8Array>(mostWaiting), drop: close, fresh: true }
          yield* Queue.offer(viewer.events, greeting)
          viewers.add(viewer)
          somebody.openUnsafe()
          return Stream.ensuring(Stream.fromQueue(viewer.events), leave(viewer))
        }),
        end
      })
    })
  )
}
