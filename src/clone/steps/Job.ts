// Job: one image on its way to the backup: what all the steps of its copy are given. Edge: the steps change nothing here; what one
// finds out is handed to the next.
import { Effect, Semaphore } from "effect"
import type { ImageReference } from "../../image/ImageReference.ts"
import type { RegistryError } from "../../registry/RegistryError.ts"
import { type CloneError, fromRegistry, type Side } from "../CloneError.ts"
import type { Progress } from "../Progress.ts"
import type { ReferrerContext } from "../tree/CopyReferrers.ts"
import type { ManifestContext } from "../tree/FetchManifest.ts"
import type { CopyEnvironment } from "./CopyEnvironment.ts"
import { makeResolver, type Resolver } from "./Resolve.ts"

/** Blobs of one image on their way at once. */
const blobsAtOnce = 3

export interface Job extends Resolver {
  readonly environment: CopyEnvironment
  readonly source: ImageReference
  readonly progress: Progress
  /** A registry's error in terms of the image. */
  readonly at: (side: Side) => <A, R>(asked: Effect.Effect<A, RegistryError, R>) => Effect.Effect<A, CloneError, R>
  /** For single manifests of the image. */
  readonly manifests: ManifestContext
  /** For one walk over the image, with a counter of its own. */
  readonly walk: () => ReferrerContext
}

export const makeJob = (environment: CopyEnvironment, source: ImageReference, progress: Progress): Job => {
  const { backup, damaged, ledger, limits, mostBytes, registry } = environment
  const resolver = makeResolver({ registry, backup, repair: damaged !== undefined }, source)
  const { from, image, into } = resolver
  const slots = Semaphore.makeUnsafe(blobsAtOnce)
  const manifests = { image, registry, source: from, backup: into, damaged }
  const count = () => progress.count()
  return {
    ...resolver,
    environment,
    source,
    progress,
    at: (side) => Effect.mapError(fromRegistry(image, side)),
    manifests,
    walk: () => ({ ...manifests, registry, limits, ledger, slots, mostBytes, count, counter: count() })
  }
}
