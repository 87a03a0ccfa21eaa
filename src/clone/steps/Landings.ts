// One image under several names, each copied by itself: the second waits for the first and finds it there. Otherwise all
// would push the same manifest and the same protection tag, which registries with immutable tags refuse.
// Edge: names of one repository; what images share below their manifests is the ledger's.
import { type Clock, Deferred, Effect, type Scope } from "effect"
import type { Digest } from "../../image/Digest.ts"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import type { Entered } from "../../queue/ResizablePermits.ts"

export interface Landings {
  /**
   * Waits until nobody else copies this digest into the repository. One's own copy of it ends when it is left, or else
   * with the scope.
   */
  readonly enter: (repository: string, digest: Digest) => Effect.Effect<Entered, never, Scope.Scope>
  readonly isBusy: (repository: string, digest: Digest) => boolean
  /** Has a copy of it ended since then (nanoseconds of the monotonic clock), well or not? */
  readonly isChanged: (repository: string, digest: Digest, since: bigint) => boolean
}

const keyOf = (repository: string, digest: Digest) => `${repository}@${digest}`

export const makeLandings = (clock: Clock.Clock): Landings => {
  const flights = new Map<string, Deferred.Deferred<void>>()
  const ended = makeBoundedMap<string, bigint>(20_000)
  return {
    enter: Effect.fnUntraced(function*(repository, digest) {
      const key = keyOf(repository, digest)
      const landed = Deferred.makeUnsafe<void>()
      const begin = Effect.sync(() => {
        if (flights.has(key)) return false
        flights.set(key, landed)
        return true
      })
      const end = Effect.sync(() => {
        if (flights.get(key) !== landed) return
        flights.delete(key)
        ended.set(key, clock.monotonicTimeNanosUnsafe())
        Deferred.doneUnsafe(landed, Effect.void)
      })
      for (;;) {
        if (yield* Effect.acquireRelease(begin, () => end)) return { leave: end }
        const other = flights.get(key)
        if (other !== undefined) yield* Deferred.await(other)
      }
    }),
    isBusy: (repository, digest) => flights.has(keyOf(repository, digest)),
    isChanged: (repository, digest, since) => (ended.get(keyOf(repository, digest)) ?? -1n) >= since
  }
}
