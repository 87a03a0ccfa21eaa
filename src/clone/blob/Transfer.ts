// One blob from a download into a PUT, back-pressured end to end, hashed on the way. The last bytes are withheld until
// the digest matches, so that what was corrupted on the way is never a complete upload.
// Edge: one upload; sessions, mounts and retries are CopyBlob.ts, broken downloads Download.ts.
import { Effect, type Scope } from "effect"
import { createHash } from "node:crypto"
import { Readable } from "node:stream"
import { algorithmOf, type Digest, hexOf } from "../../image/Digest.ts"
import type { Blobs } from "../../registry/api/Blobs.ts"
import type { Upload } from "../../registry/api/Upload.ts"
import { registryError } from "../../registry/RegistryError.ts"
import { type DownloadOptions, makeDownload, type TransferError } from "./Download.ts"

export interface TransferOptions extends Pick<DownloadOptions, "limits" | "first" | "reopen" | "size" | "target"> {
  readonly registry: Pick<Blobs, "putBlob">
  readonly upload: Upload
  readonly digest: Digest
  /** Bytes that have arrived from the source. */
  readonly onBytes: (count: number) => void
}

/**
 * Moves one blob. Fails with `Corrupt` where the source's bytes are not those of the digest, with `Timeout` where fewer
 * bytes than `limits.stallBytes` moved in `limits.stallWindow`. Failure or interruption ends both connections.
 */
export const transfer = (options: TransferOptions): Effect.Effect<void, TransferError, Scope.Scope> =>
  Effect.suspend(() => {
    const { digest, first, size } = options
    const { labels = "" } = first
    const corrupt = (detail: string): Effect.Effect<never, TransferError> =>
      Effect.fail({
        side: "source",
        error: registryError({ operation: "copy blob", target: options.target, reason: "Corrupt", detail })
      })
    if (first.size !== undefined && first.size !== size) {
      return corrupt(
        `the registry has ${first.size} bytes for it, its manifest says ${size}${labels}`
      )
    }
    const hash = createHash(algorithmOf(digest))
    let held: Buffer | undefined
    let blocked = false

    const download = makeDownload({
      ...options,
      blocked: () => blocked,
      data: (chunk) => {
        options.onBytes(chunk.length)
        hash.update(chunk)
        const ready = held
        held = chunk
        if (ready === undefined || body.push(ready)) return true
        blocked = true
        return false
      }
    })
    const body = new Readable({
      // one chunk at a time: more would be concatenated by read(), which copies and loses pooled buffers
      highWaterMark: 1,
      read: () => {
        blocked = false
        download.resume()
      }
    })
    // its failures are those of the two connections, which report them
    body.on("error", () => {})

    const pump = Effect.flatMap(download.run, () => {
      const actual = hash.digest("hex")
      if (actual !== hexOf(digest)) {
        const told = `the registry sent other bytes, whose digest is ${algorithmOf(digest)}:${actual}`
        return corrupt(`${told}${labels}`)
      }
      return Effect.sync(() => {
        if (held !== undefined) body.push(held)
        body.push(null)
      })
    })

    const put = options.registry.putBlob(options.upload, digest, size, size === 0 ? undefined : body).pipe(
      Effect.mapError((error): TransferError => ({ side: "backup", error }))
    )

    // stored is stored, even where the answer got lost and a look told; the bytes alone are not
    return Effect.raceFirst(put, Effect.andThen(pump, Effect.never)).pipe(
      Effect.ensuring(Effect.sync(() => body.destroy()))
    )
  })
