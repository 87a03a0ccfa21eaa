// ReadBlob: reads a blob of the backup to its last byte and compares the digest. Edge: what its failure means is VerifyBlobs'.
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { algorithmOf, hexOf } from "../../image/Digest.ts"
import type { Descriptor } from "../../image/ManifestDocument.ts"
import { type Repository, targetOf } from "../../image/Repository.ts"
import type { Blobs } from "../../registry/api/Blobs.ts"
import type { Limits } from "../../registry/Limits.ts"
import { type RegistryError, registryError } from "../../registry/RegistryError.ts"
import { retrySchedule } from "../../registry/Retry.ts"
import { makeDownload } from "../blob/Download.ts"

interface ReadContext {
  readonly registry: Pick<Blobs, "openBlob">
  readonly limits: Limits
}

const readOnce = Effect.fnUntraced(
  function*(
    { limits, registry }: ReadContext,
    repository: Repository,
    blob: Descriptor,
    onBytes: (count: number) => void
  ) {
    const target = targetOf(repository, blob.digest)
    const first = yield* registry.openBlob(repository, blob.digest, 0)
    const hash = createHash(algorithmOf(blob.digest))
    const download = makeDownload({
      limits,
      first,
      reopen: (offset) => registry.openBlob(repository, blob.digest, offset),
      size: blob.size,
      target,
      data: (chunk) => {
        hash.update(chunk)
        onBytes(chunk.length)
        first.release(chunk)
        return true
      },
      blocked: () => false
    })
    yield* Effect.mapError(download.run, (it) => it.error)
    const actual = hash.digest("hex")
    if (actual === hexOf(blob.digest)) return
    return yield* registryError({
      operation: "read blob",
      target,
      reason: "Corrupt",
      detail: `its bytes have the digest ${algorithmOf(blob.digest)}:${actual}`
    })
  },
  Effect.scoped
)

/**
 * Fails with `Corrupt` where the bytes are not the digest's, twice.
 * @param onBytes hears of bytes as they come, and of a negative number of them where they came in vain
 */
export const readBlob = (
  context: ReadContext,
  repository: Repository,
  blob: Descriptor,
  onBytes: (count: number) => void
): Effect.Effect<void, RegistryError> =>
  Effect.suspend(() => {
    let corrupt = 0
    let counted = 0
    const count = (more: number) => {
      counted += more
      onBytes(more)
    }
    return readOnce(context, repository, blob, count).pipe(
      Effect.tapError(() =>
        Effect.sync(() => {
          onBytes(-counted)
          counted = 0
        })
      ),
      // wrong bytes can be the network's fault once
      Effect.retry({
        schedule: retrySchedule(context.limits),
        while: (error) => error.reason !== "Corrupt" || corrupt++ === 0
      })
    )
  })
