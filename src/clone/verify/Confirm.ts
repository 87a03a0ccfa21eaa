// Confirm: whether the backup still has an image by the name under which workloads pull it: a HEAD or two. Edge: whether all below
// it is there is VerifyImage.ts.
import { Effect, Option } from "effect"
import { uptime } from "../../telemetry/Uptime.ts"
import { type Backup, backupOf, convertedBackupOf } from "../../image/BackupName.ts"
import type { Digest } from "../../image/Digest.ts"
import { format, type ImageReference } from "../../image/ImageReference.ts"
import type { Manifests } from "../../registry/api/Manifests.ts"
import { CloneError, fromRegistry } from "../CloneError.ts"
import type { Ledger } from "../Ledger.ts"

export interface ConfirmContext {
  readonly registry: Manifests
  readonly ledger: Ledger
  readonly backup: Backup
}

/**
 * Asks the backup for the digest of an image and, where the source is named without one, whether the copy's tag still names it.
 * @returns uptime of its answer, in milliseconds; fails with `not-found` where it does not have it
 */
export const confirm = Effect.fnUntraced(function*(
  { backup, ledger, registry }: ConfirmContext,
  source: ImageReference,
  digest: Digest
): Effect.fn.Return<number, CloneError> {
  const image = format(source)
  // another digest than the source's own: it was converted, and is pulled by the tag of what it was converted from
  const named = source.digest === undefined || source.digest === digest
    ? backupOf(backup, source)
    : convertedBackupOf(backup, source)
  const { registry: host, repository, tag } = named
  const names = (reference: string) =>
    registry.headManifest({ registry: host, repository }, reference, true).pipe(
      Effect.mapError(fromRegistry(image, "backup")),
      Effect.map((seen) => Option.isSome(seen) && seen.value.digest === digest)
    )
  // a workload without a digest is pointed at the tag: it must still be there, and mean this image
  const pulledByTag = named.digest === undefined && tag !== undefined
  const held = yield* names(digest)
  if (held && (!pulledByTag || (yield* names(tag)))) return yield* uptime
  ledger.forgetWhole(repository, digest)
  return yield* new CloneError({
    image,
    reason: "not-found",
    side: "backup",
    detail: held
      ? `the tag ${tag} of ${host}/${repository} no longer names ${digest}`
      : `the backup no longer holds ${host}/${repository}@${digest}`,
    retryable: true,
    retryAfter: undefined
  })
})
