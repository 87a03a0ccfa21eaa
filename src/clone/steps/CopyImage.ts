// One image from its source to the backup, leaf first: blobs, configs, image manifests, indexes, then the tags, the
// human one last. Everything is looked for in the backup before the source is asked, so a retry costs what is missing.
// Edge: permits are given and the single flight is seen to by Cloner.ts; what the names are is image/BackupName.ts.
import { Clock, Duration, Effect, Fiber, Option, Result, Semaphore } from "effect"
import { uptime } from "../../telemetry/Uptime.ts"
import { convertedBackupOf, isProtectionTag, isUnder, protectionTag } from "../../image/BackupName.ts"
import { algorithmOf, type Digest, digestOf } from "../../image/Digest.ts"
import { format, type ImageReference } from "../../image/ImageReference.ts"
import type { Manifest, ManifestHead } from "../../registry/api/Manifests.ts"
import { CloneError, fromRegistry } from "../CloneError.ts"
import type { CopyEnvironment } from "./CopyEnvironment.ts"
import { copyReferrers, type ReferrerContext } from "../tree/CopyReferrers.ts"
import { copyTree, type Fetched, fetchManifest, otherAlgorithm, type Tally } from "../tree/CopyTree.ts"
import type { Whole } from "../Ledger.ts"
import { measure } from "../tree/Measure.ts"
import type { Progress } from "../Progress.ts"
import { makeResolver, type Resolved } from "./Resolve.ts"
import { convert, isSchema1 } from "../schema1/Schema1Copy.ts"

/** What became of one image. */
export interface Copied {
  readonly source: ImageReference
  readonly target: ImageReference
  readonly digest: Digest
  /** What the source calls it, where it was converted from Docker's schema 1: an image under another digest. */
  readonly original?: Digest
  /** Every manifest and config digest below the image, itself included; none where a tag was believed. */
  readonly contents: ReadonlySet<Digest>
  /** When the backup was last seen to hold it: uptime in milliseconds. */
  readonly verifiedAt: number
  readonly blobs: { readonly uploaded: number; readonly mounted: number; readonly present: number }
  readonly bytes: { readonly uploaded: number; readonly mounted: number; readonly present: number }
  /** Manifests and indexes pushed. */
  readonly manifests: number
  /** Nothing had to be copied. */
  readonly upToDate: boolean
  readonly seconds: number
}

/** After what time it is asked again whether a rollout still uses a tag. */
const inUseRest = Duration.seconds(15)

/** Blobs of one image on their way at once. */
const blobsAtOnce = 3

/** What is there but for these tags, and is to be confirmed by one more look. */
interface Done {
  readonly digest: Digest
  readonly tally: Tally
  readonly tags: ReadonlyArray<string>
  readonly original: Digest | undefined
}

const doneOf = (digest: Digest, tally: Tally, tags: ReadonlyArray<string>, original?: Digest): Done => ({
  digest,
  tally: { ...tally, tagged: tags.length > 0 },
  tags,
  original
})

/** Does a tag name this manifest? Registries tell of what they keep by its sha256, whatever it is referred to by. */
const isOf = (manifest: Manifest, head: ManifestHead | undefined): boolean =>
  head?.digest === manifest.digest ||
  (head !== undefined && algorithmOf(head.digest) !== algorithmOf(manifest.digest) &&
    head.digest === digestOf(manifest.bytes, algorithmOf(head.digest)))

/** What the source calls it. */
const sourceOf = ({ digest, original }: Resolved): Digest => original ?? digest

