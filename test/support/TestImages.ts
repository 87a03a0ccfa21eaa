// Images for tests, built in memory: OCI and docker schema 2, indexes, layers of random bytes that can be shared.
// Edge: layers are opaque to registries, so they are not really tar; those that are, are tarLayer's of Schema1Images.ts.
import { createCipheriv, createHash } from "node:crypto"
import { gunzipSync } from "node:zlib"
import { type Digest, digestOf } from "../../src/image/Digest.ts"
import { dockerList, dockerManifest, ociIndex, ociManifest } from "../../src/image/ManifestDocument.ts"

export interface TestBlob {
  readonly digest: Digest
  readonly bytes: Buffer
}

export interface TestManifest extends TestBlob {
  readonly mediaType: string
}

/** An image or index with all below it. */
export interface TestImage {
  readonly root: TestManifest
  /** Leaf first, the root last. */
  readonly manifests: ReadonlyArray<TestManifest>
  readonly blobs: ReadonlyArray<TestBlob>
  /** Configs only. */
  readonly configs: ReadonlyArray<Digest>
}

export type Flavour = "oci" | "docker"

/** What tools that unpack images want to know of gzipped layers. */
export const unpackable = (layers: ReadonlyArray<TestBlob>) => ({
  rootfs: { type: "layers", diff_ids: layers.map((it) => digestOf(gunzipSync(it.bytes))) },
  history: layers.map((_, at) => ({ created: "2016-03-01T00:00:00Z", created_by: `RUN ${at}` }))
})

const types = {
  oci: {
    manifest: ociManifest,
    index: ociIndex,
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar+gzip"
  },
  docker: {
    manifest: dockerManifest,
    index: dockerList,
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar.gzip"
  }
} as const

const blobOf = (bytes: Buffer): TestBlob => ({ digest: digestOf(bytes), bytes })

/** Bytes that look random and are the same for the same seed. */
const randomBytes = (seed: string, size: number): Buffer => {
  const key = createHash("sha256").update(seed).digest()
  const cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16))
  return cipher.update(Buffer.alloc(size))
}

/** A layer; equal seeds and sizes are the same layer. */
export const layerOf = (seed: string, size = 20_000): TestBlob => blobOf(randomBytes(seed, size))

const describe = (mediaType: string, blob: TestBlob) => ({ mediaType, digest: blob.digest, size: blob.bytes.length })

/** A manifest of any JSON, for what no proper tool would build. */
export const manifestOf = (mediaType: string, json: unknown): TestManifest => {
  // indented, so that anybody who parses and writes it anew changes the digest
  const bytes = Buffer.from(JSON.stringify(json, undefined, 3))
  return { mediaType, ...blobOf(bytes) }
}

/** An image for one platform. */
export const imageOf = (
  layers: ReadonlyArray<TestBlob>,
  options: {
    readonly flavour?: Flavour
    readonly architecture?: string
    /** Members of the manifest, and of the config, in place of what they would have. */
    readonly more?: object
    readonly config?: object
  } = {}
): TestImage => {
  const { architecture = "amd64", flavour = "oci" } = options
  const config = blobOf(Buffer.from(JSON.stringify({
    architecture,
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: layers.map((it) => it.digest) },
    ...options.config
  })))
  const root = manifestOf(types[flavour].manifest, {
    schemaVersion: 2,
    mediaType: types[flavour].manifest,
    config: describe(types[flavour].config, config),
    layers: layers.map((it) => describe(types[flavour].layer, it)),
    ...options.more
  })
  return { root, manifests: [root], blobs: [config, ...layers], configs: [config.digest] }
}

/** An index over images or other indexes. */
export const indexOf = (images: ReadonlyArray<TestImage>, flavour: Flavour = "oci"): TestImage => {
  const architectures = ["amd64", "arm64", "s390x", "ppc64le"]
  const root = manifestOf(types[flavour].index, {
    schemaVersion: 2,
    mediaType: types[flavour].index,
    manifests: images.map((it, index) => ({
      ...describe(it.root.mediaType, it.root),
      platform: { architecture: architectures[index] ?? "unknown", os: "linux" }
    }))
  })
  return {
    root,
    manifests: [...images.flatMap((it) => it.manifests), root],
    blobs: images.flatMap((it) => it.blobs),
    configs: images.flatMap((it) => it.configs)
  }
}
