// Fetch, the second step: an image's own manifest, from the source where the backup does not have it.
import { Effect } from "effect"
import type { CloneError } from "../CloneError.ts"
import { type Fetched, fetchHeld, fetchManifest } from "../tree/FetchManifest.ts"
import type { Job } from "./Job.ts"
import { knownOf, lookAgain, type Looked } from "./Look.ts"
import { type Resolved, sourceDigest } from "./Resolve.ts"

/** The names as they are now, and the image's own manifest where it is needed and nobody else is bringing it. */
export interface Rooted {
  readonly looked: Looked
  readonly root: Fetched | undefined
}

/** A registry may lie on HEAD: then the bytes behind the tag decide, and their own digest. */
export const fetchRoot = (job: Job, { digest: told, held, metered, original, tag }: Resolved) => {
  const { at, environment: { registry }, from, source } = job
  return fetchManifest({ ...job.manifests, first: true }, original ?? told, !held && !metered).pipe(
    Effect.catchIf(
      (error) =>
        source.digest === undefined && tag !== undefined && error.side === "source" &&
        (error.reason === "not-found" || error.reason === "corrupt"),
      () =>
        Effect.map(
          at("source")(registry.getManifest(from, tag ?? "latest", true)),
          (manifest): Fetched => ({ manifest, present: false })
        )
    )
  )
}

/** The bytes of a digest stay what they are; whether the backup has them may have changed. */
export const fetchAgain = (job: Job, { manifest }: Fetched): Effect.Effect<Fetched, CloneError> =>
  Effect.catchIf(
    fetchHeld(job.manifests, manifest.digest),
    (error) => error.reason === "not-found",
    () => Effect.succeed({ manifest, present: false })
  )

export const fetch = Effect.fnUntraced(function*(job: Job, before: Looked): Effect.fn.Return<Rooted, CloneError> {
  const { environment: { landings }, into } = job
  const looked = yield* lookAgain(job, before)
  if (looked._tag === "Instead") return { looked, root: undefined }
  const { resolved } = looked
  const needed = resolved.original === undefined && knownOf(job, resolved) === undefined &&
    !landings.isBusy(into.repository, sourceDigest(resolved))
  return { looked, root: needed ? yield* fetchRoot(job, resolved) : undefined }
})
