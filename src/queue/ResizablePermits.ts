// Permits that are handed out in turns (FairTurns.ts), to fibers that wait for them or to keys in a line (Line.ts). Their number can change
// while they are out. Effect's PartitionedSemaphore is fair but has no resize.
import { Deferred, Effect, type Scope } from "effect"
import { type Claim, FairTurns, type FairTurnsOptions, type Waiter } from "./FairTurns.ts"
import { Line } from "./Line.ts"

/** A place that is held. */
export interface Entered {
  /** Gives it to another, before the end of the scope. */
  readonly leave: Effect.Effect<void>
}

export interface ResizablePermits {
  /** Runs the effect while holding one permit. */
  readonly withPermit: (claim: Claim) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Waits for a permit, which comes back when it is left, or else at the end of the scope. */
  readonly enter: (claim: Claim) => Effect.Effect<Entered, never, Scope.Scope>
  /** Where keys wait without a fiber. */
  readonly line: Line
  /** Fewer permits take effect as they come back, more at once. */
  readonly resize: (permits: number) => Effect.Effect<void>
  readonly waiting: Effect.Effect<number>
}

export interface ResizablePermitsOptions extends FairTurnsOptions {
  /** Hears of each key in line whose permit is there now. */
  readonly called?: (key: string) => void
}

/** All permits free. */
export const makeResizablePermits = (options: ResizablePermitsOptions): ResizablePermits => {
  const turns = new FairTurns(options)
  const release = (claim: Claim) => Effect.sync(() => turns.giveBack(claim))

  const take = (claim: Claim, restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      const turn = Deferred.makeUnsafe<void>()
      let granted = false
      const waiter: Waiter = {
        claim,
        grant: () => {
          granted = true
          Deferred.doneUnsafe(turn, Effect.void)
        }
      }
      turns.join(waiter)
      const leave = Effect.suspend(() => granted ? release(claim) : Effect.sync(() => turns.leave(waiter)))
      return Effect.onInterrupt(restore(Deferred.await(turn)), () => leave)
    })

  return {
    line: new Line(turns, options.called ?? (() => undefined)),
    withPermit: (claim) => (effect) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.andThen(take(claim, restore), Effect.ensuring(restore(effect), release(claim)))
      ),
    enter: (claim) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(take(claim, restore), () => {
          let held = true
          // one step: an interruption between two would lose the permit
          const once = Effect.sync(() => {
            if (!held) return
            held = false
            turns.giveBack(claim)
          })
          return Effect.as(Effect.addFinalizer(() => once), { leave: once })
        })
      ),
    resize: (next) => Effect.sync(() => turns.resize(next)),
    waiting: Effect.sync(() => turns.waiting)
  }
}
