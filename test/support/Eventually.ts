// Waits for what comes of its own accord: machines are slow at times, and a fixed sleep is a guess.
// Edge: what does not come is a defect, as a failed assertion is, and no error that anybody would handle.
import { type Duration, Effect, Schedule } from "effect"
import { inject } from "vitest"

declare module "vitest" {
  interface ProvidedContext {
    /** How long a test waits for one thing, in milliseconds: less than its own time, so that it can still say what did not come. */
    readonly patience: number
  }
}

/** Often at first, for what is about to come; then at a pace that no server minds. */
const looks = Schedule.min([Schedule.exponential("5 millis", 1.5), Schedule.spaced("50 millis")])

/**
 * Looks until the look is what is wanted (true, where nothing else is said), and answers it.
 * @param wrong what is wrong as long as it has not come: the words of the failure, before what was seen last
 */
export const eventually = <A, E = never, R = never>(
  wrong: string,
  look: Effect.Effect<A, E, R> | (() => A),
  wanted: (it: A) => boolean = (it) => it === true,
  patience: Duration.Input = inject("patience")
): Effect.Effect<A, E, R> => {
  let last: A | undefined
  return (Effect.isEffect(look) ? look : Effect.sync(look)).pipe(
    Effect.tap((it) => Effect.sync(() => void (last = it))),
    Effect.repeat({ schedule: looks, until: wanted }),
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.die(new Error(`${wrong}; seen last: ${JSON.stringify(last)}`))
    })
  )
}
