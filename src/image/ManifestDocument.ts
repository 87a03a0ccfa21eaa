// A manifest's bytes as what they refer to. Sources: OCI image-spec manifest.md and image-index.md, docker's schema 2.
// Edge: reads only what copying needs, never writes: the bytes are pushed as they came (invariant 4).
import { Option, Result, Schema } from "effect"
import { type Digest, isDigest } from "./Digest.ts"

export const ociIndex = "application/vnd.oci.image.index.v1+json"
export const ociManifest = "application/vnd.oci.image.manifest.v1+json"
export const dockerList = "application/vnd.docker.distribution.manifest.list.v2+json"
export const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
export const schema1Signed = "application/vnd.docker.distribution.manifest.v1+prettyjws"
export const schema1 = "application/vnd.docker.distribution.manifest.v1+json"
const ociArtifact = "application/vnd.oci.artifact.manifest.v1+json"

/** Everything in one header: some servers look at the first instance only, and serve a child of what is not accepted. */
export const acceptManifests = [ociIndex, dockerList, ociManifest, dockerManifest, ociArtifact, schema1Signed, schema1]
  .join(", ")

const kinds: Readonly<Record<string, "Index" | "Image" | "Schema1" | "Artifact">> = {
  [ociIndex]: "Index",
  [dockerList]: "Index",
  [ociManifest]: "Image",
  [dockerManifest]: "Image",
  [schema1Signed]: "Schema1",
  [schema1]: "Schema1",
  [ociArtifact]: "Artifact"
}

/** Is this one of the types that registries keep as manifests? */
export const isManifestType = (mediaType: string): boolean => kinds[mediaType] !== undefined

export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
  /** It may live elsewhere only: docker's foreign and OCI's non-distributable layers, or one with `urls`. */
  readonly foreign: boolean
  /** `linux/arm64/v8`, of an image in an index, for messages; undefined where it is not told, or not in those words. */
  readonly platform?: string | undefined
}

/** What a manifest refers to. */
export type ManifestDocument =
  | { readonly _tag: "Index"; readonly manifests: ReadonlyArray<Descriptor> }
  | { readonly _tag: "Image"; readonly config: Descriptor; readonly layers: ReadonlyArray<Descriptor> }
  /** Docker's format of before 2017; what is in it is clone/schema1/Schema1.ts. */
  | { readonly _tag: "Schema1" }
  | { readonly _tag: "Artifact"; readonly blobs: ReadonlyArray<Descriptor> }

const foreignTypes = /rootfs\.foreign\.|\.layer\.nondistributable\./

const Size = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
const RawDescriptor = Schema.Struct({
  mediaType: Schema.optionalKey(Schema.NullOr(Schema.String)),
  digest: Schema.String.pipe(Schema.refine(isDigest)),
  size: Size,
  platform: Schema.optionalKey(Schema.Unknown),
  urls: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String)))
})
const descriptors = Schema.optionalKey(Schema.NullOr(Schema.Array(RawDescriptor)))

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown)))
const decodeIndex = Schema.decodeUnknownOption(Schema.Struct({ manifests: descriptors }))
const decodeArtifact = Schema.decodeUnknownOption(Schema.Struct({ blobs: descriptors }))
const decodeImage = Schema.decodeUnknownOption(Schema.Struct({ config: RawDescriptor, layers: descriptors }))

const decodePlatform = Schema.decodeUnknownOption(Schema.Struct({
  os: Schema.String,
  architecture: Schema.String,
  variant: Schema.optionalKey(Schema.NullOr(Schema.String))
}))

/** Only what can stand in a message; whatever else it says never makes an index unreadable. */
const platformOf = (raw: unknown): string | undefined =>
  Option.match(decodePlatform(raw), {
    onNone: () => undefined,
    onSome: ({ architecture, os, variant }) => {
      const text = [os, architecture, ...(variant ? [variant] : [])].join("/")
      return /^[\w./-]{1,80}$/.test(text) ? text : undefined
    }
  })

const toDescriptor = (raw: typeof RawDescriptor.Type): Descriptor => {
  const platform = raw.platform === undefined ? undefined : platformOf(raw.platform)
  return {
    // empty counts as none, as it does for the manifest itself
    mediaType: raw.mediaType || "application/octet-stream",
    digest: raw.digest,
    size: raw.size,
    foreign: (raw.urls?.length ?? 0) > 0 || foreignTypes.test(raw.mediaType ?? ""),
    ...(platform === undefined ? {} : { platform })
  }
}

const decisive = ["manifests", "layers", "config", "fsLayers", "history", "mediaType", "schemaVersion", "blobs"]

