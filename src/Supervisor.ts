// Supervisor: where long-running fibers live. The first that ends, whatever the way, ends the program: a dead worker in a
// living process is the worst state, because nothing restarts it and nobody sees it.
import { Context, Effect, FiberSet, Layer } from "effect"

export class Supervisor extends Context.Service<Supervisor, {
  /** Starts a fiber that is meant to run for ever. */
  readonly run: <E, R>(name: string, effect: Effect.Effect<never, E, R>) => Effect.Effect<void, never, R>
  /** Fails as the first fiber does; never succeeds. */
  readonly join: Effect.Effect<never, unknown>
}>()("image-cloner/Supervisor") {
  static readonly layer = Layer.effect(
    Supervisor,
    Effect.gen(function*() {
      const fibers = yield* FiberSet.make<never, unknown>()
      return Supervisor.of({
        run: (name, effect) => FiberSet.run(fibers, Effect.annotateLogs(effect, { fiber: name })).pipe(Effect.asVoid),
        join: FiberSet.join(fibers).pipe(Effect.andThen(Effect.never))
      })
    })
  )
}
