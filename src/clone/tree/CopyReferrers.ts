// Signatures, SBOMs and attestations of an image that is being copied: OCI referrers and cosign's tags, brought over
// before the image gets its tag. Edge: an image without them is still a backup, so failures are warnings.
import { Duration, Effect, Metric, Option } from "effect"
import type { Digest } from "../../image/Digest.ts"
import { algorithmOf, digestOf, hexOf } from "../../image/Digest.ts"
import { ociIndex } from "../../image/ManifestDocument.ts"
import { targetOf } from "../../image/Repository.ts"
import { fallbackTag, mostReferrers, type ReferrerDescriptor, type Referrers } from "../../registry/api/Referrers.ts"
import * as Metrics from "../../telemetry/Metrics.ts"
import { type CloneError, fromRegistry } from "../CloneError.ts"
import type { Counter } from "../Counter.ts"
import { copyTree, type TreeContext } from "./CopyTree.ts"
import { fetchManifest } from "./FetchManifest.ts"
import { measure } from "./Measure.ts"

export interface ReferrerContext extends TreeContext {
  /** MAX_IMAGE_SIZE in bytes: a signature or an SBOM has to keep to it too. */
  readonly mostBytes: number | undefined
  readonly registry: TreeContext["registry"] & Referrers
  /** A counter for one more walk. */
  readonly count: () => Counter
}

/** Signatures of signatures, and no further. */
const deepest = 3
/** An index can have many platforms; each costs a handful of requests. */
const mostSubjects = 32
const cosignSuffixes = ["sig", "att", "sbom"] as const

const found = (result: "copied" | "present") => Metric.update(Metrics.referrers({ result }), 1)

/**
 * Copies what refers to these manifests of one image, the image's own first, for as long as `limits.referrersTimeout`.
 * Never fails; false where something could not be copied. `known`: the image has been here before, so what the backup lists already is not looked at again.
 */
export const copyReferrers = Effect.fnUntraced(function*(
  context: ReferrerContext,
  subjects: ReadonlyArray<Digest>,
  known: boolean
) {
  const { image, registry, source, backup } = context
  const atSource = Effect.mapError(fromRegistry(image, "source"))
  const atBackup = Effect.mapError(fromRegistry(image, "backup"))
  const seen = new Set<Digest>(subjects)
  let left = mostReferrers
  let complete = true

  const missed = (subject: string, error: string): Effect.Effect<undefined> =>
    Effect.suspend(() => {
      complete = false
      return Effect.logWarning("a signature, SBOM or attestation was not copied; the image is").pipe(
        Effect.annotateLogs({ subject, error }),
        Effect.andThen(Metric.update(Metrics.referrers({ result: "failed" }), 1)),
        Effect.as(undefined)
      )
    })

  const warned = <A>(subject: Digest, effect: Effect.Effect<A, CloneError>): Effect.Effect<A | undefined> =>
    effect.pipe(Effect.catch((error) => missed(targetOf(source, subject), error.detail)))

  const bring = Effect.fnUntraced(function*(digest: Digest) {
    const fetched = yield* fetchManifest(context, digest)
    const { mostBytes } = context
    const measured = mostBytes === undefined || fetched.present
      ? undefined
      : yield* measure(context, fetched, mostBytes)
    const tally = yield* copyTree(
      { ...context, counter: context.count(), ...(measured === undefined ? {} : { known: measured }) },
      fetched
    )
    yield* found(tally.pushed > 0 ? "copied" : "present")
    return tally.root
  })

  const ofSubject = Effect.fnUntraced(function*(subject: Digest, depth: number) {
    const listed = yield* warned(subject, atSource(registry.referrersOf(source, subject)))
    if (listed === undefined || listed.length === 0) return
    const present = known ? yield* warned(subject, atBackup(registry.referrersOf(backup, subject))) : undefined
    const there = new Set(present?.map((it) => it.digest))
    const copied: Array<ReferrerDescriptor> = []
    for (const referrer of listed) {
      if (seen.has(referrer.digest) || left <= 0) continue
      seen.add(referrer.digest)
      left--
      if (there.has(referrer.digest)) yield* found("present")
      else if ((yield* warned(subject, bring(referrer.digest))) === undefined) continue
      else copied.push(referrer)
      yield* allOf(referrer.digest, depth + 1)
    }
    if (copied.length > 0) yield* warned(subject, context.ledger.listing.withPermit(list(context, subject, copied)))
  })

  const cosignTag = Effect.fnUntraced(function*(tag: string, depth: number) {
    const head = yield* atSource(registry.headManifest(source, tag))
    if (Option.isNone(head)) return
    const { digest } = head.value
    left--
    const present = yield* atBackup(registry.headManifest(backup, tag))
    if (Option.isSome(present) && present.value.digest === digest) yield* found("present")
    else yield* atBackup(registry.putManifest(backup, tag, yield* bring(digest)))
    if (seen.has(digest)) return
    seen.add(digest)
    yield* allOf(digest, depth + 1)
  })

  /** Signatures can be signed, and SBOMs more so. */
  const allOf = (subject: Digest, depth: number): Effect.Effect<void> => {
    if (depth > deepest || left <= 0) return Effect.void
    const tags = cosignSuffixes.map((suffix) =>
      warned(subject, cosignTag(`${algorithmOf(subject)}-${hexOf(subject)}.${suffix}`, depth))
    )
    return Effect.all([ofSubject(subject, depth), ...tags], { concurrency: "unbounded", discard: true })
  }

  const { referrersTimeout } = context.limits
  yield* Effect.forEach(subjects.slice(0, mostSubjects), (it) => allOf(it, 1), { discard: true }).pipe(
    Effect.timeoutOrElse({
      duration: referrersTimeout,
      orElse: () => missed(image, `what refers to it could not be had within ${Duration.format(referrersTimeout)}`)
    })
  )
  return complete
})

/** Adds to the list under the fallback tag what the backup does not list by itself. */
const list = Effect.fnUntraced(function*(
  context: ReferrerContext,
  subject: Digest,
  copied: ReadonlyArray<ReferrerDescriptor>
) {
  const { image, registry, backup } = context
  const atBackup = Effect.mapError(fromRegistry(image, "backup"))
  const present = yield* atBackup(registry.referrersOf(backup, subject))
  const missing = copied.filter((it) => !present.some((other) => other.digest === it.digest))
  if (missing.length === 0) return
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests: [...present, ...missing] })
  )
  yield* atBackup(registry.putManifest(backup, fallbackTag(subject), {
    bytes,
    mediaType: ociIndex,
    digest: digestOf(bytes)
  }))
})
