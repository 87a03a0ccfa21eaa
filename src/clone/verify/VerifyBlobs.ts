// Whether the backup's blobs are what manifests say of them: there and of the right size by HEAD, or, deep, read to the
// last byte and hashed. A blob that several images share is asked for once a repository, and read once.
// Edge: one blob; which blobs an image has is VerifyImage.ts. No errors: not knowing is an answer here.
import { Effect, Option, Semaphore } from "effect"
import type { Digest } from "../../image/Digest.ts"
import type { Repository } from "../../image/Repository.ts"
import type { Blobs } from "../../registry/api/Blobs.ts"
import { makeOnce } from "../../collections/Once.ts"
import type { Limits } from "../../registry/Limits.ts"
import type { Descriptor } from "../../image/ManifestDocument.ts"
import { absent, type Check, checkOf } from "./Damage.ts"
import { readBlob } from "./ReadBlob.ts"

export interface BlobChecks {
  /** `onBytes` hears of bytes that are read for whoever asked first. */
  readonly check: (
    repository: Repository,
    blob: Descriptor,
    onBytes: (count: number) => void
  ) => Effect.Effect<Check>
  /** These have been sent again: the next look asks anew. */
  readonly forget: (repository: Repository, digests: Iterable<Digest>) => Effect.Effect<void>
  /** Blobs that were asked for, each once a repository, with the sizes of those that are there, and bytes read. */
  readonly totals: () => { readonly blobs: number; readonly bytes: number; readonly bytesRead: number }
}

const right: Check = { _tag: "Right" }
const headsAtOnce = 8
const readsAtOnce = 3
/** More are asked for again rather than remembered. */
const mostRemembered = 200_000

type Head = { readonly _tag: "There"; readonly size: number | undefined } | Exclude<Check, { readonly _tag: "Right" }>

/** Blobs that were asked for, with the sizes of those that are there. */
interface Totals {
  blobs: number
  bytes: number
  bytesRead: number
}

const headOf = (
  registry: Pick<Blobs, "headBlob" | "openBlob">,
  repository: Repository,
  digest: Digest
): Effect.Effect<Head> =>
  registry.headBlob(repository, digest).pipe(
    // a registry without HEAD shows by GET that it is there; nothing of it is read
    Effect.catchIf(
      (error) => error.reason === "NotAllowed",
      () =>
        Effect.map(
          Effect.scoped(registry.openBlob(repository, digest, 0)),
          ({ size }): Option.Option<{ readonly size: number | undefined }> => Option.some({ size })
        )
    ),
    Effect.map((it): Head => Option.isNone(it) ? absent : { _tag: "There", size: it.value.size }),
    Effect.catch((error) => Effect.succeed<Head>(checkOf(error)))
  )

export const makeBlobChecks = Effect.fnUntraced(function*(options: {
  readonly registry: Pick<Blobs, "headBlob" | "openBlob">
  readonly limits: Limits
  readonly deep: boolean
}): Effect.fn.Return<BlobChecks> {
  const { deep, limits, registry } = options
  const heads = yield* makeOnce<Head, never>({ kept: mostRemembered })
  const reads = yield* makeOnce<Check, never>({ kept: mostRemembered })
  const headSlots = yield* Semaphore.make(headsAtOnce)
  const readSlots = yield* Semaphore.make(readsAtOnce)
  const totals: Totals = { blobs: 0, bytes: 0, bytesRead: 0 }

  const head = (repository: Repository, { digest, size: stated }: Descriptor) =>
    headOf(registry, repository, digest).pipe(
      headSlots.withPermit,
      Effect.tap((it) =>
        Effect.sync(() => {
          totals.blobs++
          if (it._tag === "There") totals.bytes += it.size ?? stated
        })
      )
    )

  const read = (repository: Repository, blob: Descriptor, onBytes: (count: number) => void) =>
    readBlob({ registry, limits }, repository, blob, (count) => {
      if (count > 0) totals.bytesRead += count
      onBytes(count)
    }).pipe(
      Effect.as(right),
      Effect.catch((error) => Effect.succeed<Check>(checkOf(error))),
      readSlots.withPermit
    )

  return {
    check: Effect.fnUntraced(function*(repository, blob, onBytes) {
      const seen = yield* heads.get(`${repository.repository}@${blob.digest}`, head(repository, blob))
      if (seen._tag !== "There") return seen
      if (seen.size !== undefined && seen.size !== blob.size) {
        const detail = `the backup has ${seen.size} bytes of it, its manifest says ${blob.size}`
        return { _tag: "Wrong", fault: "size", detail }
      }
      return deep ? yield* reads.get(`${blob.digest} ${blob.size}`, read(repository, blob, onBytes)) : right
    }),
    forget: Effect.fnUntraced(function*(repository, digests) {
      const gone = new Set<string>(digests)
      const keys = new Set(Array.from(gone, (it) => `${repository.repository}@${it}`))
      yield* heads.forget((key) => keys.has(key))
      // keys begin with the digest
      yield* reads.forget((key) => gone.has(key.split(" ", 1)[0] ?? ""))
    }),
    totals: () => ({ ...totals })
  }
})
