// Supervisor: where long-running fibers live. The first that ends, whatever the way, ends the program: a dead worker in a
// living process is the worst state, because nothing restarts it and nobody sees it.
import { Context, Effect, FiberSet, Layer } from "effect"

const runIn =
  (fibers: FiberSet.FiberSet<never, unknown>) =>
  <E, R>(name: string, effect: Effect.Effect<never, E, R>): Effect.Effect<void, never, R> =>
    FiberSet.run(fibers, Effect.annotateLogs(effect, { fiber: name })).pipe(Effect.asVoid)

export class Supervisor extends Context.Service<Supervisor, {
  /** Starts a fiber that is meant to run for ever. */
  readonly run: <E, R>(name: string, effect: Effect.Effect<never, E, R>) => Effect.Effect<void, never, R>
  /** Starts one whose end takes a while, because it still answers: it is stopped after all others. */
  readonly runLast: <E, R>(name: string, effect: Effect.Effect<never, E, R>) => Effect.Effect<void, never, R>
  /** Dies as the first fiber ends; never succeeds. */
  readonly join: Effect.Effect<never>
  /**
   * Interrupts all fibers, and waits until they have ended: before anything that they use is closed.
   * @param meanwhile what is done once those of `run` have ended, and before those of `runLast` have
   */
  readonly stop: (meanwhile: Effect.Effect<void>) => Effect.Effect<void>
}>()("image-cloner/Supervisor") {
  static readonly layer = Layer.effect(
    Supervisor,
    Effect.gen(function*() {
      const last = yield* FiberSet.make<never, unknown>()
      const fibers = yield* FiberSet.make<never, unknown>()
      return Supervisor.of({
        run: runIn(fibers),
        runLast: runIn(last),
        stop: (meanwhile) =>
          FiberSet.clear(fibers).pipe(Effect.andThen(meanwhile), Effect.andThen(FiberSet.clear(last))),
        // whatever a fiber fails with, nobody can handle it any more: it is a defect of the program
        join: Effect.raceFirst(FiberSet.join(fibers), FiberSet.join(last)).pipe(
          Effect.orDie,
          Effect.andThen(Effect.never)
        )
      })
    })
  )
}

/** A layer with fibers that run for ever: the end of one is the end of the program. */
export const supervised = <A, E, R>(
  layer: (run: Supervisor["Service"]["run"]) => Layer.Layer<A, E, R>
): Layer.Layer<A, E, R> =>
  Layer.unwrap(Effect.map(Supervisor, ({ run }) => layer(run))).pipe(Layer.provide(Supervisor.layer))
