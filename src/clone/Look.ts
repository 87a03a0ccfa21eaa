// Look: what a source image is, without copying it: whether it can be read, its digest, its size. For `plan --check`.
// Every manifest that is read counts at registries that count pulls; blobs are not touched.
import { Data, Effect, Result } from "effect"
import type { Digest } from "../image/Digest.ts"
import { format, type ImageReference } from "../image/ImageReference.ts"
import { isManifestType, parseManifest } from "../registry/ManifestDocument.ts"
import { RegistryClient } from "../registry/RegistryClient.ts"
import { type CloneError, fromRegistry } from "./CloneError.ts"

export interface Sight {
  readonly digest: Digest
  /** Every manifest and config digest, the image's own included. */
  readonly contents: ReadonlySet<Digest>
  /** Of all its blobs, each counted once. */
  readonly bytes: number
  readonly manifests: number
}

class Unreadable extends Data.TaggedError("Unreadable")<{ readonly detail: string }> {}

/** How many manifests of one image are read at most: an index of more is not looked at to its end. */
const mostManifests = 1000

/** Reads every manifest below a source reference. */
export const look = Effect.fn("look")(
  function*(source: ImageReference): Effect.fn.Return<Sight, CloneError | Unreadable, RegistryClient> {
    const registry = yield* RegistryClient
    const contents = new Set<Digest>()
    const sizes = new Map<Digest, number>()
    const seen = new Set<Digest>()
    const waiting: Array<string> = [source.digest ?? source.tag ?? "latest"]
    let top: Digest | undefined
    while (waiting.length > 0 && seen.size < mostManifests) {
      const reference = waiting.pop() ?? ""
      const manifest = yield* registry.getManifest(source, reference).pipe(
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
      if (document._tag === "Image") {
        contents.add(document.config.digest)
        for (const blob of [document.config, ...document.layers]) sizes.set(blob.digest, blob.size)
      }
    }
    if (top === undefined) return yield* new Unreadable({ detail: "it has no manifest" })
    return { digest: top, contents, bytes: [...sizes.values()].reduce((sum, it) => sum + it, 0), manifests: seen.size }
  }
)
