// What is read of mounted files, read again by whoever needs it: they are swapped under us, and nobody tells.
// Edge: what is read, and what stands for what cannot be read, is the caller's. Settings are pushed and not asked for
// (settings/SettingsRef.ts); what opens the API server is read by one at a time, and anew when it was refused (kube/Access.ts).
import { Clock, Effect } from "effect"

const recheck = 5_000_000_000n // nanoseconds between looks at the files

export interface Reloading<A> {
  /** What was read last; looks again first where the last look is older than five seconds. */
  readonly refreshed: Effect.Effect<A>
  /** What was read last, without a look. */
  readonly current: () => A
}

/**
 * `first` has just been read; `again` reads anew, told what was read before. Who asks while another looks has what was read
 * before: nobody waits for a file but the one who looks.
 */
export const makeReloading = Effect.fnUntraced(function*<A, R>(
  first: A,
  again: (before: A) => Effect.Effect<A, never, R>
): Effect.fn.Return<Reloading<A>, never, R> {
  let current = first
  let looked = yield* Clock.monotonicTimeNanos
  const services = yield* Effect.context<R>()
  return {
    refreshed: Effect.flatMap(Clock.monotonicTimeNanos, (now) => {
      if (now - looked < recheck) return Effect.succeed(current)
      looked = now
      return Effect.map(Effect.provideContext(again(current), services), (next) => current = next)
    }),
    current: () => current
  }
})
