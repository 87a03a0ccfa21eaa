// The walk over an image's manifests: each is taken from the backup if it is there, else from the source; children
// come before parents, and a parent is pushed by its digest once all below it is there.
import { Effect, Fiber, Result, type Semaphore } from "effect"
import { algorithmOf, type Digest } from "../../image/Digest.ts"
import { blobsOf, type Descriptor, isManifestType, type Parsed, parseManifest } from "../../image/ManifestDocument.ts"
import type { Manifest, Manifests } from "../../registry/api/Manifests.ts"
import { targetOf, tooLarge } from "../../registry/api/Manifests.ts"
import type { RegistryError } from "../../registry/RegistryError.ts"
import { CloneError, type CloneReason, fromRegistry, type Side } from "../CloneError.ts"
import { type BlobContext, copyBlob, type How } from "../blob/CopyBlob.ts"
import { tooDeep, tooMany } from "./TreeLimits.ts"

export interface TreeContext extends BlobContext {
  readonly registry: BlobContext["registry"] & Manifests
  /** Blobs of this image on their way at once. */
  readonly slots: Semaphore.Semaphore
  /** Manifests that were read before, when the image was measured. */
  readonly known?: ReadonlyMap<Digest, Fetched>
  /** How the root is pushed where the backup does not have it: by a tag, in one request, when `before` is done. */
  readonly root?: { readonly tag: string; readonly before: (below: ReadonlyArray<Digest>) => Effect.Effect<void> }
  /** Parts whose bytes the backup is known to have wrong: they are sent again, whatever it says of them. */
  readonly damaged?: ReadonlySet<Digest> | undefined
  /** The image's own manifest is asked for: nothing is lost yet where a registry gives no answer. */
  readonly first?: boolean
  /** False: only look whether the backup holds everything; the source is not asked and nothing is pushed. */
  readonly complete: boolean
}

/** What was found and done below one image. */
export interface Tally {
  /** The image's own manifest, for its tags; undefined where there is nothing to tag. */
  readonly root: Manifest | undefined
  readonly contents: ReadonlySet<Digest>
  /** Manifests and indexes only, the image's own first. */
  readonly manifests: ReadonlyArray<Digest>
  readonly blobs: { uploaded: number; mounted: number; present: number }
  readonly bytes: { uploaded: number; mounted: number; present: number }
  readonly pushed: number
  readonly tagged: boolean
}

const childrenAtOnce = 3
/** An image can have thousands of blobs; more at once would only wait for each other's connections. */
const blobsAtOnce = 16
/** Of all manifests below one image: padded ones, each within what registries take, must not fill the memory. */
const mostManifestBytes = 32 * 1024 * 1024

const failed = (
  context: TreeContext,
  digest: Digest,
  side: Side,
  reason: CloneReason,
  detail: string,
  retryable = false
) =>
  new CloneError({
    image: context.image,
    reason,
    side,
    detail: `${targetOf(side === "source" ? context.source : context.target, digest)}: ${detail}`,
    retryable,
    retryAfter: undefined
  })

/** Registries can know manifests by sha256 only: Distribution is one. Whoever asks for another digest gets nothing there. */
export const otherAlgorithm = (image: string, digest: Digest) =>
  new CloneError({
    image,
    reason: "unsupported",
    side: "source",
    detail: `the backup registry does not know manifests by ${algorithmOf(digest)}, as ${digest.slice(0, 24)}…`,
    retryable: false,
    retryAfter: undefined
  })

/** A manifest that was refused, by its name where the reason is what it is. */
const refusedPut = (context: TreeContext, digest: Digest, { document }: Parsed, error: RegistryError): CloneError => {
  const plain = fromRegistry(context.image, "backup")(error)
  if (error.reason !== "Incomplete" && error.reason !== "Invalid" && error.reason !== "Unsupported") return plain
  if (document._tag === "Artifact" && error.reason !== "Incomplete") {
    const detail = "it is an OCI artifact manifest, a type that was withdrawn, which the backup registry does not take"
    return new CloneError({ ...plain, reason: "unsupported", side: "source", detail, retryable: false })
  }
  if (algorithmOf(digest) !== "sha256" && error.reason === "Invalid") return otherAlgorithm(context.image, digest)
  // Distribution takes no manifest with layers that are elsewhere unless told to, and says that blobs are missing
  const elsewhere = document._tag === "Image" && document.layers.some((it) => it.foreign)
  if (!elsewhere || error.reason === "Unsupported") return plain
  return new CloneError({
    ...plain,
    reason: "denied",
    detail: `${plain.detail}; it has foreign layers, and the backup registry refuses layers with URLs ` +
      "(Distribution: validation.manifests.urls.allow)",
    retryable: false
  })
}

