// What this process knows the backup to hold: blobs by repository (where they can be mounted from), images seen whole,
// and blobs on their way. Edge: knowledge, not truth: all of it can be lost or wrong, the registry has the last word.
import { type Clock, type Deferred, Semaphore } from "effect"
import type { Digest } from "../image/Digest.ts"
import { makeBoundedMap } from "../collections/BoundedMap.ts"

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
  readonly whole: (repository: string, digest: Digest) => Whole | undefined
  readonly noteWhole: (repository: string, digest: Digest, whole: Whole) => void
  /** The backup has lost it, and perhaps more: nothing that was seen in its repository is believed any longer. */
  readonly forgetWhole: (repository: string, digest: Digest) => void
  /** Have all signatures and the like of this image been brought over in the last hours? */
  readonly signed: (repository: string, digest: Digest) => boolean
  readonly noteSigned: (repository: string, digest: Digest) => void
  readonly flights: Map<Digest, Flight>
  /** The backup has mounted a blob: its answer to a mount says whether it has it. */
  mounting: boolean
  /** Lists of referrers are read, changed and written by one at a time. */
  readonly listing: Semaphore.Semaphore
}

const holdersKept = 4
// after this all is looked at again, because somebody may have collected garbage, and signatures are looked for, because
// somebody may have signed it meanwhile
const keptNanos = 6n * 3_600_000_000_000n

interface Holder {
  readonly repository: string
  readonly seen: bigint
}

export const makeLedger = (clock: Clock.Clock): Ledger => {
  const now = () => clock.monotonicTimeNanosUnsafe()
  const blobs = makeBoundedMap<Digest, ReadonlyArray<Holder>>(100_000)
  /** When a repository was last found to have lost something. */
  const losses = makeBoundedMap<string, bigint>(20_000)
  const believed = ({ repository, seen }: Holder): boolean =>
    seen + keptNanos > now() && seen > (losses.get(repository) ?? -1n)
  const wholes = makeBoundedMap<string, { readonly whole: Whole; readonly until: bigint }>(20_000)
  const signed = makeBoundedMap<string, bigint>(20_000)
  return {
    holders: (blob) => blobs.get(blob)?.filter(believed).map((it) => it.repository) ?? [],
    holds: (repository, blob) => blobs.get(blob)?.some((it) => it.repository === repository && believed(it)) === true,
    noteBlob: (repository, blob) => {
      const others = blobs.get(blob)?.filter((it) => it.repository !== repository) ?? []
      blobs.set(blob, [{ repository, seen: now() }, ...others].slice(0, holdersKept))
    },
    forgetBlob: (repository, blob) => {
      const others = blobs.get(blob)?.filter((it) => it.repository !== repository) ?? []
      if (others.length === 0) blobs.delete(blob)
      else blobs.set(blob, others)
    },
    whole: (repository, digest) => {
      const known = wholes.get(`${repository}@${digest}`)
      return known !== undefined && known.until > now() ? known.whole : undefined
    },
    noteWhole: (repository, digest, whole) => {
      wholes.set(`${repository}@${digest}`, { whole, until: now() + keptNanos })
    },
    forgetWhole: (repository, digest) => {
      wholes.delete(`${repository}@${digest}`)
      losses.set(repository, now())
    },
    signed: (repository, digest) => (signed.get(`${repository}@${digest}`) ?? 0n) > now(),
    noteSigned: (repository, digest) => {
      signed.set(`${repository}@${digest}`, now() + keptNanos)
    },
    flights: new Map(),
    mounting: false,
    listing: Semaphore.makeUnsafe(1)
  }
}
