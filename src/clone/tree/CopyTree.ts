// CopyTree: brings an image's manifests and blobs to the backup. Each manifest is taken from the backup if it is there, else from
// the source, and pushed by its digest once all below it is there. Edge: the way through them is Walk.ts.
import { Effect, type Semaphore } from "effect"
import { algorithmOf, type Digest } from "../../image/Digest.ts"
import type { Descriptor } from "../../image/ManifestDocument.ts"
import type { Manifest } from "../../registry/api/Manifests.ts"
import { tooLarge } from "../../registry/api/ManifestAnswer.ts"
import type { BlobContext } from "../blob/BlobContext.ts"
import { copyBlob } from "../blob/CopyBlob.ts"
import { type CloneError, fromRegistry } from "../CloneError.ts"
import type { ByHow } from "../Counter.ts"
import { absent, failed, type Fetched, fetchHeld, fetchPart, type ManifestContext } from "./FetchManifest.ts"
import { putManifest } from "./PutManifest.ts"
import { type Either, makeWalk, type Pace, type Place, type Visitor } from "./Walk.ts"

export interface TreeContext extends BlobContext, ManifestContext {
  readonly registry: BlobContext["registry"] & ManifestContext["registry"]
  /** Blobs of this image on their way at once. */
  readonly slots: Semaphore.Semaphore
  /** How the root is pushed where the backup does not have it: by a tag, in one request, when `before` is done. */
  readonly root?: { readonly tag: string; readonly before: (below: ReadonlyArray<Digest>) => Effect.Effect<void> }
}

/** What was found and done below one image. */
export interface Tally {
  /** The image's own manifest, as it is to be tagged. */
  readonly root: Manifest
  readonly contents: ReadonlySet<Digest>
  /** Manifests and indexes only, the image's own first. */
  readonly manifests: ReadonlyArray<Digest>
  readonly blobs: ByHow
  readonly bytes: ByHow
  readonly pushed: number
}

/** An image can have thousands of blobs; more at once would only wait for each other's connections. */
const pace: Pace = { children: 3, blobs: 16, most: Infinity }

/** What copying and looking have in common: whatever cannot be kept ends the walk. */
const strict = (context: ManifestContext) => {
  const unfit = ({ digest }: Place, detail: string) =>
    Effect.fail(failed(context, digest, "source", "unsupported", detail))
  return {
    unfit,
    schema1: (place: Place) =>
      unfit(
        place,
        "it is in Docker's schema 1, which can be converted, but not below an index, whose digest would be another then"
      ),
    /** A child of an unknown type is tried as both. */
    either: (_: Descriptor, { blob, manifest }: Either<CloneError>) =>
      Effect.catchIf(manifest, (error) => error.reason === "not-found", () => blob)
  }
}

type TreeVisitor = Omit<Visitor<Fetched, CloneError>, keyof ReturnType<typeof strict>>

const walkTree = Effect.fnUntraced(function*(
  context: TreeContext,
  { manifest }: Fetched,
  visitor: TreeVisitor
): Effect.fn.Return<Tally, CloneError> {
  const { counter } = context
  const found: { root?: Manifest } = {}
  const walk = yield* makeWalk<Fetched, CloneError>(
    {
      ...strict(context),
      ...visitor,
      done: (visited, again) => {
        const { digest, parsed, read } = visited
        if (digest === manifest.digest) found.root = { ...read.manifest, mediaType: parsed.mediaType }
        return visitor.done?.(visited, again) ?? Effect.void
      }
    },
    counter,
    pace
  )
  yield* walk.from(manifest.digest)
  return {
    root: found.root ?? manifest,
    contents: walk.contents,
    manifests: walk.manifests,
    blobs: counter.blobs,
    bytes: counter.bytes,
    pushed: counter.manifests.pushed
  }
})

/** Copies all below one manifest, and the manifest by its digest. */
export const copyTree = Effect.fnUntraced(function*(
  context: TreeContext,
  root: Fetched
): Effect.fn.Return<Tally, CloneError> {
  const { counter, damaged, ledger, limits, backup } = context
  const { digest: rootDigest } = root.manifest
  return yield* walkTree(context, root, {
    read: Effect.fnUntraced(function*(place) {
      const { digest } = place
      const fetched = digest === rootDigest ? root : yield* fetchPart(context, place)
      const { manifest: { bytes }, present } = fetched
      // before what is below it is moved in vain
      if (present || bytes.length <= limits.manifestBytes) return fetched
      return yield* failed(context, digest, "source", "unsupported", tooLarge(bytes, limits))
    }),
    blob: Effect.fnUntraced(function*(blob, _, again) {
      const how = yield* copyBlob(context, blob, again || damaged?.has(blob.digest) === true)
      counter.settle(blob, how)
      if (how === "uploaded" || how === "mounted") ledger.noteBlob(backup.repository, blob.digest)
    }),
    done: Effect.fnUntraced(function*({ digest, manifests, parsed, read: { manifest, present } }, again) {
      // a second time it is pushed whatever the backup says: it has just missed what it had said was there
      if (present && again !== undefined) return
      const name = digest === rootDigest && !present ? context.root : undefined
      if (name !== undefined) yield* name.before(manifests)
      // a tag makes it known by its sha256 only
      const reference = name !== undefined && algorithmOf(digest) === "sha256" ? name.tag : digest
      yield* putManifest(context, reference, manifest, parsed, again)
      counter.manifests.pushed++
    })
  })
})

/** Looks whether the backup holds all of an image: the source is not asked and nothing is pushed. */
export const lookAtTree = (
  context: TreeContext,
  root: Fetched
): Effect.Effect<Tally, CloneError> =>
  walkTree(context, root, {
    read: ({ digest }) => digest === root.manifest.digest ? Effect.succeed(root) : fetchHeld(context, digest),
    blob: (blob) =>
      context.slots.withPermit(context.registry.hasBlob(context.backup, blob.digest)).pipe(
        Effect.mapError(fromRegistry(context.image, "backup")),
        Effect.flatMap((there) =>
          there
            ? Effect.sync(() => context.counter.settle(blob, "present"))
            : Effect.fail(absent(context, blob.digest))
        )
      )
  })
