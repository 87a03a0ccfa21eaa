// Images in Docker's schema 1, built in memory: signed and unsigned, with layers that really are tars.
// Edge: the signatures are none that anybody could verify; nobody does.
import { gzipSync } from "node:zlib"
import { tarOf } from "../../sandbox/registry/Tar.ts"
import { type Digest, digestOf } from "../../src/image/Digest.ts"
import { schema1, schema1Signed } from "../../src/image/ManifestDocument.ts"
import type { TestBlob, TestImage, TestManifest } from "./TestImages.ts"

const blobOf = (bytes: Buffer): TestBlob => ({ digest: digestOf(bytes), bytes })

/** A gzipped layer with one file. */
export const tarLayer = (name: string, content: Buffer | string = name): TestBlob =>
  blobOf(gzipSync(tarOf(name, content), { level: 1 }))

/** What docker pushed as the layer of instructions that change no file: the gzip of 1024 zeros. */
export const emptyLayer: TestBlob = blobOf(
  Buffer.from("1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000", "hex")
)

export interface Schema1Step {
  readonly layer: TestBlob
  /** Members of its `v1Compatibility`; id and parent are made up. */
  readonly says?: object
}

export interface Schema1Options {
  readonly name?: string
  readonly tag?: string
  /** Members of the manifest in place of what it would have. */
  readonly more?: object
}

export const idOf = (at: number): string => String(at + 1).padStart(64, "0")

const documentOf = (steps: ReadonlyArray<Schema1Step>, { more, name = "app", tag = "1" }: Schema1Options) => ({
  schemaVersion: 1,
  name,
  tag,
  architecture: "amd64",
  fsLayers: steps.map(({ layer }) => ({ blobSum: layer.digest })).toReversed(),
  history: steps.map(({ says }, at) => ({
    v1Compatibility: JSON.stringify({
      id: idOf(at),
      ...(at === 0 ? {} : { parent: idOf(at - 1) }),
      created: `2015-06-0${at % 9 + 1}T00:00:00.5Z`,
      ...says
    })
  })).toReversed(),
  ...more
})

const base64url = (text: string): string => Buffer.from(text).toString("base64url")

/** The signed form of some JSON that ends in "\n}", as libtrust makes it. */
export const signed = (payload: string, signatures = 1): string => {
  const formatLength = payload.length - 2
  const signature = {
    header: { jwk: { crv: "P-256", kid: "made:up", kty: "EC", x: "eA", y: "eQ" }, alg: "ES256" },
    signature: base64url("none"),
    protected: base64url(JSON.stringify({ formatLength, formatTail: base64url("\n}"), time: "2015-06-01T00:00:00Z" }))
  }
  const all = JSON.stringify(Array.from({ length: signatures }, () => signature), undefined, 3)
  return `${payload.slice(0, formatLength)},\n   "signatures": ${all}\n}`
}

/** An image of these steps, base first; `digest` of its root is the one that counts, of what is signed. */
export const schema1Image = (
  steps: ReadonlyArray<Schema1Step>,
  options: Schema1Options & { readonly unsigned?: boolean; readonly signatures?: number } = {}
): TestImage & { readonly payload: Buffer } => {
  const payload = JSON.stringify(documentOf(steps, options), undefined, 3)
  const digest: Digest = digestOf(Buffer.from(payload))
  const root: TestManifest = options.unsigned === true
    ? { mediaType: schema1, digest, bytes: Buffer.from(payload) }
    : { mediaType: schema1Signed, digest, bytes: Buffer.from(signed(payload, options.signatures)) }
  const blobs = new Map(steps.map(({ layer }) => [layer.digest, layer]))
  return { root, manifests: [root], blobs: [...blobs.values()], configs: [], payload: Buffer.from(payload) }
}