/** A manifest's bytes, and whether the backup has them. */
export interface Fetched {
  readonly manifest: Manifest
  readonly present: boolean
}

/**
 * The manifest of a digest from the backup, else from the source; damaged bytes in the backup count as none. `atOnce` asks
 * both at the same time, at the price of a download that may not be needed.
 */
export const fetchManifest = Effect.fnUntraced(function*(
  context: TreeContext,
  digest: Digest,
  atOnce = false
): Effect.fn.Return<Fetched, CloneError> {
  const { complete, first, image, registry, source, target } = context
  const known = context.known?.get(digest)
  if (known !== undefined) return known
  const fromSource = Effect.mapError(registry.getManifest(source, digest, first), fromRegistry(image, "source"))
  const asking = atOnce ? yield* Effect.forkChild(fromSource) : undefined
  const present = context.damaged?.has(digest) === true
    ? undefined
    : yield* registry.getManifest(target, digest, first).pipe(
      Effect.catchIf((error) => error.reason === "NotFound" || error.reason === "Corrupt", () => Effect.undefined),
      Effect.mapError(fromRegistry(image, "backup"))
    )
  if (present !== undefined) return { manifest: present, present: true }
  if (!complete) return yield* failed(context, digest, "backup", "not-found", "the backup does not hold it")
  const manifest = yield* (asking === undefined ? fromSource : Fiber.join(asking))
  return { manifest, present: false }
})

/** Copies (or, unless `complete`, looks at) all below one manifest, and the manifest by its digest. */
export const copyTree = Effect.fnUntraced(function*(
  context: TreeContext,
  fetched: Fetched
): Effect.fn.Return<Tally, CloneError> {
  const walk = new Walk(context)
  yield* walk.manifest(fetched.manifest.digest, 0, false, fetched)
  return {
    root: walk.root,
    contents: walk.contents,
    manifests: walk.manifests,
    blobs: walk.blobs,
    bytes: walk.bytes,
    pushed: walk.pushed,
    tagged: false
  }
})

class Walk {
  readonly contents = new Set<Digest>()
  readonly manifests: Array<Digest> = []
  readonly blobs = { uploaded: 0, mounted: 0, present: 0 }
  readonly bytes = { uploaded: 0, mounted: 0, present: 0 }
  pushed = 0
  root: Manifest | undefined
  #descriptors = 0
  #manifestBytes = 0
  readonly #context: TreeContext
  // a digest that is met twice is done once, and whoever meets it second waits for the first
  readonly #known = new Map<Digest, Effect.Effect<void, CloneError>>()
  readonly #blobs = new Map<Digest, Effect.Effect<void, CloneError>>()
  readonly #counted = new Map<Digest, How>()
  constructor(context: TreeContext) {
    this.#context = context
  }

  /** Makes one manifest and all below it present in the backup; `force` pushes it whatever the backup says. */
  readonly manifest = (
    digest: Digest,
    depth: number,
    force: boolean,
    given?: Fetched
  ): Effect.Effect<void, CloneError> =>
    Effect.suspend(() => {
      const known = force ? undefined : this.#known.get(digest)
      if (known !== undefined) return known
      return Effect.flatMap(Effect.cached(this.#bringManifest(digest, depth, force, given)), (once) => {
        this.#known.set(digest, once)
        return once
      })
    })

