// ConfirmWhole: Confirm, and then whether all is there that the image's manifest names: what cleans up a registry can take manifests and
// layers from under an index that stays, and whose tags stay (distribution/distribution#3178). Edge: a walk of some requests, so it is
// for copies that pods cannot pull; nothing is changed, and what is not right is told as if the backup did not have the image.
import { Effect } from "effect"
import { backupOf } from "../../image/BackupName.ts"
import type { Digest } from "../../image/Digest.ts"
import { format, formatName, type ImageReference } from "../../image/ImageReference.ts"
import { CloneError } from "../CloneError.ts"
import { Progress } from "../Progress.ts"
import { confirm, type ConfirmContext } from "./Confirm.ts"
import type { BlobChecks } from "./VerifyBlobs.ts"
import { verifyImage } from "./VerifyImage.ts"

/**
 * Asks the backup for an image by the names under which it is pulled, then for all below it.
 * @returns uptime of its first answer, in milliseconds, also where the rest cannot be seen; fails with `not-found` where it does not
 *   have the image, or not all of it
 */
export const confirmWhole = Effect.fnUntraced(function*(
  { blobs, ...context }: ConfirmContext & { readonly blobs: BlobChecks },
  source: ImageReference,
  digest: Digest
): Effect.fn.Return<number, CloneError> {
  const seenAt = yield* confirm(context, source, digest)
  const name = backupOf(context.backup, source)
  const { problems: [problem], status } = yield* verifyImage(
    { registry: context.registry, blobs },
    { source, backup: name },
    new Progress(source, name)
  )
  if (status !== "damaged" || problem === undefined) return seenAt
  context.ledger.forgetWhole(name.repository, digest)
  return yield* new CloneError({
    image: format(source),
    reason: "not-found",
    side: "backup",
    detail: `of ${formatName(name)}@${digest} the ${problem.part} ${problem.name} is not right: ${problem.detail}`,
    retryable: true,
    retryAfter: undefined
  })
})
