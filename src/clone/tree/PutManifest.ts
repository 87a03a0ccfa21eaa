// PutManifest: pushes one manifest to the backup, and says in terms of the image why it was not taken.
import { Effect } from "effect"
import { algorithmOf, type Digest } from "../../image/Digest.ts"
import type { Parsed } from "../../image/ManifestDocument.ts"
import type { Repository } from "../../image/Repository.ts"
import type { Manifest, Manifests } from "../../registry/api/Manifests.ts"
import type { Limits } from "../../registry/Limits.ts"
import type { RegistryError } from "../../registry/RegistryError.ts"
import { pauses } from "../../registry/Retry.ts"
import { CloneError, fromRegistry } from "../CloneError.ts"

interface PutContext {
  readonly image: string
  readonly registry: Manifests
  readonly backup: Repository
  readonly limits: Limits
}

/** Registries can know manifests by sha256 only: Distribution is one. Whoever asks for another digest gets nothing there. */
export const otherAlgorithm = (image: string, digest: Digest): CloneError =>
  new CloneError({
    image,
    reason: "unsupported",
    side: "source",
    detail: `the backup registry does not know manifests by ${algorithmOf(digest)}, as ${digest.slice(0, 24)}…`,
    retryable: false,
    retryAfter: undefined
  })

const hasForeignLayers = (document: Parsed["document"]): boolean =>
  document._tag === "Image" && document.layers.some((it) => it.foreign)

/** A manifest that was refused, by its name where the reason is what it is. */
const refusedPut = (image: string, digest: Digest, { document }: Parsed, error: RegistryError): CloneError => {
  const plain = fromRegistry(image, "backup")(error)
  const ofItsKind = error.reason === "Unsupported" || error.reason === "NotAllowed"
  if (error.reason !== "Incomplete" && error.reason !== "Invalid" && !ofItsKind) return plain
  if (document._tag === "Artifact" && error.reason !== "Incomplete") {
    const detail = "it is an OCI artifact manifest, a type that was withdrawn, which the backup registry does not take"
    return new CloneError({ ...plain, reason: "unsupported", side: "source", detail, retryable: false })
  }
  if (algorithmOf(digest) !== "sha256" && error.reason === "Invalid") return otherAlgorithm(image, digest)
  // Distribution takes no manifest with layers that are elsewhere unless told to, and says that blobs are missing
  if (!hasForeignLayers(document) || ofItsKind) return plain
  return new CloneError({
    ...plain,
    reason: "denied",
    detail: `${plain.detail}; it has foreign layers, and the backup registry refuses layers with URLs ` +
      "(Distribution: validation.manifests.urls.allow)",
    retryable: false
  })
}

/**
 * Pushes it by a tag or its digest. `incomplete` is done, once, where the registry misses a part that it had said was there;
 * undefined: that has been done.
 */
export const putManifest = Effect.fnUntraced(function*(
  { backup, image, limits, registry }: PutContext,
  name: string,
  manifest: Manifest,
  parsed: Parsed,
  incomplete: Effect.Effect<void, CloneError> | undefined
): Effect.fn.Return<void, CloneError> {
  const put = registry.putManifest(backup, name, { ...manifest, mediaType: parsed.mediaType })
  const refused = (error: RegistryError) => refusedPut(image, manifest.digest, parsed, error)
  yield* put.pipe(Effect.catch((error) =>
    error.reason !== "Incomplete" || incomplete === undefined
      ? refused(error)
      : Effect.andThen(
        incomplete,
        // what was sent a moment ago may be seen some seconds late; layers that are elsewhere are never
        Effect.retry(put, {
          schedule: pauses(limits),
          while: ({ reason }) => reason === "Incomplete" && !hasForeignLayers(parsed.document)
        })
      ).pipe(Effect.catchTag("RegistryError", refused))
  ))
})
