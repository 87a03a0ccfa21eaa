// One image from its source to the backup, leaf first: blobs, configs, image manifests, indexes, then the tags, the
// human one last. Everything is looked for in the backup before the source is asked, so a retry costs what is missing.
// Edge: no permits, no single flight (Cloner.ts); what the names are is image/BackupName.ts.
import { Clock, Effect, Fiber, Option, Result, Semaphore } from "effect"
import { type Backup, backupOf, isUnder, protectionTag } from "../image/BackupName.ts"
import type { Digest } from "../image/Digest.ts"
import { format, type ImageReference } from "../image/ImageReference.ts"
import type { Repository } from "../registry/Access.ts"
import type { Limits } from "../registry/Limits.ts"
import type { RegistryClient } from "../registry/RegistryClient.ts"
import { CloneError, fromRegistry } from "./CloneError.ts"
import { copyReferrers, type ReferrerContext } from "./CopyReferrers.ts"
import { copyTree, fetchManifest, type Tally } from "./CopyTree.ts"
import type { Ledger, Whole } from "./Ledger.ts"
import { measure } from "./Measure.ts"
import type { Progress } from "./Progress.ts"

/** What became of one image. */
export interface Copied {
  readonly source: ImageReference
  readonly target: ImageReference
  readonly digest: Digest
  /** Every manifest and config digest below the image, itself included; none where a tag was believed. */
  readonly contents: ReadonlySet<Digest>
  /** When the backup was last seen to hold it, epoch milliseconds. */
  readonly verifiedAt: number
  readonly blobs: { readonly uploaded: number; readonly mounted: number; readonly present: number }
  readonly bytes: { readonly uploaded: number; readonly mounted: number; readonly present: number }
  /** Manifests and indexes pushed. */
  readonly manifests: number
  /** Nothing had to be copied. */
  readonly upToDate: boolean
  readonly seconds: number
}

export interface CopyEnvironment {
  readonly registry: RegistryClient["Service"]
  readonly limits: Limits
  readonly ledger: Ledger
  readonly backup: Backup
  /** MAX_IMAGE_SIZE in bytes. */
  readonly mostBytes: number | undefined
  /** Are signatures, SBOMs and attestations wanted? */
  readonly referrers: boolean
  /** Is an image there because the backup's tag names it? */
  readonly believeTags: boolean
  /** For a repair: nothing is believed because it was seen before, and these parts are sent again in any case. */
  readonly damaged?: ReadonlySet<Digest>
}

/** Blobs of one image on their way at once. */
const blobsAtOnce = 3

/** What is to be copied, and the tag it gets. */
interface Resolved {
  readonly digest: Digest
  readonly tag: string | undefined
  /** The source counts what is read of it, or may. */
  readonly metered: boolean
  /** Does a tag of the backup name it now? */
  readonly held: boolean
}

