// Brings one blob into a repository of the backup the cheapest way: there already, mounted from a neighbour, or moved.
// A blob that another image is moving is waited for and mounted, so that shared layers are uploaded once.
// Edge: how it is mounted is Mounts', how it is moved MoveBlob's, how long another's is waited for SharedTransfers'.
import { Effect } from "effect"
import type { Descriptor } from "../../image/ManifestDocument.ts"
import { type CloneError, fromRegistry } from "../CloneError.ts"
import type { How } from "../Counter.ts"
import type { BlobContext } from "./BlobContext.ts"
import { makeMounts } from "./Mounts.ts"
import { moveBlob } from "./MoveBlob.ts"
import { fly, landing } from "./SharedTransfers.ts"

/**
 * Makes sure that `backup` has the blob. `force` believes neither the ledger nor a HEAD: the registry has just said that
 * the blob is missing although both said it was there.
 */
export const copyBlob = Effect.fnUntraced(function*(
  context: BlobContext,
  blob: Descriptor,
  force: boolean
): Effect.fn.Return<How, CloneError> {
  const { backup, ledger, registry } = context
  const held = () => !force && ledger.holds(backup.repository, blob.digest)
  if (held()) return "present"
  const mounts = makeMounts(context, blob)
  const mounted = Effect.suspend(() => force ? Effect.succeed(false) : mounts.mount)
  // where mounts work, the look at a new image's blob is left to the request that begins its upload
  let unseen = false
  const present = Effect.gen(function*() {
    if (force) return false
    unseen = context.fresh === true && ledger.mounting
    if (unseen) return false
    const there = yield* Effect.mapError(registry.hasBlob(backup, blob.digest), fromRegistry(context.image, "backup"))
    if (there) ledger.noteBlob(backup.repository, blob.digest)
    return there
  })

  const settled = Effect.gen(function*() {
    // a mount of what is there already is no harm, and saves the look; it is a write, and would not be a look's
    if (context.fresh === true && (yield* mounted)) return "mounted"
    if (yield* present) return "present"
    for (;;) {
      // during the look, or the wait, another image may have brought it
      if (yield* mounted) return "mounted"
      if (held()) return "present"
      const other = ledger.flights.get(blob.digest)
      if (other !== undefined) {
        yield* landing(other, context.source)
        if (ledger.holds(backup.repository, blob.digest)) return "present"
        if (ledger.flights.get(blob.digest) !== other) continue
      }
      const flown = yield* fly(context, blob, {
        moving: Effect.suspend(() => moveBlob(context, blob, mounts.session(), unseen)),
        overtaken: other,
        landed: () => !force && (held() || mounts.more())
      })
      if (flown !== undefined) return flown
    }
  })
  return yield* Effect.ensuring(
    settled,
    Effect.suspend(() => {
      const unused = mounts.session()
      return unused === undefined ? Effect.void : registry.cancelUpload(unused)
    })
  )
})
