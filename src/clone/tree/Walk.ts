// The one walk over the manifests of an image: an index before what is below it, what is below before it is done with, each digest
// once, all within TreeLimits. Copying, verifying, measuring and looking are visitors. Edge: asks no registry itself.
import { Effect, Result } from "effect"
import type { Digest } from "../../image/Digest.ts"
import {
  blobsOf,
  type Descriptor,
  isManifestType,
  type ManifestDocument,
  type Parsed,
  parseManifest
} from "../../image/ManifestDocument.ts"
import { makeOnce } from "../../collections/Once.ts"
import type { Manifest } from "../../registry/api/Manifests.ts"
import type { Counter } from "../Counter.ts"
import { mostManifests, tooDeep, tooMuch } from "./TreeLimits.ts"

/** Where a manifest stands, as the walk first came to it. */
export interface Place {
  readonly digest: Digest
  /** So many indexes are above it. */
  readonly depth: number
  /** What the index above says of it. */
  readonly stated?: { readonly by: Digest; readonly size: number; readonly platform?: string | undefined }
}

/** A manifest that a visitor has read, with whatever else it knows of it. */
export interface Read {
  readonly manifest: Manifest
}

/** A manifest that is understood. */
export interface Visited<M extends Read> extends Place {
  readonly read: M
  readonly parsed: Parsed
  /** All manifests that were understood by now. */
  readonly manifests: ReadonlyArray<Digest>
}

export type Part = "config" | "layer"

export interface Visitor<M extends Read, E> {
  /** Reads a manifest; undefined where that is not possible, and the walk is to go on without it. */
  readonly read: (place: Place) => Effect.Effect<M | undefined, E>
  /** It cannot be understood, or is beyond a limit: nothing below it is visited. */
  readonly unfit: (place: Place, detail: string) => Effect.Effect<void, E>
  /** It is in Docker's schema 1, which names no sizes: nothing below it is visited. */
  readonly schema1: (place: Place, read: M) => Effect.Effect<void, E>
  /** `again`: the walk comes here because a visitor wanted all below a manifest to be visited once more. */
  readonly blob: (blob: Descriptor, part: Part, again: boolean) => Effect.Effect<void, E>
  /** All below it has been visited; `again` does it once more, whether it was visited before or not. */
  readonly done?: (visited: Visited<M>, again: Effect.Effect<void, E> | undefined) => Effect.Effect<void, E>
  /** A child of an index whose type is not known can be either, and is neither where this is left out. */
  readonly either?: (child: Descriptor, as: Either<E>) => Effect.Effect<void, E>
}

export interface Either<E> {
  readonly manifest: Effect.Effect<void, E>
  readonly blob: Effect.Effect<void, E>
}

/** How much of an image is visited at once, and at most. */
export interface Pace {
  readonly children: number
  readonly blobs: number | "unbounded"
  /** Manifests; the rest is left unseen. */
  readonly most: number
}

/** One manifest after the other: whoever only looks has time, and registries count. */
export const oneByOne: Pace = { children: 1, blobs: 1, most: mostManifests }

export interface Walk<E> {
  /** Visits a manifest and all below it. */
  readonly from: (digest: Digest) => Effect.Effect<void, E>
  /** Digests of all manifests and configs that were understood by now. */
  readonly contents: ReadonlySet<Digest>
  /** Manifests and indexes only, in the order in which they were understood. */
  readonly manifests: ReadonlyArray<Digest>
}

export const makeWalk = Effect.fnUntraced(function*<M extends Read, E>(
  visitor: Visitor<M, E>,
  counter: Counter,
  pace: Pace
): Effect.fn.Return<Walk<E>> {
  const contents = new Set<Digest>()
  const manifests: Array<Digest> = []
  const sum = { descriptors: 0, bytes: 0 }
  const visits = yield* makeOnce<void, E>({ kept: Infinity })
  const blobs = yield* makeOnce<void, E>({ kept: Infinity })

  const manifest = (place: Place, again: boolean): Effect.Effect<void, E> =>
    again ? visit(place, again) : visits.get(place.digest, Effect.suspend(() => visit(place, again)))

  const visit = Effect.fnUntraced(function*(place: Place, again: boolean) {
    const { depth, digest } = place
    const deep = tooDeep(depth)
    if (deep !== undefined) return yield* visitor.unfit(place, deep)
    if (!again && counter.manifests.total >= pace.most) return
    if (!again) counter.manifests.total++
    const read = yield* visitor.read(place)
    if (read === undefined) return
    const { bytes, mediaType } = read.manifest
    if (!again) sum.bytes += bytes.length
    const parsed = parseManifest(bytes, mediaType)
    if (Result.isFailure(parsed)) return yield* visitor.unfit(place, parsed.failure)
    const { document } = parsed.success
    if (document._tag === "Schema1") return yield* visitor.schema1(place, read)
    contents.add(digest)
    if (document._tag === "Image") contents.add(document.config.digest)
    if (!again) {
      manifests.push(digest)
      sum.descriptors += document._tag === "Index" ? document.manifests.length : blobsOf(document).length
    }
    const much = tooMuch(sum)
    if (much !== undefined) return yield* visitor.unfit(place, much)
    const below = (once: boolean) => children(place, document, once)
    yield* below(again)
    if (visitor.done !== undefined) {
      yield* visitor.done({ ...place, read, parsed: parsed.success, manifests }, again ? undefined : below(true))
    }
    if (!again) counter.manifests.done++
  })

  const children = (at: Place, document: ManifestDocument, again: boolean): Effect.Effect<void, E> => {
    if (document._tag === "Index") {
      const { children: concurrency } = pace
      return Effect.forEach(document.manifests, (it) => child(at, it, again), { concurrency, discard: true })
    }
    const config = document._tag === "Image" ? document.config : undefined
    const { blobs: concurrency } = pace
    return Effect.forEach(
      blobsOf(document),
      (it) => blob(it, it === config ? "config" : "layer", again),
      { concurrency, discard: true }
    )
  }

  const child = (at: Place, it: Descriptor, again: boolean): Effect.Effect<void, E> => {
    const stated = { by: at.digest, size: it.size, platform: it.platform }
    const asManifest = manifest({ digest: it.digest, depth: at.depth + 1, stated }, again)
    if (isManifestType(it.mediaType)) return asManifest
    return visitor.either?.(it, { manifest: asManifest, blob: blob(it, "layer", again) }) ?? Effect.void
  }

  const blob = (it: Descriptor, part: Part, again: boolean): Effect.Effect<void, E> => {
    if (again) return visitor.blob(it, part, again)
    // what need not be there by one manifest may have to by another
    return blobs.get(
      it.foreign ? `${it.digest} foreign` : it.digest,
      Effect.suspend(() => {
        counter.expect(it)
        return visitor.blob(it, part, again)
      })
    )
  }

  return { from: (digest) => manifest({ digest, depth: 0 }, false), contents, manifests }
})
