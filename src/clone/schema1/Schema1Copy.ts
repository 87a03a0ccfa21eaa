// Converts one image of Docker's schema 1 on its way to the backup: its layers are brought there as they are, each is read
// once from there to learn what it unpacks to, and out of that come a config and a manifest of schema 2.
// Edge: what is pushed of the two, and under which tags, is CopyTree's and CopyImage's; the conversion itself is Schema1.ts.
import { Effect, Option, Result } from "effect"
import type { Digest } from "../../image/Digest.ts"
import { digestOf } from "../../image/Digest.ts"
import type { OpenBlob } from "../../registry/api/Blobs.ts"
import { type Descriptor, dockerManifest, mayBeSchema1, parseManifest } from "../../image/ManifestDocument.ts"
import { type Manifest, targetOf } from "../../registry/api/Manifests.ts"
import type { RegistryError } from "../../registry/RegistryError.ts"
import { CloneError, fromRegistry } from "../CloneError.ts"
import { copyBlob } from "../blob/CopyBlob.ts"
import type { Fetched, Tally, TreeContext } from "../tree/CopyTree.ts"
import { tooLarge } from "../tree/Measure.ts"
import { makeProgress } from "../Progress.ts"
import { convertSchema1, type LayerContent, layersOf, readSchema1 } from "./Schema1.ts"
import { type Budget, countBytes, mostUnpacked, readLayer } from "./Schema1Layer.ts"

const looksAtOnce = 8
const layersAtOnce = 3

/** Must this be converted, because no registry and no runtime of today takes it? */
export const isSchema1 = ({ bytes, mediaType }: Manifest): boolean => {
  if (!mayBeSchema1(mediaType)) return false
  const parsed = parseManifest(bytes, mediaType)
  return Result.isSuccess(parsed) && parsed.success.document._tag === "Schema1"
}

export interface Conversion<C extends TreeContext> {
  /** What the original became, to be copied by `context`, which has the config that no source has. */
  readonly fetched: Fetched
  readonly context: C
  /** The tally of that copy, with what was moved before it. */
  readonly counted: (tally: Tally) => Tally
}

const nothing = () => {}

/** A blob that is here already. */
const inMemory = (bytes: Buffer): OpenBlob => ({
  size: bytes.length,
  offset: 0,
  start: (sink) => {
    sink.data(bytes)
    sink.end()
  },
  resume: nothing,
  rested: () => 0n,
  release: nothing,
  close: nothing
})

