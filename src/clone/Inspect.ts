// Inspect: what a source image is, without copying it: whether it can be read, its digest, its size. For `plan --check`.
// Every manifest that is read counts at registries that count pulls; blobs are not read.
import { Data, Effect, Option, Result } from "effect"
import type { Digest } from "../image/Digest.ts"
import { format, type ImageReference } from "../image/ImageReference.ts"
import type { Blobs } from "../registry/api/Blobs.ts"
import type { Manifest } from "../registry/api/Manifests.ts"
import { RegistryClient } from "../registry/RegistryClient.ts"
import { type CloneError, fromRegistry } from "./CloneError.ts"
import { Counter } from "./Counter.ts"
import { layersOf, readSchema1 } from "./schema1/Schema1.ts"
import { makeWalk, oneByOne, type Read } from "./tree/Walk.ts"

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
const schema1Layers = Effect.fnUntraced(function*(registry: Blobs, source: ImageReference, manifest: Manifest) {
  const image = readSchema1(manifest.bytes)
  if (Result.isFailure(image)) return yield* new Unreadable({ detail: image.failure })
  return yield* Effect.forEach(layersOf(image.success), (digest) =>
    registry.headBlob(source, digest).pipe(
      Effect.map((head) => ({ digest, size: Option.getOrUndefined(head)?.size ?? 0 })),
      Effect.catchIf((error) => error.reason === "NotAllowed", () => Effect.succeed({ digest, size: 0 })),
      Effect.mapError(fromRegistry(format(source), "source"))
    ), { concurrency: looksAtOnce })
})

/** Reads every manifest below a source reference. */
export const inspect = Effect.fn("inspect")(
  function*(source: ImageReference): Effect.fn.Return<Sight, CloneError | Unreadable, RegistryClient> {
    const registry = yield* RegistryClient
    const read = (reference: string) =>
      Effect.mapError(registry.getManifest(source, reference, true), fromRegistry(format(source), "source"))
    const root = yield* read(source.digest ?? source.tag ?? "latest")
    const { digest } = root
    const counter = new Counter()
    let converts = false
    const walk = yield* makeWalk<Read, CloneError | Unreadable>(
      {
        read: (place) =>
          Effect.map(place.depth === 0 ? Effect.succeed(root) : read(place.digest), (manifest) => ({ manifest })),
        unfit: (_, detail) => new Unreadable({ detail }),
        // below an index it stays what it is, and is refused when it is copied
        schema1: ({ depth }, { manifest }) =>
          depth > 0 ? Effect.void : Effect.map(schema1Layers(registry, source, manifest), (layers) => {
            converts = true
            for (const it of layers) counter.expect(it)
          }),
        blob: () => Effect.void
      },
      counter,
      oneByOne
    )
    yield* walk.from(digest)
    const contents = new Set([digest, ...walk.contents])
    return { digest, converts, contents, bytes: counter.total.bytes, manifests: counter.manifests.total }
  }
)