/** Copies one image and sees that it is there. */
export const copyImage = (environment: CopyEnvironment, source: ImageReference, progress: Progress) =>
  Effect.gen(function*() {
    const { backup, damaged, ledger, limits, registry } = environment
    const image = format(source)
    const started = yield* Clock.monotonicTimeNanos
    const from: Repository = { registry: source.registry, repository: source.repository }
    const target = backupOf(backup, source)
    const into: Repository = { registry: target.registry, repository: target.repository }
    const atSource = Effect.mapError(fromRegistry(image, "source"))
    const atBackup = Effect.mapError(fromRegistry(image, "backup"))
    if (isUnder(backup, source)) {
      return yield* new CloneError({
        image,
        reason: "unsupported",
        side: "source",
        detail: "it is in the backup already",
        retryable: false,
        retryAfter: undefined
      })
    }
    const tree = { image, registry, limits, ledger, source: from, target: into, progress, damaged }

    const backupTag = (tag: string) =>
      registry.headManifest(into, tag).pipe(
        // Distribution fails at a tag whose manifest it cannot parse any more; for a repair that is no tag
        Effect.catchIf((error) => damaged !== undefined && error.status === 500, () => Effect.succeedNone),
        atBackup,
        Effect.map(Option.getOrUndefined)
      )
    const sourceTag = (tag: string) =>
      atSource(registry.headManifest(from, tag)).pipe(
        Effect.filterOrElse(
          Option.isSome,
          () =>
            Effect.fail(
              new CloneError({
                image,
                reason: "not-found",
                side: "source",
                detail: "the registry does not have it",
                retryable: false,
                retryAfter: undefined
              })
            )
        ),
        Effect.map((it) => it.value)
      )

    const contextOf = (complete: boolean) =>
      Effect.map(Semaphore.make(blobsAtOnce), (slots): ReferrerContext => ({ ...tree, slots, complete }))

    const copied = Effect.fnUntraced(function*(digest: Digest, tally: Tally) {
      const { blobs, bytes, contents } = tally
      const result: Copied = {
        source,
        target,
        digest,
        contents,
        verifiedAt: yield* Clock.currentTimeMillis,
        blobs,
        bytes,
        manifests: tally.pushed,
        upToDate: tally.pushed === 0 && blobs.uploaded === 0 && blobs.mounted === 0 && !tally.tagged,
        seconds: Number((yield* Clock.monotonicTimeNanos) - started) / 1e9
      }
      return result
    })

    let signed = true
    /** Brings over what refers to these, and remembers it where nothing of it failed. */
    const bringReferrers = (context: ReferrerContext, subjects: ReadonlyArray<Digest>, seenBefore: boolean) =>
      environment.referrers
        ? Effect.map(copyReferrers(context, subjects, seenBefore), (complete) => {
          signed &&= complete
        })
        : Effect.void

    /** An image that is there already may have been signed since it was looked at. */
    const renewReferrers = Effect.fnUntraced(function*(digest: Digest, subjects: ReadonlyArray<Digest>) {
      if (!environment.referrers || (yield* ledger.signed(into.repository, digest))) return
      yield* bringReferrers(yield* contextOf(true), subjects, true)
      if (signed) yield* ledger.noteSigned(into.repository, digest)
    })

    const finish = Effect.fnUntraced(function*(digest: Digest, tally: Tally) {
      const seen = yield* atBackup(registry.headManifest(into, digest))
      if (Option.isNone(seen) || seen.value.digest !== digest) {
        ledger.forgetWhole(into.repository, digest)
        return yield* new CloneError({
          image,
          reason: "unavailable",
          side: "backup",
          detail: `${format({ ...into, digest })} was pushed and is not there`,
          retryable: true,
          retryAfter: undefined
        })
      }
      const { blobs, bytes, contents } = tally
      yield* ledger.noteWhole(into.repository, digest, {
        contents,
        manifests: tally.manifests,
        blobs: blobs.uploaded + blobs.mounted + blobs.present,
        bytes: bytes.uploaded + bytes.mounted + bytes.present
      })
      return yield* copied(digest, tally)
    })

    /** Where the source cannot answer, a tag that the backup holds whole is a backup all the same. */
    const withoutSource = Effect.fnUntraced(function*(tag: string, why: CloneError) {
      const head = yield* Effect.option(backupTag(tag))
      const digest = Option.getOrUndefined(head)?.digest
      if (digest === undefined) return yield* why
      const context = yield* contextOf(false)
      const tally = yield* fetchManifest(context, digest).pipe(
        Effect.flatMap((fetched) => copyTree(context, fetched)),
        Effect.mapError(() => why)
      )
      yield* Effect.logInfo("the source cannot be asked; the backup holds the image").pipe(
        Effect.annotateLogs({ image, reason: why.reason })
      )
      return yield* finish(digest, tally)
    })

    /** A registry may lie on HEAD: then the bytes behind the tag decide, and their own digest. */
    const fetchRoot = (context: ReferrerContext, { digest, held, metered, tag }: Resolved) =>
      fetchManifest(context, digest, !held && !metered).pipe(
        Effect.catchIf(
          (error) =>
            source.digest === undefined && tag !== undefined && error.side === "source" &&
            (error.reason === "not-found" || error.reason === "corrupt"),
          () =>
            Effect.map(
              atSource(registry.getManifest(from, tag ?? "latest")),
              (manifest) => ({ manifest, present: false })
            )
        )
      )

    const resolve: Effect.Effect<Resolved, CloneError> = Effect.gen(function*() {
      const { digest, tag } = source
      if (digest === undefined) {
        const named = tag ?? "latest"
        // both at once; where the source cannot be asked, what the backup says is asked for again
        const [there, here] = yield* Effect.all([sourceTag(named), Effect.result(backupTag(named))], { concurrency: 2 })
        return {
          digest: there.digest,
          tag: named,
          metered: there.metered,
          held: (yield* Effect.fromResult(here))?.digest === there.digest
        }
      }
      if (tag === undefined) {
        const held = environment.believeTags && (yield* backupTag(protectionTag(digest)))?.digest === digest
        return { digest, tag: undefined, metered: true, held }
      }
      // the backup's tag is set only where the source's tag means this digest; a source that cannot say means "no"
      if ((yield* backupTag(tag))?.digest === digest) return { digest, tag: undefined, metered: true, held: true }
      const head = yield* Effect.option(sourceTag(tag))
      return {
        digest,
        tag: Option.isSome(head) && head.value.digest === digest ? tag : undefined,
        metered: true,
        held: false
      }
    })

    const outcome = yield* Effect.result(resolve)
    if (Result.isFailure(outcome)) {
      return source.digest === undefined && outcome.failure.side === "source"
        ? yield* withoutSource(source.tag ?? "latest", outcome.failure)
        : yield* outcome.failure
    }
    const { digest: told, held, tag } = outcome.success

    const nothing = ({ blobs, bytes, contents, manifests }: Whole): Tally => {
      progress.blobs.total = progress.blobs.done = blobs
      progress.bytes.total = progress.bytes.done = bytes
      return {
        root: undefined,
        contents,
        manifests,
        blobs: { uploaded: 0, mounted: 0, present: blobs },
        bytes: { uploaded: 0, mounted: 0, present: bytes },
        pushed: 0,
        tagged: false
      }
    }
    if (damaged === undefined && held && environment.believeTags) {
      yield* renewReferrers(told, [told])
      return yield* copied(told, nothing({ blobs: 0, bytes: 0, contents: new Set(), manifests: [] }))
    }
    const known = damaged === undefined ? yield* ledger.whole(into.repository, told) : undefined
    if (known !== undefined && (tag === undefined || held)) {
      yield* renewReferrers(told, known.manifests)
      return yield* finish(told, nothing(known))
    }

    const context = yield* contextOf(true)
    const fetched = yield* fetchRoot(context, outcome.success)
    const digest = fetched.manifest.digest
    const { mostBytes } = environment
    const protection = protectionTag(digest)
    // what is there already is kept, however large
    const measured = mostBytes === undefined || fetched.present
      ? undefined
      : yield* measure(context, fetched, mostBytes)
    // looked for while the blobs move, and there before any tag, or a policy could see the image unsigned
    const ofRoot = yield* Effect.forkChild(
      fetched.present ? Effect.void : bringReferrers(context, [digest], false)
    )
    const before = (manifests: ReadonlyArray<Digest>) =>
      Effect.andThen(
        Fiber.join(ofRoot),
        bringReferrers(context, manifests.filter((it) => it !== digest), false)
      )
    const tally = yield* copyTree(
      { ...context, root: { tag: protection, before }, ...(measured === undefined ? {} : { known: measured }) },
      fetched
    )
    // what the backup did not have, none of its tags named; equal digest, no PUT: registries with immutable tags refuse that
    const unprotected = fetched.present && (yield* backupTag(protection))?.digest !== digest
    const missing = [
      ...(unprotected ? [protection] : []),
      ...(tag === undefined || (held && digest === told) ? [] : [tag])
    ]
    if (fetched.present && missing.length > 0) yield* bringReferrers(context, tally.manifests, false)
    else if (fetched.present) yield* renewReferrers(digest, tally.manifests)
    if (environment.referrers && signed) yield* ledger.noteSigned(into.repository, digest)
    for (const name of missing) yield* atBackup(registry.putManifest(into, name, tally.root ?? fetched.manifest))
    return yield* finish(digest, { ...tally, tagged: missing.length > 0 })
  })
