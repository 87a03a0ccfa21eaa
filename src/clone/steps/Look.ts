// Look: what a source image is, without copying it: whether it can be read, its digest, its size. For `plan --check`.
// Every manifest that is read counts at registries that count pulls; blobs are not read.
import { Data, Effect, Option, Result } from "effect"
import type { Digest } from "../../image/Digest.ts"
import { format, type ImageReference } from "../../image/ImageReference.ts"
import { blobsOf, isManifestType, parseManifest } from "../../image/ManifestDocument.ts"
import type { Manifest } from "../../registry/api/Manifests.ts"
import { RegistryClient } from "../../registry/RegistryClient.ts"
import { type CloneError, fromRegistry } from "../CloneError.ts"
import { layersOf, readSchema1 } from "../schema1/Schema1.ts"
import { mostManifests } from "../tree/TreeLimits.ts"

export interface Sight {
  readonly digest: Digest
  /** It is in Docker's schema 1: its copy will be converted, to a digest that only the copy shows. */
  readonly converts: boolean
  /** Every manifest and config digest, the image's own included. */
  readonly contents: ReadonlySet<Digest>
  /** Of all its blobs, each counted once. */
  readonly bytes: number
  readonly manifests: number
}

class Unreadable extends Data.TaggedError("Unreadable")<{ readonly detail: string }> {}

const looksAtOnce = 8

/** Schema 1 does not say how large its layers are; the registry does, mostly. */
const schema1Sizes = Effect.fnUntraced(function*(source: ImageReference, manifest: Manifest) {
  const registry = yield* RegistryClient
  const image = readSchema1(manifest.bytes)
  if (Result.isFailure(image)) return yield* new Unreadable({ detail: image.failure })
  return yield* Effect.forEach(layersOf(image.success), (digest) =>
    registry.headBlob(source, digest).pipe(
      Effect.map((head) => [digest, Option.getOrUndefined(head)?.size ?? 0] as const),
      Effect.catchIf((error) => error.status === 405, () => Effect.succeed([digest, 0] as const)),
      Effect.mapError(fromRegistry(format(source), "source"))
    ), { concurrency: looksAtOnce })
})

/** Reads every manifest below a source reference. */
export const look = Effect.fn("look")(
  function*(source: ImageReference): Effect.fn.Return<Sight, CloneError | Unreadable, RegistryClient> {
    const registry = yield* RegistryClient
    const contents = new Set<Digest>()
    const sizes = new Map<Digest, number>()
    const seen = new Set<Digest>()
    const waiting: Array<string> = [source.digest ?? source.tag ?? "latest"]
    let top: Digest | undefined
    let converts = false
    while (waiting.length > 0 && seen.size < mostManifests) {
      const reference = waiting.pop() ?? ""
      const manifest = yield* registry.getManifest(source, reference, true).pipe(
        Effect.mapError(fromRegistry(format(source), "source"))
      )
      top ??= manifest.digest
      seen.add(manifest.digest)
      contents.add(manifest.digest)
      const parsed = parseManifest(manifest.bytes, manifest.mediaType)
      if (Result.isFailure(parsed)) return yield* new Unreadable({ detail: parsed.failure })
      const { document } = parsed.success
      if (document._tag === "Index") {
        for (const child of document.manifests) {
          if (!seen.has(child.digest) && isManifestType(child.mediaType)) waiting.push(child.digest)
        }
      }
      if (document._tag === "Image") contents.add(document.config.digest)
      for (const blob of blobsOf(document)) sizes.set(blob.digest, blob.size)
      if (document._tag === "Schema1" && manifest.digest === top) {
        converts = true
        for (const [blob, size] of yield* schema1Sizes(source, manifest)) sizes.set(blob, size)
      }
    }
    if (top === undefined) return yield* new Unreadable({ detail: "it has no manifest" })
    const bytes = [...sizes.values()].reduce((sum, it) => sum + it, 0)
    return { digest: top, converts, contents, bytes, manifests: seen.size }
  }
)
