// FetchManifest: the bytes of one manifest, from the backup if they are there, else from the source. Damaged bytes in the backup
// count as none.
import { Effect, Fiber } from "effect"
import type { Digest } from "../../image/Digest.ts"
import { type Repository, targetOf } from "../../image/Repository.ts"
import type { Manifest, Manifests } from "../../registry/api/Manifests.ts"
import { isAbsent, type RegistryReason } from "../../registry/RegistryError.ts"
import { CloneError, type CloneReason, fromRegistry, type Side } from "../CloneError.ts"
import type { Place } from "./Walk.ts"

export interface ManifestContext {
  readonly image: string
  readonly registry: Manifests
  readonly source: Repository
  readonly backup: Repository
  /** Manifests that were read before, when the image was measured. */
  readonly known?: ReadonlyMap<Digest, Fetched>
  /** Parts whose bytes the backup is known to have wrong: they are sent again, whatever it says of them. */
  readonly damaged?: ReadonlySet<Digest> | undefined
  /** The image's own manifest is asked for: nothing is lost yet where a registry gives no answer. */
  readonly first?: boolean
}

/** A manifest's bytes, and whether the backup has them. */
export interface Fetched {
  readonly manifest: Manifest
  readonly present: boolean
}

/** Something is wrong with one part of the image, which no time will mend. */
export const failed = (
  context: Pick<ManifestContext, "image" | "source" | "backup">,
  digest: Digest,
  side: Side,
  reason: CloneReason,
  detail: string
): CloneError =>
  new CloneError({
    image: context.image,
    reason,
    side,
    detail: `${targetOf(context[side], digest)}: ${detail}`,
    retryable: false,
    retryAfter: undefined
  })

export const absent = (context: Pick<ManifestContext, "image" | "source" | "backup">, digest: Digest): CloneError =>
  failed(context, digest, "backup", "not-found", "the backup does not hold it")

/** Damaged bytes count as none; and a policy that keeps it from being read does not keep it from being pushed. */
const asAbsent: ReadonlySet<RegistryReason> = new Set(["Corrupt", "Policy"])

const heldManifest = ({ damaged, first, image, registry, backup }: ManifestContext, digest: Digest) =>
  damaged?.has(digest) === true
    ? Effect.undefined
    : registry.getManifest(backup, digest, first).pipe(
      Effect.catchIf((error) => isAbsent(error) || asAbsent.has(error.reason), () => Effect.undefined),
      Effect.mapError(fromRegistry(image, "backup"))
    )

/** The same from the backup alone: `not-found` where it does not hold it. */
export const fetchHeld = (context: ManifestContext, digest: Digest): Effect.Effect<Fetched, CloneError> =>
  Effect.flatMap(
    heldManifest(context, digest),
    (manifest) =>
      manifest === undefined ? Effect.fail(absent(context, digest)) : Effect.succeed({ manifest, present: true })
  )

/**
 * The manifest of a digest from either side. `atOnce` asks both at the same time, at the price of a download that may not be
 * needed.
 */
export const fetchManifest = Effect.fnUntraced(function*(
  context: ManifestContext,
  digest: Digest,
  atOnce = false
): Effect.fn.Return<Fetched, CloneError> {
  const { first, image, registry, source } = context
  const known = context.known?.get(digest)
  if (known !== undefined) return known
  const fromSource = Effect.mapError(registry.getManifest(source, digest, first), fromRegistry(image, "source"))
  const asking = atOnce ? yield* Effect.forkChild(fromSource) : undefined
  const held = yield* heldManifest(context, digest)
  if (held !== undefined) return { manifest: held, present: true }
  return { manifest: yield* (asking === undefined ? fromSource : Fiber.join(asking)), present: false }
})

/**
 * The same for a manifest below another: one that the source does not have is missing from an image that is there, an index of
 * which only some platforms were pushed or kept.
 */
export const fetchPart = (context: ManifestContext, { digest, stated }: Place): Effect.Effect<Fetched, CloneError> =>
  Effect.mapError(fetchManifest(context, digest), (error) => {
    if (stated === undefined || error.side !== "source" || error.reason !== "not-found") return error
    const what = stated.platform === undefined ? "one part of it" : `its image for ${stated.platform}`
    return new CloneError({
      ...error,
      detail:
        `the image is there, but not ${what}: the index ${stated.by} refers to ${digest}, which the source does not have`
        + ` (${error.detail}); all of an index is copied, or nothing`
    })
  })
