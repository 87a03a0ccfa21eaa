// Docker's schema 1, the manifests of before 2017, as images that today's runtimes take: read, checked, and converted to
// schema 2. Source: moby v24, distribution/pull_v2.go (pullSchema1, fixManifestLayers); that layers without content need not
// be flagged is containerd's. The same input gives the same bytes, so that a copy can be made again.
// Edge: pure; where the layers' contents come from is Schema1Copy.ts.
import { Option, Result, Schema } from "effect"
import { type Digest, digestOf, isDigest } from "../../image/Digest.ts"
import { dockerManifest } from "../../image/ManifestDocument.ts"
import { signedPayload } from "../../image/SignedManifest.ts"
import { configText, readEntry, type Step, type V1Entry } from "./Schema1Config.ts"

export interface Schema1Layer {
  readonly blob: Digest
  readonly entry: V1Entry
}

export interface Schema1Image {
  readonly architecture: string
  /** Base first, as schema 2 has them; schema 1 lists them top first. */
  readonly layers: ReadonlyArray<Schema1Layer>
}

/** What is in a layer's blob. */
export interface LayerContent {
  /** Of the blob as it is stored. */
  readonly size: number
  /** The digest of the unpacked tar. */
  readonly diffId: Digest
  readonly gzip: boolean
  /** No file at all: nothing, or a tar's closing zeros. */
  readonly empty: boolean
}

export interface Converted {
  readonly config: Uint8Array
  /** Of type `dockerManifest`. */
  readonly manifest: Uint8Array
}

const mostLayers = 500
const mostEntryBytes = 1024 * 1024
const mostConfigBytes = 4 * 1024 * 1024

const Document = Schema.fromJsonString(Schema.Struct({
  schemaVersion: Schema.Literal(1),
  architecture: Schema.optionalKey(Schema.NullOr(Schema.String)),
  fsLayers: Schema.Array(Schema.Struct({ blobSum: Schema.String.pipe(Schema.refine(isDigest)) })),
  history: Schema.Array(Schema.Struct({ v1Compatibility: Schema.String }))
}))
const decode = Schema.decodeUnknownOption(Document)

const isId = (text: string): boolean => /^[a-f0-9]{64}$/.test(text)

/** Drops what is listed twice in a row, and checks that every layer stands on the one below it; top first. */
const withoutRepeats = (layers: ReadonlyArray<Schema1Layer>): Result.Result<ReadonlyArray<Schema1Layer>, string> => {
  if (!layers.every(({ entry }) => isId(entry.id))) return Result.fail("an entry of its history has no valid id")
  if (layers.at(-1)?.entry.parent !== "") return Result.fail("its lowest layer stands on one that is not there")
  const kept = layers.filter(({ entry }, at) => entry.id !== layers[at + 1]?.entry.id)
  if (new Set(kept.map(({ entry }) => entry.id)).size < kept.length) {
    return Result.fail("a layer appears twice in its history")
  }
  // what is dropped stands on its repetition, the last of them on the next layer
  return kept.every(({ entry }, at) => entry.parent === (kept[at + 1]?.entry.id ?? ""))
    ? Result.succeed(kept)
    : Result.fail("a layer of its history does not stand on the one below it")
}

/** Reads a manifest of schema 1, of a signed one what is signed; the failure says why it is refused. */
export const readSchema1 = (bytes: Uint8Array): Result.Result<Schema1Image, string> =>
  Result.gen(function*() {
    const signed = (yield* signedPayload(bytes)) ?? bytes
    const document = Option.getOrUndefined(decode(new TextDecoder().decode(signed)))
    if (document === undefined) return yield* Result.fail("it is not what Docker's schema 1 says")
    const { architecture, fsLayers, history } = document
    if (fsLayers.length === 0 || fsLayers.length !== history.length) {
      return yield* Result.fail(`it has ${fsLayers.length} layers and ${history.length} entries in its history`)
    }
    if (fsLayers.length > mostLayers) {
      return yield* Result.fail(`it has ${fsLayers.length} layers; at most ${mostLayers} are converted`)
    }
    const layers: Array<Schema1Layer> = []
    for (const [at, { blobSum }] of fsLayers.entries()) {
      const json = history[at]?.v1Compatibility ?? ""
      if (Buffer.byteLength(json) > mostEntryBytes) {
        return yield* Result.fail(`an entry of its history has more than ${mostEntryBytes} bytes`)
      }
      layers.push({ blob: blobSum, entry: yield* readEntry(json) })
    }
    const kept = yield* withoutRepeats(layers)
    return { architecture: architecture ?? "", layers: kept.toReversed() }
  })

const described = (mediaType: string, size: number, digest: Digest) => ({ digest, mediaType, size })

/** The blobs whose content must be known: those of all layers that are not flagged as having none. */
export const layersOf = (image: Schema1Image): ReadonlyArray<Digest> => [
  ...new Set(image.layers.flatMap(({ blob, entry }) => entry.throwaway ? [] : [blob]))
]

/** Converts; `contents` has the content of all of `layersOf`. The failure says why it cannot be done. */
export const convertSchema1 = (
  image: Schema1Image,
  contents: ReadonlyMap<Digest, LayerContent>
): Result.Result<Converted, string> => {
  const top = image.layers.at(-1)
  if (top === undefined) return Result.fail("it has no layers")
  const steps: Array<Step> = []
  const layers: Array<ReturnType<typeof described>> = []
  for (const { blob, entry } of image.layers) {
    const content = entry.throwaway ? undefined : contents.get(blob)
    if (!entry.throwaway && content === undefined) return Result.fail(`the content of ${blob} is not known`)
    const holds = content !== undefined && !content.empty
    steps.push({ entry, diffId: holds ? content.diffId : undefined })
    if (!holds) continue
    const mediaType = `application/vnd.docker.image.rootfs.diff.tar${content.gzip ? ".gzip" : ""}`
    layers.push(described(mediaType, content.size, blob))
  }
  // docker takes its own architecture for one that is not said, and that was this one
  const architecture = image.architecture === "" ? "amd64" : image.architecture
  const config = Buffer.from(configText(steps, top.entry, architecture))
  if (config.length > mostConfigBytes) return Result.fail(`its config would have more than ${mostConfigBytes} bytes`)
  const manifest = Buffer.from(JSON.stringify({
    config: described("application/vnd.docker.container.image.v1+json", config.length, digestOf(config)),
    layers,
    mediaType: dockerManifest,
    schemaVersion: 2
  }))
  return Result.succeed({ config, manifest })
}