  readonly #bringManifest = Effect.fnUntraced(
    { self: this },
    function*(digest: Digest, depth: number, force: boolean, given: Fetched | undefined) {
      const { limits, progress, registry, target } = this.#context
      if (!force) progress.manifests.total++
      const deep = tooDeep(depth)
      if (deep !== undefined) return yield* failed(this.#context, digest, "source", "unsupported", deep)
      const { manifest, present } = given ?? (yield* fetchManifest(this.#context, digest))
      this.#manifestBytes += manifest.bytes.length
      if (this.#manifestBytes > mostManifestBytes) {
        const detail = `its manifests have more than ${mostManifestBytes} bytes in all`
        return yield* failed(this.#context, digest, "source", "unsupported", detail)
      }
      // before what is below it is moved in vain
      if (!present && manifest.bytes.length > limits.manifestBytes) {
        return yield* failed(this.#context, digest, "source", "unsupported", tooLarge(manifest.bytes, limits))
      }
      const parsed = parseManifest(manifest.bytes, manifest.mediaType)
      if (Result.isFailure(parsed)) {
        return yield* failed(this.#context, digest, "source", "unsupported", parsed.failure)
      }
      this.contents.add(digest)
      if (!force) this.manifests.push(digest)
      yield* this.#children(digest, parsed.success, depth, force)
      const whole = { ...manifest, mediaType: parsed.success.mediaType }
      if (!present || force) {
        const root = depth === 0 && !present ? this.#context.root : undefined
        if (root !== undefined) yield* root.before(this.manifests)
        // a tag makes it known by its sha256 only
        const name = root !== undefined && algorithmOf(digest) === "sha256" ? root.tag : digest
        const put = registry.putManifest(target, name, whole)
        const outcome = yield* Effect.result(put)
        if (Result.isFailure(outcome)) {
          const refused = (error: RegistryError) => refusedPut(this.#context, digest, parsed.success, error)
          if (outcome.failure.reason !== "Incomplete" || force) return yield* refused(outcome.failure)
          // the registry had said of a child that it is there: all are sent once more, whatever it says
          yield* this.#children(digest, parsed.success, depth, true)
          yield* Effect.mapError(put, refused)
        }
        this.pushed++
      }
      if (!force) progress.manifests.done++
      if (depth === 0) this.root = whole
    }
  )

  readonly #children = (
    digest: Digest,
    { document }: Parsed,
    depth: number,
    force: boolean
  ): Effect.Effect<void, CloneError> => {
    if (document._tag === "Schema1") {
      return Effect.fail(
        failed(
          this.#context,
          digest,
          "source",
          "unsupported",
          "it is in Docker's schema 1, which can be converted, but not below an index, whose digest would be another then"
        )
      )
    }
    const below = document._tag === "Index" ? document.manifests : blobsOf(document)
    if (!force) this.#descriptors += below.length
    const many = tooMany(this.#descriptors)
    if (many !== undefined) {
      return Effect.fail(
        failed(this.#context, digest, "source", "unsupported", many)
      )
    }
    if (document._tag === "Index") {
      return Effect.forEach(below, (it) => this.#indexed(it, depth, force), {
        concurrency: childrenAtOnce,
        discard: true
      })
    }
    if (document._tag === "Image") this.contents.add(document.config.digest)
    return Effect.forEach(below, (it) => this.#blob(it, force), { concurrency: blobsAtOnce, discard: true })
  }

  /** A child of an index is a manifest; one of an unknown type can be a blob, and is tried as both. */
  readonly #indexed = (child: Descriptor, depth: number, force: boolean): Effect.Effect<void, CloneError> => {
    const bring = this.manifest(child.digest, depth + 1, force)
    return isManifestType(child.mediaType)
      ? bring
      : Effect.catchIf(bring, (error) => error.reason === "not-found", () => this.#blob(child, force))
  }

  readonly #blob = (blob: Descriptor, force: boolean): Effect.Effect<void, CloneError> =>
    Effect.suspend(() => {
      const known = force ? undefined : this.#blobs.get(blob.digest)
      if (known !== undefined) return known
      return Effect.flatMap(Effect.cached(this.#bringBlob(blob, force)), (once) => {
        this.#blobs.set(blob.digest, once)
        return once
      })
    })

  readonly #bringBlob = Effect.fnUntraced({ self: this }, function*(blob: Descriptor, force: boolean) {
    const { complete, damaged, ledger, progress, slots, target } = this.#context
    const again = force || damaged?.has(blob.digest) === true
    if (!force) {
      progress.blobs.total++
      progress.bytes.total += blob.size
    }
    const how = yield* (complete ? copyBlob(this.#context, blob, again) : slots.withPermit(this.#look(blob)))
    this.#count(blob, how, force)
    if (how === "uploaded" || how === "mounted") ledger.noteBlob(target.repository, blob.digest)
  })

  readonly #look = (blob: Descriptor): Effect.Effect<How, CloneError> =>
    this.#context.registry.hasBlob(this.#context.target, blob.digest).pipe(
      Effect.mapError(fromRegistry(this.#context.image, "backup")),
      Effect.filterOrElse(
        (there) => there,
        () => Effect.fail(failed(this.#context, blob.digest, "backup", "not-found", "the backup does not hold it"))
      ),
      Effect.as<How>("present")
    )

  #count(blob: Descriptor, how: How, force: boolean): void {
    const { progress } = this.#context
    const before = this.#counted.get(blob.digest)
    this.#counted.set(blob.digest, how)
    if (!force) progress.blobs.done++
    // what was counted as there, and was not, has been moved after all
    if (before !== undefined && before !== "left") {
      this.blobs[before]--
      this.bytes[before] -= blob.size
      progress.bytes.done -= blob.size
    }
    if (how === "left") return
    this.blobs[how]++
    this.bytes[how] += blob.size
    if (how !== "uploaded") progress.bytes.done += blob.size
  }
}
