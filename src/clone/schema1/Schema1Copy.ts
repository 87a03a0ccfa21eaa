// Converts one image of Docker's schema 1 on its way to the backup: its layers are brought there as they are, each is read
// once from there to learn what it unpacks to, and out of that come a config and a manifest of schema 2.
// Edge: what is pushed of the two, and under which tags, is CopyTree's and CopyImage's; the conversion itself is Schema1.ts.
import { Effect, Option, Result } from "effect"
import type { Digest } from "../../image/Digest.ts"
import { digestOf } from "../../image/Digest.ts"
import type { OpenBlob } from "../../registry/api/Blobs.ts"
import { type Descriptor, dockerManifest, mayBeSchema1, parseManifest } from "../../image/ManifestDocument.ts"
import type { Manifest } from "../../registry/api/Manifests.ts"
import { isAbsent, type RegistryError } from "../../registry/RegistryError.ts"
import { CloneError, fromRegistry } from "../CloneError.ts"
import { copyBlob } from "../blob/CopyBlob.ts"
import type { TreeContext } from "../tree/CopyTree.ts"
import type { Fetched } from "../tree/FetchManifest.ts"
import { tooLarge } from "../tree/Measure.ts"
import { convertSchema1, type LayerContent, layersOf, readSchema1 } from "./Schema1.ts"
import { type Budget, countBytes, mostUnpacked, readLayer } from "./Schema1Layer.ts"
import { targetOf } from "../../image/Repository.ts"

const layerType = "application/vnd.docker.image.rootfs.diff.tar.gzip"
const looksAtOnce = 8
const layersAtOnce = 3

/** Must this be converted, because no registry and no runtime of today takes it? */
export const isSchema1 = ({ bytes, mediaType }: Manifest): boolean => {
  if (!mayBeSchema1(mediaType)) return false
  const parsed = parseManifest(bytes, mediaType)
  return Result.isSuccess(parsed) && parsed.success.document._tag === "Schema1"
}

/** What an original became, to be copied by `context`, which has the config that no source has. */
export interface Conversion<C extends TreeContext> {
  readonly fetched: Fetched
  readonly context: C
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
  abort: nothing
})

const refusing = ({ image, source }: TreeContext, original: Manifest) => (detail: string) =>
  new CloneError({
    image,
    reason: "unsupported",
    side: "source",
    detail: `${targetOf(source, original.digest)} is in Docker's schema 1 and cannot be converted: ${detail}`,
    retryable: false,
    retryAfter: undefined
  })

/** How large a layer is: schema 1 does not say it. The backup is asked first, and a source that says nothing is read. */
const sizeOf = Effect.fnUntraced(function*(context: TreeContext, digest: Digest): Effect.fn.Return<number, CloneError> {
  const { damaged, image, ledger, limits, registry, source, backup } = context
  const atSource = Effect.mapError(fromRegistry(image, "source"))
  const headOf = (where: typeof source) =>
    Effect.catchIf(registry.headBlob(where, digest), (error) => error.reason === "NotAllowed", () => Effect.succeedNone)
  const here = damaged?.has(digest) === true
    ? undefined
    : Option.getOrUndefined(yield* Effect.mapError(headOf(backup), fromRegistry(image, "backup")))
  if (here?.size !== undefined) {
    ledger.noteBlob(backup.repository, digest)
    return here.size
  }
  const there = Option.getOrUndefined(yield* atSource(headOf(source)))
  return there?.size ?? (yield* atSource(countBytes({
    limits,
    open: (offset) => registry.openBlob(source, digest, offset),
    target: targetOf(source, digest)
  })))
})

/** Brings a layer to the backup and reads from there what it unpacks to. */
const contentOf = Effect.fnUntraced(function*(
  context: TreeContext,
  layer: Descriptor,
  budget: Budget,
  refused: (detail: string) => CloneError
): Effect.fn.Return<LayerContent, CloneError> {
  const { counter, damaged, image, ledger, limits, registry, backup } = context
  const { digest, size } = layer
  const bring = (force: boolean) =>
    Effect.map(copyBlob(context, layer, force), (how) => {
      if (how === "uploaded" || how === "mounted") ledger.noteBlob(backup.repository, digest)
      counter.settle(layer, how)
    })
  const unpack = readLayer({
    limits,
    budget,
    digest,
    size,
    target: targetOf(backup, digest),
    open: (offset) => registry.openBlob(backup, digest, offset)
  })
  const again = damaged?.has(digest) === true
  yield* bring(again)
  return yield* unpack.pipe(
    Effect.catchIf(
      // the registry had said that it is there
      (error): error is RegistryError =>
        error._tag === "RegistryError" && !again && (isAbsent(error) || error.reason === "Corrupt"),
      () => Effect.andThen(bring(true), unpack)
    ),
    Effect.mapError((error) =>
      error._tag === "UnfitLayer"
        ? refused(`${digest}: ${error.detail}`)
        : error._tag === "CloneError"
        ? error
        : fromRegistry(image, "backup")(error)
    )
  )
})

/** The same registry, where the source has this config too. */
const withConfig = <C extends TreeContext>(context: C, config: Uint8Array): C => {
  const { registry, source } = context
  const digest = digestOf(config)
  return {
    ...context,
    registry: {
      ...registry,
      openBlob: (repository, blob, offset) =>
        blob === digest && repository === source
          ? Effect.succeed(inMemory(Buffer.from(config)))
          : registry.openBlob(repository, blob, offset)
    }
  }
}

/** Brings the layers of `original` to the backup and converts it. Images of more than `most` bytes are too large. */
export const convert = Effect.fnUntraced(function*<C extends TreeContext>(
  context: C,
  original: Manifest,
  most: number | undefined
): Effect.fn.Return<Conversion<C>, CloneError> {
  const { counter, damaged, image, registry, backup } = context
  const refused = refusing(context, original)
  const read = yield* Effect.mapError(Effect.fromResult(readSchema1(original.bytes)), refused)
  const layers = yield* Effect.forEach(
    layersOf(read),
    (digest) =>
      Effect.map(
        sizeOf(context, digest),
        (size): Descriptor => ({ mediaType: layerType, digest, size, foreign: false })
      ),
    { concurrency: looksAtOnce }
  )
  const total = layers.reduce((sum, it) => sum + it.size, 0)
  if (most !== undefined && total > most) return yield* tooLarge(image, total, most)

  for (const layer of layers) counter.expect(layer)
  const budget: Budget = { left: mostUnpacked }
  const contents = yield* Effect.forEach(
    layers,
    (layer) => Effect.map(contentOf(context, layer, budget, refused), (content) => [layer.digest, content] as const),
    { concurrency: layersAtOnce }
  )
  const { config, manifest } = yield* Effect.mapError(
    Effect.fromResult(convertSchema1(read, new Map(contents))),
    refused
  )
  const digest = digestOf(manifest)
  const held = damaged?.has(digest) === true
    ? Option.none()
    : yield* Effect.mapError(registry.headManifest(backup, digest), fromRegistry(image, "backup"))
  return {
    // equal digest, no PUT
    fetched: {
      manifest: { bytes: manifest, mediaType: dockerManifest, digest },
      present: Option.exists(held, (it) => it.digest === digest)
    },
    context: withConfig(context, config)
  }
})
