// PageSource: who is asked for what the status page shows, by the HTTP server, which is there before the controller is. Edge: one look
// at a time and one in a second, which all who ask get: many viewers cost what one does.
import { Context, Duration, Effect, Layer, Semaphore } from "effect"
import { uptime } from "../../telemetry/Uptime.ts"
import { type CopiesAndRegistries, make } from "./GatherPage.ts"
import type { PageView } from "./PageView.ts"

type Look = Effect.Effect<PageView | undefined>

/** How old what is shown may be, in milliseconds of uptime. */
const fresh = Duration.toMillis(Duration.seconds(1))

export class PageSource extends Context.Service<PageSource, {
  /** Undefined while there is no controller to ask. */
  readonly look: Look
  readonly answerBy: (look: Look) => Effect.Effect<void>
}>()("image-cloner/web/PageSource") {
  static readonly layer: Layer.Layer<PageSource> = Layer.effect(
    PageSource,
    Effect.gen(function*() {
      let by: Look = Effect.undefined
      let last: { readonly at: number; readonly view: PageView | undefined } | undefined
      const turn = yield* Semaphore.make(1)
      const look = Effect.gen(function*() {
        const now = yield* uptime
        if (last !== undefined && now - last.at < fresh) return last.view
        const view = yield* by
        last = view && { at: now, view }
        return view
      })
      return PageSource.of({
        look: turn.withPermits(1)(look),
        answerBy: (it) =>
          Effect.sync(() => {
            by = it
            last = undefined
          })
      })
    })
  )
}

/** Has the controller answer. */
export const tellPage = (outside: CopiesAndRegistries) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const { answerBy } = yield* PageSource
    yield* answerBy(yield* make(outside))
    // what it would read is closed by then
    yield* Effect.addFinalizer(() => answerBy(Effect.undefined))
  }))
