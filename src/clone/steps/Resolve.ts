// What a source's name means now, and what the backup has of it by its tags alone: a HEAD or two to each side, before
// anything is read. Edge: asks; what is done about it is CopyImage's.
import { Effect, Option } from "effect"
import { type Backup, backupOf, isProtectionTag, protectionTag } from "../../image/BackupName.ts"
import { algorithmOf, type Digest } from "../../image/Digest.ts"
import { format, type ImageReference } from "../../image/ImageReference.ts"
import type { Repository } from "../../image/Repository.ts"
import { dockerManifest, mayBeSchema1 } from "../../image/ManifestDocument.ts"
import type { ManifestHead, Manifests } from "../../registry/api/Manifests.ts"
import { CloneError, fromRegistry } from "../CloneError.ts"
import { tagOfPin } from "../TagOfPin.ts"

/** What is to be copied, and the tag it gets. */
export interface Resolved {
  readonly digest: Digest
  /** Docker's schema 1: what `digest`, which the backup has, was converted from. */
  readonly original: Digest | undefined
  readonly tag: string | undefined
  /** The source counts what is read of it, or may. */
  readonly metered: boolean
  /** What the backup's human tag names now, where it is to be set or confirmed. */
  readonly named: Digest | undefined
  /** Does the human tag of the backup name it now, or, without one, the tag that protects it? */
  readonly held: boolean
}

/** What the source calls it. */
export const sourceDigest = ({ digest, original }: Resolved): Digest => original ?? digest

export interface ResolveOptions {
  readonly registry: Manifests
  readonly backup: Backup
  /** A repair: a converted image is converted again. */
  readonly repair: boolean
}

/** An image's names, and what they name. */
export interface Resolver {
  /** As people write it. */
  readonly image: string
  readonly from: Repository
  readonly into: Repository
  /** What the copy is called. */
  readonly target: ImageReference
  /** What a tag of the backup names. */
  readonly backupTag: (tag: string) => Effect.Effect<ManifestHead | undefined, CloneError>
  /** A source's tag that reads like one of the backup's protection tags, and is not what that would name. */
  readonly keptForAnother: (tag: string, digest: Digest) => CloneError
  readonly resolve: Effect.Effect<Resolved, CloneError>
}

export const makeResolver = ({ backup, registry, repair }: ResolveOptions, source: ImageReference): Resolver => {
  const image = format(source)
  const from: Repository = { registry: source.registry, repository: source.repository }
  const target = backupOf(backup, source)
  const into: Repository = { registry: target.registry, repository: target.repository }

  const failed = (reason: "not-found" | "unsupported", detail: string) =>
    new CloneError({ image, reason, side: "source", detail, retryable: false, retryAfter: undefined })

  const keptForAnother = (tag: string, digest: Digest) =>
    failed("unsupported", `the backup keeps ${tag} for another digest than the source's ${digest}`)

  const backupTag = (tag: string): Effect.Effect<ManifestHead | undefined, CloneError> =>
    registry.headManifest(into, tag, true).pipe(
      // Distribution fails at a tag whose manifest it cannot parse any more; for a repair that is no tag
      Effect.catchIf((error) => repair && error.reason === "Unreadable", () => Effect.succeedNone),
      // what it names is unknown, and may be pushed: the last look, when all is there, tells people of the policy
      Effect.catchIf((error) => error.reason === "Policy", () => Effect.succeedNone),
      Effect.mapError(fromRegistry(image, "backup")),
      Effect.map(Option.getOrUndefined)
    )
  const sourceTag = (tag: string) =>
    registry.headManifest(from, tag, true).pipe(
      Effect.mapError(fromRegistry(image, "source")),
      Effect.flatMap(Option.match({
        onNone: () => Effect.fail(failed("not-found", "the registry does not have it")),
        onSome: Effect.succeed
      }))
    )

  /** What the backup has of an image of schema 1: the tag of its digest names what it was converted to. */
  const convertedFrom = (digest: Digest, kept: ManifestHead | undefined): Digest | undefined =>
    repair || kept === undefined || kept.digest === digest || kept.mediaType !== dockerManifest ||
      algorithmOf(digest) !== "sha256"
      ? undefined
      : kept.digest

  const byTag = Effect.fnUntraced(function*(tag: string): Effect.fn.Return<Resolved, CloneError> {
    // both at once; where the source cannot be asked, what the backup says is asked for again
    const [there, here] = yield* Effect.all([sourceTag(tag), Effect.result(backupTag(tag))], { concurrency: 2 })
    if (isProtectionTag(tag) && protectionTag(there.digest) !== tag) {
      return yield* keptForAnother(tag, there.digest)
    }
    const converted = mayBeSchema1(there.mediaType)
      ? convertedFrom(there.digest, yield* backupTag(protectionTag(there.digest)))
      : undefined
    const digest = converted ?? there.digest
    const named = (yield* Effect.fromResult(here))?.digest
    return {
      digest,
      original: converted === undefined ? undefined : there.digest,
      tag,
      metered: there.metered,
      named,
      held: named === digest
    }
  })

  const byDigest = Effect.fnUntraced(function*(wanted: Digest, tag: string | undefined) {
    const [kept, here] = yield* Effect.all(
      [backupTag(protectionTag(wanted)), tag === undefined ? Effect.undefined : backupTag(tag)],
      { concurrency: 2 }
    )
    const other = convertedFrom(wanted, kept)
    // what was converted is not there itself; else the tag that protects it has been moved by somebody
    const converted = other !== undefined && (yield* backupTag(wanted)) === undefined ? other : undefined
    const digest = converted ?? wanted
    const original = converted === undefined ? undefined : wanted
    const named = here?.digest
    if (tag === undefined) return { digest, original, tag, metered: true, named, held: kept?.digest === digest }
    if (named === digest) return { digest, original, tag: undefined, metered: true, named, held: true }
    return { digest, original, tag: yield* tagOfPin(tag, wanted, sourceTag), metered: true, named, held: false }
  })

  const resolve: Effect.Effect<Resolved, CloneError> = source.digest === undefined
    ? byTag(source.tag ?? "latest")
    : byDigest(source.digest, source.tag)
  return { image, from, into, target, backupTag, keptForAnother, resolve }
}
