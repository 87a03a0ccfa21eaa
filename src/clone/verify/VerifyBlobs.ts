// Whether the backup's blobs are what manifests say of them: there and of the right size by HEAD, or, deep, read to the
// last byte and hashed. A blob that several images share is asked for once a repository, and read once.
// Edge: one blob; which blobs an image has is VerifyImage.ts. No errors: not knowing is an answer here.
import { Effect, Option, Semaphore } from "effect"
import { createHash } from "node:crypto"
import { algorithmOf, type Digest, hexOf } from "../../image/Digest.ts"
import type { Repository } from "../../registry/auth/Identities.ts"
import type { Blobs } from "../../registry/api/Blobs.ts"
import { type BoundedMap, makeBoundedMap } from "../../registry/BoundedMap.ts"
import type { Limits } from "../../registry/Limits.ts"
import type { Descriptor } from "../../image/ManifestDocument.ts"
import { targetOf } from "../../registry/api/Manifests.ts"
import { type RegistryError, registryError } from "../../registry/RegistryError.ts"
import { retrySchedule } from "../../registry/Retry.ts"
import { makeDownload } from "../blob/Download.ts"

/**
 * What is wrong with a part of an image: `size` and `corrupt` are other bytes than the digest's, `unreadable` is a part at
 * which the registry itself fails, `moved` a tag that names something else.
 */
export type Fault = "missing" | "size" | "corrupt" | "unreadable" | "invalid" | "moved"

export type Check =
  | { readonly _tag: "Right" }
  | { readonly _tag: "Wrong"; readonly fault: Fault; readonly detail: string }
  | { readonly _tag: "Unknown"; readonly detail: string }

export interface BlobChecks {
  /** `onBytes` hears of bytes that are read for whoever asked first. */
  readonly check: (
    repository: Repository,
    blob: Descriptor,
    onBytes: (count: number) => void
  ) => Effect.Effect<Check>
  /** These have been sent again: the next look asks anew. */
  readonly forget: (repository: Repository, digests: Iterable<Digest>) => void
  /** Blobs that were asked for, each once a repository, with the sizes of those that are there, and bytes read. */
  readonly totals: () => { readonly blobs: number; readonly bytes: number; readonly bytesRead: number }
}

const right: Check = { _tag: "Right" }
const absent = { _tag: "Wrong", fault: "missing", detail: "the backup does not have it" } as const
const headsAtOnce = 8
const readsAtOnce = 3
/** More are asked for again rather than remembered. */
const mostRemembered = 200_000

/** What a registry's refusal says of the part that was asked for; not everything says something. */
export const checkOf = (error: RegistryError): Exclude<Check, { readonly _tag: "Right" }> => {
  const wrong = (fault: Fault) => ({ _tag: "Wrong" as const, fault, detail: error.detail })
  if (error.reason === "NotFound") return absent
  if (error.reason === "Corrupt") return wrong("corrupt")
  // Distribution answers 500 to whoever asks for a manifest that it cannot parse any more
  if (error.status === 500 || error.reason === "TooLarge") return wrong("unreadable")
  return { _tag: "Unknown", detail: error.message }
}

type Remembered<A> = BoundedMap<string, Effect.Effect<A>>

/** Asks once, however many want to know. */
const once = <A>(known: Remembered<A>, key: string, ask: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.suspend(() =>
    known.get(key) ?? Effect.flatMap(Effect.cached(ask), (it) => {
      known.set(key, it)
      return it
    })
  )

type Head = { readonly _tag: "There"; readonly size: number | undefined } | Exclude<Check, { readonly _tag: "Right" }>

export const makeBlobChecks = (options: {
  readonly registry: Pick<Blobs, "headBlob" | "openBlob">
  readonly limits: Limits
  readonly deep: boolean
}): BlobChecks => {
  const { deep, limits, registry } = options
  const heads: Remembered<Head> = makeBoundedMap(mostRemembered)
  const reads: Remembered<Check> = makeBoundedMap(mostRemembered)
  const headSlots = Semaphore.makeUnsafe(headsAtOnce)
  const readSlots = Semaphore.makeUnsafe(readsAtOnce)
  let blobs = 0
  let bytes = 0
  let bytesRead = 0

  const head = (repository: Repository, { digest, size: stated }: Descriptor) =>
    registry.headBlob(repository, digest).pipe(
      // a registry without HEAD shows by GET that it is there; nothing of it is read
      Effect.catchIf(
        (error) => error.status === 405,
        () =>
          Effect.map(
            Effect.scoped(registry.openBlob(repository, digest, 0)),
            ({ size }): Option.Option<{ readonly size: number | undefined }> => Option.some({ size })
          )
      ),
      Effect.map((it): Head => Option.isNone(it) ? absent : { _tag: "There", size: it.value.size }),
      Effect.catch((error) => Effect.succeed<Head>(checkOf(error))),
      headSlots.withPermit,
      Effect.tap((it) =>
        Effect.sync(() => {
          blobs++
          if (it._tag === "There") bytes += it.size ?? stated
        })
      )
    )

  const readOnce = Effect.fnUntraced(
    function*(repository: Repository, blob: Descriptor, onBytes: (count: number) => void) {
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
          bytesRead += chunk.length
          onBytes(chunk.length)
          first.release(chunk)
          return true
        },
        blocked: () => false
      })
      yield* Effect.mapError(download.run, (it) => it.error)
      const actual = hash.digest("hex")
      if (actual !== hexOf(blob.digest)) {
        return yield* registryError({
          operation: "read blob",
          target,
          reason: "Corrupt",
          detail: `its bytes have the digest ${algorithmOf(blob.digest)}:${actual}`
        })
      }
    },
    Effect.scoped
  )

  const read = (repository: Repository, blob: Descriptor, onBytes: (count: number) => void) =>
    Effect.suspend(() => {
      let corrupt = 0
      let counted = 0
      const count = (more: number) => {
        counted += more
        onBytes(more)
      }
      return readOnce(repository, blob, count).pipe(
        Effect.tapError(() =>
          Effect.sync(() => {
            onBytes(-counted)
            counted = 0
          })
        ),
        // wrong bytes can be the network's fault once
        Effect.retry({
          schedule: retrySchedule(limits),
          while: (error) => error.reason !== "Corrupt" || corrupt++ === 0
        }),
        Effect.as(right),
        Effect.catch((error) => Effect.succeed<Check>(checkOf(error))),
        readSlots.withPermit
      )
    })

  return {
    check: Effect.fnUntraced(function*(repository, blob, onBytes) {
      const seen = yield* once(heads, `${repository.repository}@${blob.digest}`, head(repository, blob))
      if (seen._tag !== "There") return seen
      if (seen.size !== undefined && seen.size !== blob.size) {
        const detail = `the backup has ${seen.size} bytes of it, its manifest says ${blob.size}`
        return { _tag: "Wrong", fault: "size", detail }
      }
      return deep ? yield* once(reads, `${blob.digest} ${blob.size}`, read(repository, blob, onBytes)) : right
    }),
    forget: (repository, digests) => {
      const gone = new Set(digests)
      for (const digest of gone) heads.delete(`${repository.repository}@${digest}`)
      const stale = [...reads.entries()].flatMap(([key]) => gone.has(key.split(" ", 1)[0] as Digest) ? [key] : []) // keys begin with one
      for (const key of stale) reads.delete(key)
    },
    totals: () => ({ blobs, bytes, bytesRead })
  }
}
