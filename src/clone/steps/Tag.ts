// Tag, the last step: gives the image its names in the backup, the human one last, and looks once more whether it is there.
import { Effect, Option } from "effect"
import { uptime } from "../../telemetry/Uptime.ts"
import { convertedBackupOf } from "../../image/BackupName.ts"
import { algorithmOf, type Digest, digestOf } from "../../image/Digest.ts"
import { format, type ImageReference } from "../../image/ImageReference.ts"
import type { Manifest, ManifestHead } from "../../registry/api/Manifests.ts"
import { lookingAgain } from "../../registry/Retry.ts"
import { CloneError } from "../CloneError.ts"
import type { ByHow } from "../Counter.ts"
import type { Whole } from "../Ledger.ts"
import type { Tally } from "../tree/CopyTree.ts"
import { otherAlgorithm } from "../tree/PutManifest.ts"
import type { Job } from "./Job.ts"
import { puttable } from "./TagInUse.ts"

/** What became of one image. */
export interface Copied {
  readonly source: ImageReference
  readonly backup: ImageReference
  readonly digest: Digest
  /** What the source calls it, where it was converted from Docker's schema 1: an image under another digest. */
  readonly original?: Digest
  /** Every manifest and config digest below the image, itself included; none where a tag was believed. */
  readonly contents: ReadonlySet<Digest>
  /** When the backup was last seen to hold it: uptime in milliseconds. */
  readonly verifiedAt: number
  readonly blobs: ByHow
  readonly bytes: ByHow
  /** Manifests and indexes pushed. */
  readonly manifests: number
  /** Nothing had to be copied. */
  readonly upToDate: boolean
  readonly seconds: number
}

/** An image that is there but for these tags. */
export interface Untagged {
  readonly digest: Digest
  readonly original: Digest | undefined
  /** What is below it: walked now, or remembered, and then it has all its tags. */
  readonly content: { readonly _tag: "Walked"; readonly tally: Tally } | {
    readonly _tag: "Remembered"
    readonly whole: Whole
  }
  readonly tags: ReadonlyArray<string>
}

export const walked = (digest: Digest, tally: Tally, tags: ReadonlyArray<string>, original?: Digest): Untagged => ({
  digest,
  original,
  content: { _tag: "Walked", tally },
  tags
})

export const remembered = (digest: Digest, whole: Whole, original: Digest | undefined): Untagged => ({
  digest,
  original,
  content: { _tag: "Remembered", whole },
  tags: []
})

/** Does a tag name this manifest? Registries tell of what they keep by its sha256, whatever it is referred to by. */
export const isOf = (manifest: Manifest, head: ManifestHead | undefined): boolean =>
  head?.digest === manifest.digest ||
  (head !== undefined && algorithmOf(head.digest) !== algorithmOf(manifest.digest) &&
    head.digest === digestOf(manifest.bytes, algorithmOf(head.digest)))

/** The tags of these that name something else than the manifest: equal digest, no PUT. */
export const missingTags = ({ backupTag }: Job, tags: ReadonlyArray<string>, manifest: Manifest) =>
  Effect.filter(tags, (tag) => Effect.map(backupTag(tag), (head) => !isOf(manifest, head)))

const allPresent = (count: number): ByHow => ({ uploaded: 0, mounted: 0, present: count })

const talliedOf = ({ content }: Untagged): Omit<Tally, "root"> => {
  if (content._tag === "Walked") return content.tally
  const { blobs, bytes, contents, manifests } = content.whole
  return { contents, manifests, blobs: allPresent(blobs), bytes: allPresent(bytes), pushed: 0 }
}

/** The end of a copy, as it is reported. */
export const report = Effect.fnUntraced(function*(job: Job, untagged: Untagged): Effect.fn.Return<Copied> {
  const { environment, progress, source, target } = job
  const { digest, original, tags } = untagged
  if (untagged.content._tag === "Remembered") {
    const { blobs, bytes } = untagged.content.whole
    progress.count().remember(blobs, bytes)
  }
  const { blobs, bytes, contents, pushed } = talliedOf(untagged)
  return {
    source,
    backup: original === undefined ? target : convertedBackupOf(environment.backup, source),
    digest,
    ...(original === undefined ? {} : { original }),
    contents,
    verifiedAt: yield* uptime,
    blobs,
    bytes,
    manifests: pushed,
    upToDate: pushed === 0 && blobs.uploaded === 0 && blobs.mounted === 0 && tags.length === 0,
    seconds: yield* environment.seconds
  }
})

const sum = ({ mounted, present, uploaded }: ByHow): number => uploaded + mounted + present

/** Puts the tags, and sees that the image is there; then it is remembered as whole. */
export const tagImage = Effect.fnUntraced(function*(job: Job, untagged: Untagged) {
  const { at, environment: { ledger, limits, registry }, image, into } = job
  const { content, digest, tags } = untagged
  if (content._tag === "Walked") {
    const { root } = content.tally
    yield* Effect.forEach(
      yield* puttable(job, tags, root),
      (tag) => at("backup")(registry.putManifest(into, tag, root)),
      { discard: true }
    )
  }
  const look = at("backup")(registry.headManifest(into, digest))
  const isThere = (seen: Option.Option<ManifestHead>) => Option.isSome(seen) && seen.value.digest === digest
  const stored = content._tag === "Walked" && (content.tally.pushed > 0 || tags.length > 0)
  // what was there before needs no time to appear
  const seen = yield* (stored ? lookingAgain(limits)(look, isThere) : look)
  if (Option.isNone(seen) || seen.value.digest !== digest) {
    ledger.forgetWhole(into.repository, digest)
    if (algorithmOf(digest) !== "sha256") return yield* otherAlgorithm(image, digest)
    return yield* new CloneError({
      image,
      reason: "unavailable",
      side: "backup",
      detail: `${format({ ...into, digest })} was pushed and is not there`,
      retryable: true,
      retryAfter: undefined
    })
  }
  // only what has been looked through now: or an image that is asked for often would never be again
  if (content._tag === "Walked") {
    const { blobs, bytes, contents, manifests } = content.tally
    ledger.noteWhole(into.repository, digest, { contents, manifests, blobs: sum(blobs), bytes: sum(bytes) })
  }
  return yield* report(job, untagged)
})
