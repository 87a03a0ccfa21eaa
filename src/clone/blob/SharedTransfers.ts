// A blob that several images have is moved by one of them: who that is, and how long the others wait for it.
// Edge: what they do with it when it has landed is CopyBlob's.
import { Deferred, Duration, Effect } from "effect"
import type { Descriptor } from "../../image/ManifestDocument.ts"
import type { Repository } from "../../image/Repository.ts"
import type { How } from "../Counter.ts"
import type { Flight } from "../Ledger.ts"
import type { BlobContext } from "./BlobContext.ts"

/** How long a blob that comes from another registry than ours is waited for. */
const longestWaitForStranger = Duration.seconds(60)

/** Waits until another has moved the blob; not for ever where that depends on a registry that is not ours to wait for. */
export const landing = ({ from, landed }: Flight, source: Repository): Effect.Effect<void> =>
  from === source.registry
    ? Deferred.await(landed)
    : Effect.timeoutOrElse(Deferred.await(landed), { duration: longestWaitForStranger, orElse: () => Effect.void })

interface Takeoff<E> {
  readonly moving: Effect.Effect<How, E>
  /** A stranger that is still not there. */
  readonly overtaken: Flight | undefined
  /** Has another brought it by now? */
  readonly landed: () => boolean
}

/**
 * Moves the blob, and lets others wait for it meanwhile: from when it has a slot, or they would wait for everything before
 * it too. Undefined where another was first.
 */
export const fly = <E>(
  { ledger: { flights }, slots, source }: BlobContext,
  blob: Descriptor,
  { landed, moving, overtaken }: Takeoff<E>
): Effect.Effect<How | undefined, E> =>
  slots.withPermit(Effect.acquireUseRelease(
    Effect.sync(() => {
      const other = flights.get(blob.digest)
      if (landed() || (other !== undefined && other !== overtaken)) return undefined
      const flight = { from: source.registry, landed: Deferred.makeUnsafe<void>() }
      if (other === undefined) flights.set(blob.digest, flight)
      return flight
    }),
    (flight): Effect.Effect<How | undefined, E> => flight === undefined ? Effect.undefined : moving,
    (flight) =>
      Effect.suspend(() => {
        if (flight === undefined) return Effect.void
        if (flights.get(blob.digest) === flight) flights.delete(blob.digest)
        return Deferred.succeed(flight.landed, undefined)
      })
  ))