/** Copies one image and sees that it is there. */
export const copyImage = (environment: CopyEnvironment, source: ImageReference, progress: Progress) =>
  Effect.gen(function*() {
    const { backup, damaged, landings, ledger, limits, registry } = environment
    const resolver = makeResolver({ registry, backup, repair: damaged !== undefined }, source)
    const { backupTag, from, image, into } = resolver
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

    const contextOf = (complete: boolean) =>
      Effect.map(
        Semaphore.make(blobsAtOnce),
        (slots): ReferrerContext => ({ ...tree, slots, complete, mostBytes: environment.mostBytes })
      )

    const copied = Effect.fnUntraced(function*(digest: Digest, tally: Tally, original?: Digest) {
      const { blobs, bytes, contents } = tally
      const result: Copied = {
        source,
        target: original === undefined ? resolver.target : convertedBackupOf(backup, source),
        digest,
        ...(original === undefined ? {} : { original }),
        contents,
        verifiedAt: yield* uptime,
        blobs,
        bytes,
        manifests: tally.pushed,
        upToDate: tally.pushed === 0 && blobs.uploaded === 0 && blobs.mounted === 0 && !tally.tagged,
        seconds: yield* environment.seconds
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
      if (!environment.referrers || ledger.signed(into.repository, digest)) return
      yield* bringReferrers(yield* contextOf(true), subjects, true)
      if (signed) ledger.noteSigned(into.repository, digest)
    })

    const finish = Effect.fnUntraced(function*({ digest, original, tags, tally }: Done) {
      const { root } = tally
      if (root !== undefined) {
        yield* Effect.forEach(tags, (tag) => atBackup(registry.putManifest(into, tag, root)), { discard: true })
      }
      const seen = yield* atBackup(registry.headManifest(into, digest))
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
      const { blobs, bytes, contents } = tally
      // only what has been looked through now: or an image that is asked for often would never be again
      if (tally.root !== undefined) {
        ledger.noteWhole(into.repository, digest, {
          contents,
          manifests: tally.manifests,
          blobs: blobs.uploaded + blobs.mounted + blobs.present,
          bytes: bytes.uploaded + bytes.mounted + bytes.present
        })
      }
      return yield* copied(digest, tally, original)
    })

    /** The tags of these that name something else than the manifest: equal digest, no PUT. */
    const missingOf = (tags: ReadonlyArray<string>, manifest: Manifest) =>
      Effect.filter(tags, (tag) => Effect.map(backupTag(tag), (head) => !isOf(manifest, head)))

    /**
     * Where the source cannot answer, a tag that the backup holds whole is a backup all the same. A tag that the backup has
     * lost is put back to what was last seen under it.
     */
    const insteadOf = Effect.fnUntraced(function*(why: CloneError) {
      // a tag in use that was lost comes back as what it was, whatever its source means by it now
      const inUse = why.reason === "tag-in-use"
      if (source.digest !== undefined || (why.side !== "source" && !inUse)) return yield* why
      const tag = source.tag ?? "latest"
      const held = Option.getOrUndefined(yield* Effect.option(backupTag(tag)))?.digest
      if (inUse && held !== undefined) return yield* why
      const digest = held ?? environment.last
      return digest === undefined ? yield* why : { digest, lost: held === undefined ? tag : undefined, why }
    })

    const withoutSource = Effect.fnUntraced(
      function*({ digest, lost, why }: Effect.Success<ReturnType<typeof insteadOf>>) {
        const context = yield* contextOf(true)
        const tally = yield* fetchManifest(context, digest).pipe(
          Effect.flatMap((fetched) => copyTree(context, fetched)),
          Effect.mapError(() => why)
        )
        const missing = lost === undefined || tally.root === undefined
          ? []
          : yield* missingOf([protectionTag(digest), lost], tally.root)
        const told = why.reason === "tag-in-use"
          ? "the tag was lost while a rollout uses it; it names the same image again"
          : "the source cannot be asked; the backup holds the image"
        yield* Effect.logInfo(told).pipe(
          Effect.annotateLogs({ image, reason: why.reason, restores: missing.join(", ") })
        )
        return doneOf(digest, tally, missing)
      }
    )

    /** A converted image that the backup may hold whole; undefined where it does not, and it is converted again. */
    const lookAtConverted = Effect.fnUntraced(function*(digest: Digest, original: Digest, tag: string | undefined) {
      const context = yield* contextOf(false)
      const tally = yield* fetchManifest(context, digest).pipe(
        Effect.flatMap((fetched) => copyTree(context, fetched)),
        Effect.catchIf((error) => error.reason === "not-found", () => Effect.undefined)
      )
      if (tally?.root === undefined) return undefined
      const missing = yield* missingOf([protectionTag(digest), ...(tag === undefined ? [] : [tag])], tally.root)
      return doneOf(digest, tally, missing, original)
    })

    /** A registry may lie on HEAD: then the bytes behind the tag decide, and their own digest. */
    const fetchRoot = (context: ReferrerContext, { digest: told, held, metered, original, tag }: Resolved) =>
      fetchManifest({ ...context, first: true }, original ?? told, !held && !metered).pipe(
        Effect.catchIf(
          (error) =>
            source.digest === undefined && tag !== undefined && error.side === "source" &&
            (error.reason === "not-found" || error.reason === "corrupt"),
          () =>
            Effect.map(
              atSource(registry.getManifest(from, tag ?? "latest", true)),
              (manifest) => ({ manifest, present: false })
            )
        )
      )

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
    /** What was seen whole before, where the tag still names it. */
    const knownOf = ({ digest, held, tag }: Resolved): Whole | undefined =>
      damaged === undefined && (tag === undefined || held) ? ledger.whole(into.repository, digest) : undefined

    /** All that there is to do for an image that is there, going by its tags and by what was seen before. */
    const recognise = Effect.fnUntraced(function*(resolved: Resolved) {
      const { digest, held, original } = resolved
      if (damaged === undefined && held && environment.believeTags) {
        return yield* copied(digest, nothing({ blobs: 0, bytes: 0, contents: new Set(), manifests: [] }), original)
      }
      const known = knownOf(resolved)
      if (known === undefined) return undefined
      const unsigned = original === undefined && environment.referrers &&
        !ledger.signed(into.repository, digest)
      return unsigned ? undefined : yield* finish(doneOf(digest, nothing(known), [], original))
    })

    const complete = Effect.fnUntraced(function*(resolved: Resolved, fetched: Fetched | undefined) {
      const { digest: told, held, original: converted, tag } = resolved
      const known = knownOf(resolved)
      if (known !== undefined) {
        if (converted === undefined) yield* renewReferrers(told, known.manifests)
        return doneOf(told, nothing(known), [], converted)
      }
      if (converted !== undefined) {
        const there = yield* lookAtConverted(told, converted, held ? undefined : tag)
        if (there !== undefined) return there
      }

      const context = yield* contextOf(true)
      const found = fetched ?? (yield* fetchRoot(context, resolved))
      // a source may lie about its tag at first: what protects one digest must never name another
      if (tag !== undefined && isProtectionTag(tag) && protectionTag(found.manifest.digest) !== tag) {
        return yield* resolver.keptForAnother(tag, found.manifest.digest)
      }
      const { mostBytes } = environment
      if (isSchema1(found.manifest)) {
        const original = found.manifest.digest
        if (algorithmOf(original) !== "sha256") return yield* otherAlgorithm(image, original)
        const conversion = yield* convert(context, found.manifest, mostBytes)
        const { digest } = conversion.fetched.manifest
        // no source has signatures of what was made here
        const root = { tag: protectionTag(digest), before: () => Effect.void }
        const tally = conversion.counted(yield* copyTree({ ...conversion.context, root }, conversion.fetched))
        const manifest = tally.root ?? conversion.fetched.manifest
        const names = [protectionTag(digest), protectionTag(original), ...(tag === undefined ? [] : [tag])]
        const missing = yield* missingOf(names, manifest)
        return doneOf(digest, tally, missing, original)
      }
      const digest = found.manifest.digest
      const protection = protectionTag(digest)
      // what is there already is kept, however large
      const measured = mostBytes === undefined || found.present
        ? undefined
        : yield* measure(context, found, mostBytes)
      // looked for while the blobs move, and there before any tag, or a policy could see the image unsigned
      const ofRoot = yield* Effect.forkChild(
        found.present ? Effect.void : bringReferrers(context, [digest], false)
      )
      const before = (manifests: ReadonlyArray<Digest>) =>
        Effect.andThen(
          Fiber.join(ofRoot),
          bringReferrers(context, manifests.filter((it) => it !== digest), false)
        )
      const tally = yield* copyTree(
        {
          ...context,
          fresh: !found.present,
          root: { tag: protection, before },
          ...(measured === undefined ? {} : { known: measured })
        },
        found
      )
      // what the backup did not have, none of its tags named; equal digest, no PUT: registries with immutable tags refuse that
      const unprotected = (found.present || algorithmOf(digest) !== "sha256") &&
        !isOf(found.manifest, yield* backupTag(protection))
      const missing = [
        ...(unprotected ? [protection] : []),
        ...(tag === undefined || (held && digest === told) ? [] : [tag])
      ]
      if (found.present && missing.length > 0) yield* bringReferrers(context, tally.manifests, false)
      else if (found.present) yield* renewReferrers(digest, tally.manifests)
      if (environment.referrers && signed) ledger.noteSigned(into.repository, digest)
      return doneOf(digest, tally, missing)
    })

    /** The backup's tag does not move while pods are started from it: a pin does without it, the copy of a tag waits. */
    const keepTag = Effect.fnUntraced(function*(resolved: Resolved) {
      // a tag that was lost is used all the same: pods wait for it
      const named = resolved.named ?? environment.expected
      const moves = resolved.tag !== undefined && !resolved.held && named !== undefined && named !== resolved.digest
      if (!moves || !(yield* environment.tagInUse)) return resolved
      if (source.digest !== undefined) return { ...resolved, tag: undefined }
      return yield* new CloneError({
        image,
        reason: "tag-in-use",
        side: "backup",
        detail: `a rollout brings up ${named} by the copy's tag, which is moved to ${resolved.digest} afterwards`,
        retryable: true,
        retryAfter: inUseRest
      })
    })

    const look = Effect.gen(function*() {
      const outcome = yield* Effect.result(Effect.flatMap(resolver.resolve, keepTag))
      const at = yield* Clock.monotonicTimeNanos
      return Result.isFailure(outcome)
        ? { at, instead: yield* insteadOf(outcome.failure) }
        : { at, resolved: outcome.success, there: yield* recognise(outcome.success) }
    })
    const looked = yield* environment.looking(look)
    if (looked.there !== undefined) return looked.there
    type Looked = Effect.Success<typeof look>
    const namesKept = Duration.toNanosUnsafe(limits.namesKept)
    /** A name may mean something else after a long wait. */
    const lookAgain = (before: Looked) =>
      Effect.flatMap(
        Clock.monotonicTimeNanos,
        (now) => now - before.at < namesKept ? Effect.succeed(before) : look
      )
    const fetch = Effect.gen(function*() {
      const named = yield* lookAgain(looked)
      const { resolved } = named
      const needed = resolved !== undefined && resolved.original === undefined && knownOf(resolved) === undefined &&
        !landings.isBusy(into.repository, sourceOf(resolved))
      return { named, root: needed ? yield* fetchRoot(yield* contextOf(true), resolved) : undefined }
    })
    /** The bytes of a digest stay what they are; whether the backup has them may have changed. */
    const askBackup = Effect.fnUntraced(function*({ manifest }: Fetched) {
      return yield* Effect.catchIf(
        fetchManifest(yield* contextOf(false), manifest.digest),
        (error) => error.reason === "not-found",
        () => Effect.succeed({ manifest, present: false })
      )
    })
    const copy = Effect.fnUntraced(function*({ named, root }: Effect.Success<typeof fetch>) {
      let latest = yield* lookAgain(named)
      for (;;) {
        const { instead, resolved } = latest
        if (instead !== undefined) return yield* withoutSource(instead)
        const digest = sourceOf(resolved)
        const landing = yield* landings.enter(into.repository, digest)
        // the other name's copy may have taken long, and have put this name's tag
        latest = landings.isChanged(into.repository, digest, latest.at) ? yield* look : yield* lookAgain(latest)
        if (latest.resolved !== undefined && sourceOf(latest.resolved) === digest) {
          if (latest === named) return yield* complete(latest.resolved, root)
          const same = root !== undefined && named.resolved?.digest === latest.resolved.digest
          return yield* complete(latest.resolved, same ? yield* askBackup(root) : undefined)
        }
        // never two at once, or names could wait for each other
        yield* landing.leave
      }
    })
    return yield* environment.inTurn({ fetch, copy, name: finish })
  })
