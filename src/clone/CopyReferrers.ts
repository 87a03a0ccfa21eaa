// Signatures, SBOMs and attestations of an image that is being copied: OCI referrers and cosign's tags, brought over
// before the image gets its tag. Edge: an image without them is still a backup, so failures are warnings.
import { Effect, Metric, Option } from "effect"
import type { Digest } from "../image/Digest.ts"
import { algorithmOf, digestOf, hexOf } from "../image/Digest.ts"
import { ociIndex } from "../registry/ManifestDocument.ts"
import { targetOf } from "../registry/Manifests.ts"
import { fallbackTag, mostReferrers, type ReferrerDescriptor, type Referrers } from "../registry/Referrers.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import { type CloneError, fromRegistry } from "./CloneError.ts"
import { copyTree, fetchManifest, type TreeContext } from "./CopyTree.ts"

export interface ReferrerContext extends TreeContext {
  readonly registry: TreeContext["registry"] & Referrers
}

/** Signatures of signatures, and no further. */
const deepest = 3
/** An index can have many platforms; each costs a handful of requests. */
const mostSubjects = 32
const cosignSuffixes = ["sig", "att", "sbom"] as const

/** Copies what refers to these manifests of one image, the image's own first. Never fails. */
export const copyReferrers = Effect.fnUntraced(function*(context: ReferrerContext, subjects: ReadonlyArray<Digest>) {
  const seen = new Set<Digest>(subjects)
  let left = mostReferrers

  const warned = <A>(subject: Digest, effect: Effect.Effect<A, CloneError>): Effect.Effect<A | undefined> =>
    effect.pipe(
      Effect.catch((error) =>
        Effect.logWarning("a signature, SBOM or attestation was not copied; the image is").pipe(
          Effect.annotateLogs({ subject: targetOf(context.source, subject), error: error.detail }),
          Effect.andThen(Metric.update(Metrics.referrers({ result: "failed" }), 1)),
          Effect.as(undefined)
        )
      )
    )

  const bring = Effect.fnUntraced(function*(digest: Digest) {
    const fetched = yield* fetchManifest(context, digest)
    const tally = yield* copyTree(context, fetched)
    yield* Metric.update(Metrics.referrers({ result: tally.pushed > 0 ? "copied" : "present" }), 1)
    return tally.root ?? fetched.manifest
  })

  const ofSubject = (subject: Digest, depth: number): Effect.Effect<void> =>
    Effect.gen(function*() {
      const listed = yield* warned(
        subject,
        Effect.mapError(
          context.registry.referrersOf(context.source, subject),
          fromRegistry(context.image, "source")
        )
      )
      const copied: Array<ReferrerDescriptor> = []
      for (const referrer of listed ?? []) {
        if (seen.has(referrer.digest) || left <= 0) continue
        seen.add(referrer.digest)
        left--
        if ((yield* warned(subject, bring(referrer.digest))) === undefined) continue
        copied.push(referrer)
        if (depth < deepest) yield* ofSubject(referrer.digest, depth + 1)
      }
      if (copied.length > 0) yield* warned(subject, context.ledger.listing.withPermit(list(context, subject, copied)))
    })

  const cosign = Effect.fnUntraced(function*(subject: Digest) {
    yield* Effect.forEach(
      cosignSuffixes,
      (suffix) =>
        left <= 0 ? Effect.void : warned(subject, cosignTag(`${algorithmOf(subject)}-${hexOf(subject)}.${suffix}`)),
      { concurrency: "unbounded", discard: true }
    )
  })
  const cosignTag = Effect.fnUntraced(function*(tag: string) {
    const { image, registry, source, target } = context
    const head = yield* Effect.mapError(registry.headManifest(source, tag), fromRegistry(image, "source"))
    if (Option.isNone(head)) return
    const { digest } = head.value
    left--
    const atBackup = Effect.mapError(fromRegistry(image, "backup"))
    const present = yield* atBackup(registry.headManifest(target, tag))
    if (Option.isSome(present) && present.value.digest === digest) return
    yield* atBackup(registry.putManifest(target, tag, yield* bring(digest)))
  })

  for (const subject of subjects.slice(0, mostSubjects)) {
    yield* Effect.all([ofSubject(subject, 1), cosign(subject)], { concurrency: 2, discard: true })
  }
})

/** Adds to the list under the fallback tag what the backup does not list by itself. */
const list = Effect.fnUntraced(function*(
  context: ReferrerContext,
  subject: Digest,
  copied: ReadonlyArray<ReferrerDescriptor>
) {
  const { image, registry, target } = context
  const atBackup = Effect.mapError(fromRegistry(image, "backup"))
  const present = yield* atBackup(registry.referrersOf(target, subject))
  const missing = copied.filter((it) => !present.some((other) => other.digest === it.digest))
  if (missing.length === 0) return
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests: [...present, ...missing] })
  )
  yield* atBackup(registry.putManifest(target, fallbackTag(subject), {
    bytes,
    mediaType: ociIndex,
    digest: digestOf(bytes)
  }))
})
