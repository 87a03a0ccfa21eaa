// PageSource: who is asked for what the status page shows, by the HTTP server, which is there before the controller is. Edge: one look
// at a time, and who asks meanwhile gets the same: many viewers cost what one does.
import { Context, Effect, Layer, Semaphore } from "effect"
import { type CopiesAndRegistries, make } from "./GatherPage.ts"
import type { PageView } from "./PageView.ts"

type Look = Effect.Effect<PageView | undefined>

export class PageSource extends Context.Service<PageSource, {
  /** Undefined while there is no controller to ask. */
  readonly look: Look
  readonly answerBy: (look: Look) => Effect.Effect<void>
}>()("image-cloner/web/PageSource") {
  static readonly layer: Layer.Layer<PageSource> = Layer.effect(
    PageSource,
    Effect.gen(function*() {
      let by: Look = Effect.undefined
      const turn = yield* Semaphore.make(1)
      return PageSource.of({
        look: turn.withPermits(1)(Effect.suspend(() => by)),
        answerBy: (look) => Effect.sync(() => void (by = look))
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