const generic: ReadonlySet<string> = new Set(["", "application/json", "text/plain", "application/octet-stream"])

const typeOf = (contentType: string): string => contentType.split(";")[0]?.trim().toLowerCase() ?? ""

/** Can what is served as this type be Docker's schema 1? Old registries say text/plain or nothing at all. */
export const mayBeSchema1 = (contentType: string): boolean => {
  const type = typeOf(contentType)
  return kinds[type] === "Schema1" || generic.has(type)
}

const kindByStructure = (json: Readonly<Record<string, unknown>>): "Index" | "Image" | "Schema1" | undefined =>
  "fsLayers" in json
    ? "Schema1"
    : "manifests" in json
    ? "Index"
    : "config" in json || "layers" in json
    ? "Image"
    : undefined

/** The blobs that a manifest names itself. */
export const blobsOf = (document: ManifestDocument): ReadonlyArray<Descriptor> => {
  switch (document._tag) {
    case "Image":
      return [document.config, ...document.layers]
    case "Artifact":
      return document.blobs
    default:
      return []
  }
}

export interface Parsed {
  readonly document: ManifestDocument
  /** The type to push it with. */
  readonly mediaType: string
}

/**
 * Reads a manifest; the failure says why it is refused. Refused is what two readers could read differently: a type that
 * contradicts the body (CVE-2021-41190), an index that is an image as well, keys that differ by case only.
 */
export const parseManifest = (bytes: Uint8Array, contentType: string): Result.Result<Parsed, string> => {
  const decoded = decodeJson(new TextDecoder().decode(bytes))
  if (Option.isNone(decoded)) return Result.fail("the manifest is not a JSON object")
  const json = decoded.value
  const names = Object.keys(json)
  const twin = decisive.find((name) => names.filter((it) => it.toLowerCase() === name.toLowerCase()).length > 1)
  const shouted = names.find((it) =>
    !decisive.includes(it) && decisive.some((name) => name.toLowerCase() === it.toLowerCase())
  )
  if (twin !== undefined || shouted !== undefined) {
    return Result.fail(`the manifest is ambiguous: keys differ from ${twin ?? shouted} by case only`)
  }
  if ("manifests" in json && ["layers", "config", "fsLayers", "history"].some((it) => it in json)) {
    return Result.fail("the manifest is ambiguous: an index and an image in one")
  }
  if ("fsLayers" in json && ["layers", "config", "blobs"].some((it) => it in json)) {
    return Result.fail("the manifest is ambiguous: of schema 1 and of another format in one")
  }
  const header = typeOf(contentType)
  // an empty one is none to Distribution, containerd and docker
  const stated = typeof json["mediaType"] === "string" && json["mediaType"] !== "" ? json["mediaType"] : undefined
  if (stated !== undefined && !generic.has(header) && stated !== header) {
    return Result.fail(`the manifest is ambiguous: it is served as ${header} and calls itself ${stated}`)
  }
  const mediaType = generic.has(header) ? stated ?? header : header
  const structure = kindByStructure(json)
  const kind = kinds[mediaType] ?? structure
  if (kind === undefined) {
    return Result.fail(`manifests of type ${mediaType === "" ? "unknown" : mediaType} are not known`)
  }
  if (structure !== undefined && structure !== kind) {
    return Result.fail(`the manifest is ambiguous: it is served as ${mediaType} and has another structure`)
  }
  const pushedAs = kinds[mediaType] === undefined ? kind === "Index" ? ociIndex : ociManifest : mediaType
  const parsed = (document: ManifestDocument) => Result.succeed({ document, mediaType: pushedAs })
  if (kind === "Schema1") return parsed({ _tag: kind })
  if (kind === "Artifact") {
    return Option.match(decodeArtifact(json), {
      onNone: () => Result.fail("the artifact has a descriptor without a valid digest and size"),
      onSome: (it) => parsed({ _tag: "Artifact", blobs: (it.blobs ?? []).map(toDescriptor) })
    })
  }
  if (kind === "Index") {
    return Option.match(decodeIndex(json), {
      onNone: () => Result.fail("the index has a descriptor without a valid digest and size"),
      onSome: (it) => parsed({ _tag: "Index", manifests: (it.manifests ?? []).map(toDescriptor) })
    })
  }
  return Option.match(decodeImage(json), {
    onNone: () => Result.fail("the manifest has a descriptor without a valid digest and size"),
    onSome: (it) =>
      parsed({ _tag: "Image", config: toDescriptor(it.config), layers: (it.layers ?? []).map(toDescriptor) })
  })
}
