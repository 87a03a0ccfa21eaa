// How large an image is, before a byte of it is moved: for MAX_IMAGE_SIZE. The manifests that are read for it are kept
// for the copy, because registries count every one that is asked for.
import { Effect } from "effect"
import type { Digest } from "../../image/Digest.ts"
import { shownBytes } from "../../image/ShownBytes.ts"
import { CloneError } from "../CloneError.ts"
import { Counter } from "../Counter.ts"
import { failed, type Fetched, fetchPart, type ManifestContext } from "./FetchManifest.ts"
import { makeWalk, oneByOne } from "./Walk.ts"

/** Bytes of manifests that are kept. */
const mostKept = 16 * 1024 * 1024

export const tooLarge = (image: string, bytes: number, most: number): CloneError =>
  new CloneError({
    image,
    reason: "too-large",
    side: "source",
    detail: `its layers have ${shownBytes(bytes)}, and MAX_IMAGE_SIZE is ${shownBytes(most)}`,
    retryable: false,
    retryAfter: undefined
  })

/**
 * Fails with `too-large` and the size when the distinct blobs of the image, all platforms together, have more than `most`
 * bytes, and as its copy would where it cannot be copied at all.
 * @returns the manifests that were read
 */
export const measure = Effect.fnUntraced(function*(
  context: ManifestContext,
  root: Fetched,
  most: number
): Effect.fn.Return<ReadonlyMap<Digest, Fetched>, CloneError> {
  const kept = new Map<Digest, Fetched>()
  let keptBytes = 0
  const keep = (fetched: Fetched) => {
    const { bytes, digest } = fetched.manifest
    if (keptBytes + bytes.length > mostKept) return
    kept.set(digest, fetched)
    keptBytes += bytes.length
  }
  const counter = new Counter()
  const walk = yield* makeWalk<Fetched, CloneError>(
    {
      read: (place) =>
        Effect.tap(
          place.depth === 0 ? Effect.succeed(root) : fetchPart(context, place),
          (it) => Effect.sync(() => keep(it))
        ),
      unfit: ({ digest }, detail) => Effect.fail(failed(context, digest, "source", "unsupported", detail)),
      // which is said by whoever copies it
      schema1: () => Effect.void,
      blob: () => Effect.void
    },
    counter,
    oneByOne
  )
  yield* walk.from(root.manifest.digest)
  const { bytes } = counter.total
  if (bytes <= most) return kept
  return yield* tooLarge(context.image, bytes, most)
})
