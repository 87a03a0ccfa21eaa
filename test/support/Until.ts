// Waits for something to become true over real sockets: machines are slow at times, and a fixed sleep is a guess.
import { Effect, Schedule } from "effect"

/** Looks every few milliseconds; gives up after ten seconds. */
export const until = (what: string, look: Effect.Effect<boolean>): Effect.Effect<void> =>
  look.pipe(
    Effect.flatMap((there) => there ? Effect.void : Effect.fail("not yet")),
    Effect.retry({ schedule: Schedule.spaced("5 millis") }),
    Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.die(new Error(`never came: ${what}`)) }),
    Effect.orDie
  )

/** The same for a plain condition. */
export const untilTrue = (what: string, look: () => boolean): Effect.Effect<void> => until(what, Effect.sync(look))
