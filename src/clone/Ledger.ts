// What this process knows the backup to hold: blobs by repository (where they can be mounted from), images seen whole,
// and blobs on their way. Edge: knowledge, not truth: all of it can be lost or wrong, the registry has the last word.
import { Clock, Deferred, Effect, Semaphore } from "effect"
import type { Digest } from "../image/Digest.ts"
import { makeBoundedMap } from "../registry/BoundedMap.ts"

/** An image seen whole in a repository of the backup. */
export interface Whole {
  readonly contents: ReadonlySet<Digest>
  /** Manifests and indexes only, the image's own first. */
  readonly manifests: ReadonlyArray<Digest>
  /** Sizes and number of its distinct blobs, for reports. */
  readonly blobs: number
  readonly bytes: number
}

/** A blob on its way to the backup: whoever needs it too waits and mounts. */
export interface Flight {
  /** The registry it comes from: a slow stranger must not be waited for without end. */
  readonly from: string
  readonly landed: Deferred.Deferred<void>
}

export interface Ledger {
  /** Repositories of the backup that hold the blob, the latest first. */
  readonly holders: (blob: Digest) => ReadonlyArray<string>
  readonly holds: (repository: string, blob: Digest) => boolean
  readonly noteBlob: (repository: string, blob: Digest) => void
  readonly forgetBlob: (repository: string, blob: Digest) => void
  readonly whole: (repository: string, digest: Digest) => Effect.Effect<Whole | undefined>
  readonly noteWhole: (repository: string, digest: Digest, whole: Whole) => Effect.Effect<void>
  readonly forgetWhole: (repository: string, digest: Digest) => void
  /** Have all signatures and the like of this image been brought over in the last hours? */
  readonly signed: (repository: string, digest: Digest) => Effect.Effect<boolean>
  readonly noteSigned: (repository: string, digest: Digest) => Effect.Effect<void>
  readonly flights: Map<Digest, Flight>
  /** The backup has mounted a blob: its answer to a mount says whether it has it. */
  mounting: boolean
  /** Lists of referrers are read, changed and written by one at a time. */
  readonly listing: Semaphore.Semaphore
}

const holdersKept = 4
// after this the children are looked at again, because somebody may have collected garbage, and signatures are looked for,
// because somebody may have signed it meanwhile
const keptNanos = 6n * 3_600_000_000_000n

export const makeLedger = (): Ledger => {
  const blobs = makeBoundedMap<Digest, ReadonlyArray<string>>(100_000)
  const wholes = makeBoundedMap<string, { readonly whole: Whole; readonly until: bigint }>(20_000)
  const signed = makeBoundedMap<string, bigint>(20_000)
  return {
    holders: (blob) => blobs.get(blob) ?? [],
    holds: (repository, blob) => blobs.get(blob)?.includes(repository) === true,
    noteBlob: (repository, blob) => {
      const others = blobs.get(blob)?.filter((it) => it !== repository) ?? []
      blobs.set(blob, [repository, ...others].slice(0, holdersKept))
    },
    forgetBlob: (repository, blob) => {
      const others = blobs.get(blob)?.filter((it) => it !== repository) ?? []
      if (others.length === 0) blobs.delete(blob)
      else blobs.set(blob, others)
    },
    whole: Effect.fnUntraced(function*(repository, digest) {
      const known = wholes.get(`${repository}@${digest}`)
      return known !== undefined && known.until > (yield* Clock.monotonicTimeNanos) ? known.whole : undefined
    }),
    noteWhole: Effect.fnUntraced(function*(repository, digest, whole) {
      wholes.set(`${repository}@${digest}`, { whole, until: (yield* Clock.monotonicTimeNanos) + keptNanos })
    }),
    forgetWhole: (repository, digest) => {
      wholes.delete(`${repository}@${digest}`)
    },
    signed: Effect.fnUntraced(function*(repository, digest) {
      return (signed.get(`${repository}@${digest}`) ?? 0n) > (yield* Clock.monotonicTimeNanos)
    }),
    noteSigned: Effect.fnUntraced(function*(repository, digest) {
      signed.set(`${repository}@${digest}`, (yield* Clock.monotonicTimeNanos) + keptNanos)
    }),
    flights: new Map(),
    mounting: false,
    listing: Semaphore.makeUnsafe(1)
  }
}