/** Brings the layers of `original` to the backup and converts it. Images of more than `most` bytes are too large. */
export const convert = Effect.fnUntraced(function*<C extends TreeContext>(
  context: C,
  original: Manifest,
  most: number | undefined
): Effect.fn.Return<Conversion<C>, CloneError> {
  const { damaged, image, ledger, limits, progress, registry, source, target } = context
  const atSource = Effect.mapError(fromRegistry(image, "source"))
  const atBackup = Effect.mapError(fromRegistry(image, "backup"))
  const refused = (detail: string) =>
    new CloneError({
      image,
      reason: "unsupported",
      side: "source",
      detail: `${targetOf(source, original.digest)} is in Docker's schema 1 and cannot be converted: ${detail}`,
      retryable: false,
      retryAfter: undefined
    })
  const read = yield* Effect.mapError(Effect.fromResult(readSchema1(original.bytes)), refused)

  const headOf = (where: typeof source, digest: Digest) =>
    Effect.catchIf(registry.headBlob(where, digest), (error) => error.status === 405, () => Effect.succeedNone)
  /** Schema 1 does not say it. */
  const sizeOf = Effect.fnUntraced(function*(digest: Digest) {
    const here = damaged?.has(digest) === true
      ? undefined
      : Option.getOrUndefined(yield* atBackup(headOf(target, digest)))
    if (here?.size !== undefined) {
      ledger.noteBlob(target.repository, digest)
      return here.size
    }
    const there = Option.getOrUndefined(yield* atSource(headOf(source, digest)))
    return there?.size ?? (yield* atSource(countBytes({
      limits,
      open: (offset) => registry.openBlob(source, digest, offset),
      target: targetOf(source, digest)
    })))
  })
  const layers = yield* Effect.forEach(
    layersOf(read),
    (digest) =>
      Effect.map(sizeOf(digest), (size): Descriptor => ({
        mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip",
        digest,
        size,
        foreign: false
      })),
    { concurrency: looksAtOnce }
  )
  const total = layers.reduce((sum, it) => sum + it.size, 0)
  if (most !== undefined && total > most) return yield* tooLarge(image, total, most)

  progress.blobs.total += layers.length
  progress.bytes.total += total
  const moves = new Map<Descriptor, "uploaded" | "mounted">()
  const budget: Budget = { left: mostUnpacked }
  const bring = Effect.fnUntraced(function*(layer: Descriptor, force: boolean) {
    const how = yield* copyBlob(context, layer, force)
    if (how === "uploaded" || how === "mounted") {
      ledger.noteBlob(target.repository, layer.digest)
      moves.set(layer, how)
    }
    if (how !== "uploaded") progress.bytes.done += layer.size
  })
  const unpack = ({ digest, size }: Descriptor) =>
    readLayer({
      limits,
      budget,
      digest,
      size,
      target: targetOf(target, digest),
      open: (offset) => registry.openBlob(target, digest, offset)
    })
  const contents: ReadonlyArray<readonly [Digest, LayerContent]> = yield* Effect.forEach(
    layers,
    Effect.fnUntraced(function*(layer) {
      const again = damaged?.has(layer.digest) === true
      yield* bring(layer, again)
      const content = yield* unpack(layer).pipe(
        Effect.catchIf(
          (error): error is RegistryError =>
            error._tag === "RegistryError" && !again && (error.reason === "NotFound" || error.reason === "Corrupt"),
          () => {
            // the registry had said that it is there
            progress.bytes.done -= layer.size
            return Effect.andThen(bring(layer, true), unpack(layer))
          }
        ),
        Effect.mapError((error) =>
          error._tag === "UnfitLayer"
            ? refused(`${layer.digest}: ${error.detail}`)
            : error._tag === "CloneError"
            ? error
            : fromRegistry(image, "backup")(error)
        )
      )
      progress.blobs.done++
      return [layer.digest, content] as const
    }),
    { concurrency: layersAtOnce }
  )
  const byDigest = new Map(contents)
  const { config, manifest } = yield* Effect.mapError(Effect.fromResult(convertSchema1(read, byDigest)), refused)

  const digest = digestOf(manifest)
  const configDigest = digestOf(config)
  // equal digest, no PUT
  const present = damaged?.has(digest) !== true &&
    Option.exists(yield* atBackup(registry.headManifest(target, digest)), (it) => it.digest === digest)
  return {
    fetched: { manifest: { bytes: manifest, mediaType: dockerManifest, digest }, present },
    context: {
      ...context,
      // the layers are counted
      progress: makeProgress(progress.source, progress.target, progress.startedAt),
      registry: {
        ...registry,
        openBlob: (repository, blob, offset) =>
          blob === configDigest && repository === source
            ? Effect.succeed(inMemory(Buffer.from(config)))
            : registry.openBlob(repository, blob, offset)
      }
    },
    counted: (tally) => {
      const blobs = { ...tally.blobs }
      const bytes = { ...tally.bytes }
      for (const [layer, how] of moves) {
        blobs[how]++
        bytes[how] += layer.size
        // those without content have no place in the new manifest, and were not found there
        if (byDigest.get(layer.digest)?.empty !== false) continue
        blobs.present--
        bytes.present -= layer.size
      }
      return { ...tally, blobs, bytes }
    }
  }
})
