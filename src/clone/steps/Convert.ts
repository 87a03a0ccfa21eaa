// Convert: the copy of an image in Docker's schema 1, which becomes an image under another digest.
import { Effect } from "effect"
import { protectionTag } from "../../image/BackupName.ts"
import { algorithmOf, type Digest } from "../../image/Digest.ts"
import type { Manifest } from "../../registry/api/Manifests.ts"
import type { CloneError } from "../CloneError.ts"
import { convert } from "../schema1/Schema1Copy.ts"
import { copyTree, lookAtTree } from "../tree/CopyTree.ts"
import { fetchHeld } from "../tree/FetchManifest.ts"
import { otherAlgorithm } from "../tree/PutManifest.ts"
import type { Job } from "./Job.ts"
import { missingTags, type Untagged, walked } from "./Tag.ts"

/** A converted image that the backup may hold whole; undefined where it does not, and it is converted again. */
export const lookAtConverted = Effect.fnUntraced(function*(
  job: Job,
  digest: Digest,
  original: Digest,
  tag: string | undefined
): Effect.fn.Return<Untagged | undefined, CloneError> {
  const tally = yield* fetchHeld(job.manifests, digest).pipe(
    Effect.flatMap((fetched) => lookAtTree(job.walk(), fetched)),
    Effect.catchIf((error) => error.reason === "not-found", () => Effect.undefined)
  )
  if (tally === undefined) return undefined
  const missing = yield* missingTags(job, [protectionTag(digest), ...(tag === undefined ? [] : [tag])], tally.root)
  return walked(digest, tally, missing, original)
})

/** Converts it and pushes what it became. */
export const copyConverted = Effect.fnUntraced(function*(
  job: Job,
  manifest: Manifest,
  tag: string | undefined
): Effect.fn.Return<Untagged, CloneError> {
  const { environment: { mostBytes }, image } = job
  const original = manifest.digest
  if (algorithmOf(original) !== "sha256") return yield* otherAlgorithm(image, original)
  const { context, fetched } = yield* convert(job.walk(), manifest, mostBytes)
  const { digest } = fetched.manifest
  // no source has signatures of what was made here
  const root = { tag: protectionTag(digest), before: () => Effect.void }
  const tally = yield* copyTree({ ...context, root }, fetched)
  const names = [protectionTag(digest), protectionTag(original), ...(tag === undefined ? [] : [tag])]
  return walked(digest, tally, yield* missingTags(job, names, tally.root), original)
})
