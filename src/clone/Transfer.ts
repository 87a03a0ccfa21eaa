// One blob from an open download into a PUT, back-pressured end to end, hashed on the way. The last bytes are withheld
// until the digest matches, so that what was corrupted on the way is never a complete upload.
// Edge: one attempt; sessions, mounts and retries are CopyBlob.ts.
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { Readable } from "node:stream"
import { algorithmOf, type Digest, hexOf } from "../image/Digest.ts"
import type { Blobs, OpenBlob, Upload } from "../registry/Blobs.ts"
import type { Limits } from "../registry/Limits.ts"
import { type RegistryError, registryError, type RegistryReason } from "../registry/RegistryError.ts"

export interface TransferOptions {
  readonly registry: Pick<Blobs, "putBlob">
  readonly limits: Limits
  readonly blob: OpenBlob
  readonly upload: Upload
  readonly digest: Digest
  readonly size: number
  /** For messages about the source. */
  readonly target: string
  /** Bytes that have arrived from the source. */
  readonly onBytes: (count: number) => void
}

/** Which side is to blame, as the error channel of a transfer. */
export type TransferError =
  | { readonly side: "source"; readonly error: RegistryError }
  | { readonly side: "backup"; readonly error: RegistryError }

const failure = (
  options: TransferOptions,
  side: TransferError["side"],
  reason: RegistryReason,
  detail: string
): TransferError => ({
  side,
  error: registryError({ operation: "copy blob", target: options.target, reason, detail })
})

/**
 * Moves one blob. Fails with `Corrupt` where the source's bytes are not those of the digest, with `Timeout` where fewer
 * bytes than `limits.stallBytes` moved in `limits.stallWindow`. Failure or interruption ends both connections.
 */
export const transfer = (options: TransferOptions): Effect.Effect<void, TransferError> =>
  Effect.suspend(() => {
    const { blob, digest, limits, size } = options
    const hash = createHash(algorithmOf(digest))
    let arrived = 0
    let held: Buffer | undefined
    let blocked = false
    const body = new Readable({
      // one chunk at a time: more would be concatenated by read(), which copies and loses pooled buffers
      highWaterMark: 1,
      read: () => {
        blocked = false
        blob.resume()
      }
    })
    // its failures are those of the two connections, which report them
    body.on("error", () => {})

    const pump = Effect.callback<void, TransferError>((resume) => {
      const fail = (reason: RegistryReason, detail: string) =>
        resume(Effect.fail(failure(options, "source", reason, detail)))
      blob.start({
        data: (chunk) => {
          arrived += chunk.length
          options.onBytes(chunk.length)
          if (arrived > size) {
            fail("Corrupt", `the blob has more than the ${size} bytes that its manifest says`)
            return false
          }
          hash.update(chunk)
          const ready = held
          held = chunk
          if (ready === undefined || body.push(ready)) return true
          blocked = true
          return false
        },
        end: () => {
          if (arrived !== size) {
            return fail("Unreachable", `the connection ended after ${arrived} of ${size} bytes`)
          }
          const actual = hash.digest("hex")
          if (actual !== hexOf(digest)) {
            return fail("Corrupt", `the registry sent other bytes, whose digest is ${algorithmOf(digest)}:${actual}`)
          }
          if (held !== undefined) body.push(held)
          body.push(null)
          resume(Effect.void)
        },
        error: (error) => fail(error.reason, `${error.detail} after ${arrived} of ${size} bytes`)
      })
    })

    const put = options.registry.putBlob(options.upload, digest, size, size === 0 ? undefined : body).pipe(
      Effect.mapError((error): TransferError => ({ side: "backup", error }))
    )

    /** A drip keeps a connection alive for ever: what counts is bytes in a window. */
    const watch = Effect.gen(function*() {
      for (;;) {
        const before = arrived
        yield* Effect.sleep(limits.stallWindow)
        // once all has arrived the registry may take its time to store it (limits.commitTimeout)
        if (arrived < size && arrived - before < limits.stallBytes) {
          return yield* Effect.fail(
            failure(options, blocked ? "backup" : "source", "Timeout", `stalled after ${arrived} of ${size} bytes`)
          )
        }
      }
    })

    return Effect.all([pump, put], { concurrency: "unbounded", discard: true }).pipe(
      Effect.raceFirst(watch),
      Effect.ensuring(Effect.sync(() => body.destroy()))
    )
  })
