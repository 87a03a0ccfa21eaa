// TagDrifts: which tags in use name another image at their source than their copies do, for `plan --check`: a HEAD to each side, and
// none to a source of which there is no copy. Edge: what cannot be asked is no drift, and a registry that has failed once is asked no
// more; whether the copy follows is TAG_POLICY's.
import { Effect, Option } from "effect"
import type { WantedCopy } from "../controller/Wanted.ts"
import type { Digest } from "../image/Digest.ts"
import { format, type ImageReference } from "../image/ImageReference.ts"
import { mayBeSchema1 } from "../image/ManifestDocument.ts"
import type { ManifestHead } from "../registry/api/Manifests.ts"
import { RegistryClient } from "../registry/RegistryClient.ts"

export interface TagDrift {
  /** Canonical source reference. */
  readonly source: string
  /** What the source's tag names, and what the copy's. */
  readonly names: Digest
  readonly copy: Digest
}

/** Of these, five at a time. */
export const tagDrifts = Effect.fnUntraced(function*(
  copies: ReadonlyArray<WantedCopy>
): Effect.fn.Return<ReadonlyArray<TagDrift>, never, RegistryClient> {
  const client = yield* RegistryClient
  const failed = new Set<string>()

  const headOf = ({ registry, repository, tag = "latest" }: ImageReference): Effect.Effect<ManifestHead | undefined> =>
    Effect.suspend(() => failed.has(registry) ? Effect.succeedNone : client.headManifest({ registry, repository }, tag))
      .pipe(
        Effect.catch((error) => {
          // what is wrong with one image is no matter of its neighbours
          if (error.noConnection || error.retryable || error.silent !== undefined) failed.add(registry)
          return Effect.as(Effect.logDebug(`what a tag names cannot be asked: ${error.message}`), Option.none())
        }),
        Effect.map(Option.getOrUndefined)
      )

  const driftOf = Effect.fnUntraced(function*({ backup, source }: WantedCopy) {
    if (source === undefined || source.digest !== undefined) return []
    const copy = yield* headOf(backup)
    const there = copy === undefined ? undefined : yield* headOf(source)
    // what was converted has another digest, and is the same image
    if (copy === undefined || there === undefined || mayBeSchema1(there.mediaType)) return []
    return copy.digest === there.digest ? [] : [{ source: format(source), names: there.digest, copy: copy.digest }]
  })
  return (yield* Effect.forEach(copies, driftOf, { concurrency: 5 })).flat()
})
