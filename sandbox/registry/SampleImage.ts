// Images made up from a few words: deterministic bytes, real digests, every form a registry serves (OCI and docker
// manifests, indexes of several platforms, artifacts that refer to a subject). Layers are gzipped tars of one file.
import { gunzipSync, gzipSync } from "node:zlib"
import { sha256 } from "./BlobStorage.ts"
import type { Descriptor } from "./MediaTypes.ts"
import * as MediaTypes from "./MediaTypes.ts"
import type { StoredManifest } from "./Repository.ts"
import { tarOf } from "./Tar.ts"

export interface Image {
  readonly manifest: StoredManifest
  /** Manifests below an index. */
  readonly children: ReadonlyArray<StoredManifest>
  readonly blobs: ReadonlyArray<Uint8Array>
}

export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
}

const amd64: Platform = { os: "linux", architecture: "amd64" }
export const arm64: Platform = { os: "linux", architecture: "arm64" }

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

const manifestOf = (mediaType: string, document: unknown): StoredManifest => {
  const bytes = encode(document)
  return { digest: sha256(bytes), mediaType, bytes }
}

const descriptorOf = (mediaType: string, content: Uint8Array): Descriptor => ({
  mediaType,
  digest: sha256(content),
  size: content.length
})

/** A layer of about `size` bytes that do not compress, the same for the same words. */
export const layer = (words: string, size = 1024): Uint8Array => {
  const content = Buffer.alloc(size)
  // xorshift32, seeded by the words: cheap, and incompressible enough to keep the size.
  let state = Number.parseInt(sha256(words).slice(7, 15), 16) | 1
  for (let offset = 0; offset + 4 <= size; offset += 4) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    content.writeInt32LE(state, offset)
  }
  return gzipSync(tarOf(`${words.replaceAll(/[^a-z0-9]+/gi, "-").slice(0, 80)}.bin`, content), { level: 1 })
}

const isGzip = (content: Uint8Array): boolean => content[0] === 0x1f && content[1] === 0x8b

export interface SampleOptions {
  /** Default: one layer made from the name. */
  readonly layers?: ReadonlyArray<Uint8Array>
  readonly platform?: Platform
  /** Docker schema 2 instead of OCI. */
  readonly docker?: boolean
  readonly annotations?: Readonly<Record<string, string>>
}

/** An image of one platform; the name goes into its configuration, so another name is another digest. */
export const image = (name: string, options: SampleOptions = {}): Image => {
  const layers = options.layers ?? [layer(name)]
  const platform = options.platform ?? amd64
  const docker = options.docker === true
  const config = encode({
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    config: { Cmd: ["/bin/sample"], Labels: { "sample.name": name } },
    rootfs: { type: "layers", diff_ids: layers.map((it) => sha256(isGzip(it) ? gunzipSync(it) : it)) },
    history: []
  })
  const layerType = docker
    ? "application/vnd.docker.image.rootfs.diff.tar.gzip"
    : "application/vnd.oci.image.layer.v1.tar+gzip"
  const configType = docker
    ? "application/vnd.docker.container.image.v1+json"
    : "application/vnd.oci.image.config.v1+json"
  const mediaType = docker ? MediaTypes.dockerManifest : MediaTypes.ociManifest
  return {
    manifest: manifestOf(mediaType, {
      schemaVersion: 2,
      mediaType,
      config: descriptorOf(configType, config),
      layers: layers.map((it) => descriptorOf(layerType, it)),
      ...(options.annotations === undefined ? {} : { annotations: options.annotations })
    }),
    children: [],
    blobs: [config, ...layers]
  }
}

const platformOf = (item: Image): Platform => {
  const config: { os: string; architecture: string; variant?: string } = JSON.parse(
    Buffer.from(item.blobs[0] ?? []).toString("utf8")
  )
  return {
    os: config.os,
    architecture: config.architecture,
    ...(config.variant === undefined ? {} : { variant: config.variant })
  }
}

/** An index (or docker manifest list) over images of one platform each, or over indexes. */
export const index = (images: ReadonlyArray<Image>, options: { readonly docker?: boolean } = {}): Image => {
  const mediaType = options.docker === true ? MediaTypes.dockerList : MediaTypes.ociIndex
  return {
    manifest: manifestOf(mediaType, {
      schemaVersion: 2,
      mediaType,
      manifests: images.map((it) => ({
        ...descriptorOf(it.manifest.mediaType, it.manifest.bytes),
        ...(MediaTypes.isIndex(it.manifest.mediaType) ? {} : { platform: platformOf(it) })
      }))
    }),
    children: images.flatMap((it) => [...it.children, it.manifest]),
    blobs: images.flatMap((it) => it.blobs)
  }
}

/** An index for linux/amd64 and linux/arm64 whose images share `shared` layers. */
export const twoPlatforms = (name: string, options: { readonly shared?: ReadonlyArray<Uint8Array> } = {}): Image =>
  index(
    [amd64, arm64].map((platform) =>
      image(name, { platform, layers: [...options.shared ?? [], layer(`${name} ${platform.architecture}`)] })
    )
  )

/** An artifact (signature, SBOM) that refers to a subject: an OCI manifest with the empty config. */
export const artifact = (
  subject: StoredManifest,
  artifactType: string,
  content: string,
  annotations: Readonly<Record<string, string>> = {}
): Image => {
  const config = new TextEncoder().encode("{}")
  const blob = new TextEncoder().encode(content)
  return {
    manifest: manifestOf(MediaTypes.ociManifest, {
      schemaVersion: 2,
      mediaType: MediaTypes.ociManifest,
      artifactType,
      config: descriptorOf("application/vnd.oci.empty.v1+json", config),
      layers: [descriptorOf("application/octet-stream", blob)],
      subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.bytes.length },
      annotations
    }),
    children: [],
    blobs: [config, blob]
  }
}
