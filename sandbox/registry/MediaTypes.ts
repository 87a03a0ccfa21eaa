// Manifest media types, and what of a manifest a registry looks at. Source: OCI image-spec 1.1, docker manifest v2.
import type { Json, JsonObject } from "../Json.ts"
import * as J from "../Json.ts"

export const ociIndex = "application/vnd.oci.image.index.v1+json"
export const ociManifest = "application/vnd.oci.image.manifest.v1+json"
export const dockerList = "application/vnd.docker.distribution.manifest.list.v2+json"
export const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
export const dockerSchema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"

const indexes = new Set([ociIndex, dockerList])
const manifests = new Set([ociManifest, dockerManifest])

export const isIndex = (mediaType: string): boolean => indexes.has(mediaType)
export const isManifest = (mediaType: string): boolean => manifests.has(mediaType)

export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string }
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** Digest and size of a descriptor; undefined when it has not both. */
export const target = (descriptor: Json | undefined): { digest: string; size: number } | undefined => {
  const digest = J.text(descriptor, "digest")
  const size = J.number(descriptor, "size")
  return digest === undefined || size === undefined ? undefined : { digest, size }
}

/** Layers that a registry need not hold: they name the places they are fetched from. */
export const isForeign = (descriptor: Json): boolean =>
  J.list(descriptor, "urls").length > 0 || (J.text(descriptor, "mediaType") ?? "").includes("nondistributable") ||
  (J.text(descriptor, "mediaType") ?? "").includes("foreign")

export const artifactTypeOf = (manifest: JsonObject): string | undefined =>
  J.text(manifest, "artifactType") ?? J.text(manifest, "config", "mediaType")
