// Projector: what is kept of objects. One that cannot be understood must not stop the others: it is left out, and said.
import { Effect } from "effect"

export interface Projector<A> {
  /** What is kept of an object; undefined: nothing, or it cannot be understood. */
  readonly project: (object: unknown) => A | undefined
  /** Whether something could not be understood since `say`. */
  readonly failed: () => boolean
  /** One line of log about all of them since the last. */
  readonly say: Effect.Effect<void>
}

/** @param name of the objects, for people */
export const makeProjector = <A>(name: string, keep: (object: unknown) => A | undefined): Projector<A> => {
  const defects: Array<unknown> = []
  return {
    project: (object) => {
      try {
        return keep(object)
      } catch (cause) {
        defects.push(cause)
        return undefined
      }
    },
    failed: () => defects.length > 0,
    say: Effect.suspend(() => {
      const [cause] = defects
      const count = defects.length
      defects.length = 0
      return count === 0
        ? Effect.void
        : Effect.logError(
          `${count} of ${name} cannot be understood and are left out, the first because: ${String(cause)}`
        )
    })
  }
}
