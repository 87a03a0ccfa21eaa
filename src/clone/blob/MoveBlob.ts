// Moves one blob: both sides are asked at once, its bytes go from the one to the other, and again where that is worth it.
// Edge: the bytes on their way are Transfer's; who moves a blob that several images want is CopyBlob's.
import { Effect, Fiber, type Scope } from "effect"
import type { Descriptor } from "../../image/ManifestDocument.ts"
import { targetOf } from "../../image/Repository.ts"
import type { OpenBlob } from "../../registry/api/Blobs.ts"
import type { Upload } from "../../registry/api/Upload.ts"
import { retrySchedule } from "../../registry/Retry.ts"
import { type CloneError, fromRegistry } from "../CloneError.ts"
import type { How } from "../Counter.ts"
import type { BlobContext } from "./BlobContext.ts"
import { transfer } from "./Transfer.ts"

/** Sends the bytes into the session as they come; one that fails is ended, and what was sent of it counts no more. */
const send = (
  { counter, image, limits, registry, source }: BlobContext,
  blob: Descriptor,
  opening: Effect.Effect<OpenBlob, CloneError>,
  upload: Upload
): Effect.Effect<void, CloneError, Scope.Scope> => {
  let moved = 0
  return Effect.gen(function*() {
    const first = yield* opening
    yield* transfer({
      registry,
      limits,
      first,
      reopen: (offset) => registry.openBlob(source, blob.digest, offset),
      upload,
      digest: blob.digest,
      size: blob.size,
      target: targetOf(source, blob.digest),
      onBytes: (count) => {
        moved += count
        counter.move(blob.digest, count)
      }
    }).pipe(Effect.mapError(({ error, side }) => fromRegistry(image, side)(error)))
  }).pipe(
    Effect.onError(() => {
      counter.move(blob.digest, -moved)
      return registry.cancelUpload(upload)
    })
  )
}

/**
 * Sends the blob to `backup`, unless it turns out to be there.
 * @param given a session that is open already
 * @param unseen nobody has looked yet whether the blob is there
 * @returns `left` for a foreign layer that the source does not have
 */
export const moveBlob = Effect.fnUntraced(function*(
  context: BlobContext,
  blob: Descriptor,
  given: Upload | undefined,
  unseen: boolean
): Effect.fn.Return<How, CloneError> {
  const { backup, ledger, limits, registry, source } = context
  const atSource = Effect.mapError(fromRegistry(context.image, "source"))
  const atBackup = Effect.mapError(fromRegistry(context.image, "backup"))
  let ready = given
  let tries = 0
  let corrupt = 0
  /** The backup has said that it stored other bytes: what it says of the blob now means nothing. */
  let spoiled = false
  const has = atBackup(registry.hasBlob(backup, blob.digest))
  const start = atBackup(registry.startUpload(backup, blob.digest))
  const startUnlessThere = Effect.gen(function*() {
    const answer = yield* atBackup(registry.mountBlob(backup, blob.digest, backup))
    return answer ?? ((yield* has) ? "mounted" : yield* start)
  })

  const attempt = Effect.gen(function*(): Effect.fn.Return<How, CloneError, Scope.Scope> {
    const first = tries++ === 0
    // the last attempt may have been stored although its answer was lost
    if (!first && !spoiled && (yield* has)) return "uploaded"
    if (first && unseen && ready !== undefined && (yield* has)) {
      yield* registry.cancelUpload(ready)
      return "present"
    }
    // both sides are asked at once: two round trips in the time of one
    const opening = yield* Effect.forkScoped(atSource(registry.openBlob(source, blob.digest, 0)))
    const upload = ready ?? (yield* (first && unseen ? startUnlessThere : start))
    ready = undefined
    if (upload === "mounted") return "present"
    yield* send(context, blob, Fiber.join(opening), upload)
    return "uploaded"
  }).pipe(Effect.scoped)

  const outcome = yield* Effect.retry(attempt, {
    schedule: retrySchedule(limits),
    // wrong bytes can be the network's fault once; twice they are the registry's, and each try costs the whole blob
    while: (error) => {
      spoiled = error.reason === "corrupt" && error.side === "backup"
      return error.reason !== "corrupt" || corrupt++ === 0
    }
  }).pipe(
    // docker's foreign layers are at their vendor's; the manifest can still be stored where the backup allows it
    Effect.catchIf(
      (error) => blob.foreign && error.side === "source" && error.reason === "not-found",
      () => Effect.succeed<How>("left")
    )
  )
  if (outcome !== "left") ledger.noteBlob(backup.repository, blob.digest)
  return outcome
})
