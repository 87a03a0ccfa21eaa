// How large an image is, before a byte of it is moved: for MAX_IMAGE_SIZE. The manifests that are read for it are kept
// for the copy, because registries count every one that is asked for.
import { Effect, Result } from "effect"
import type { Digest } from "../../image/Digest.ts"
import { blobsOf, isManifestType, parseManifest } from "../../image/ManifestDocument.ts"
import { CloneError } from "../CloneError.ts"
import { type Fetched, fetchManifest, type TreeContext } from "./CopyTree.ts"
import { mostManifests } from "./TreeLimits.ts"

/** Bytes of manifests that are kept. */
const mostKept = 16 * 1024 * 1024

const units = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const

/** `1.5 GiB` */
export const shownBytes = (bytes: number): string => {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${Math.round(value * 10) / 10} ${units[unit]}`
}

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
 * bytes. Manifests that cannot be read are left to the copy, which says why.
 */
export const measure = Effect.fnUntraced(function*(
  context: TreeContext,
  root: Fetched,
  most: number
): Effect.fn.Return<ReadonlyMap<Digest, Fetched>, CloneError> {
  const kept = new Map<Digest, Fetched>()
  const sizes = new Map<Digest, number>()
  const seen = new Set<Digest>([root.manifest.digest])
  const waiting: Array<Digest> = []
  let keptBytes = 0
  for (let at: Fetched | undefined = root; at !== undefined;) {
    const { bytes, digest, mediaType } = at.manifest
    if (keptBytes + bytes.length <= mostKept) {
      kept.set(digest, at)
      keptBytes += bytes.length
    }
    const parsed = parseManifest(bytes, mediaType)
    const document = Result.isSuccess(parsed) ? parsed.success.document : undefined
    for (const blob of document === undefined ? [] : blobsOf(document)) sizes.set(blob.digest, blob.size)
    for (const child of document?._tag === "Index" ? document.manifests : []) {
      if (seen.has(child.digest) || seen.size >= mostManifests || !isManifestType(child.mediaType)) continue
      seen.add(child.digest)
      waiting.push(child.digest)
    }
    const next = waiting.shift()
    at = next === undefined ? undefined : yield* fetchManifest(context, next)
  }
  let total = 0
  for (const size of sizes.values()) total += size
  if (total <= most) return kept
  return yield* tooLarge(context.image, total, most)
})
