// Sayings: what is wrong is said once, however often it is met, and again when something else has been the matter in between.
import { Effect } from "effect"

export interface Sayings {
  /** Runs `say` unless this text was the last one. */
  readonly once: (text: string, say: Effect.Effect<void>) => Effect.Effect<void>
  /** All is well: answers whether something was wrong before. */
  readonly forget: () => boolean
}

export const makeSayings = (): Sayings => {
  let last = ""
  return {
    once: (text, say) =>
      Effect.suspend(() => {
        if (text === last) return Effect.void
        last = text
        return say
      }),
    forget: () => {
      const troubled = last !== ""
      last = ""
      return troubled
    }
  }
}
