// What one repository holds: links to blobs, manifests by digest, tags, and who refers to what; with the rules for
// putting a manifest there. Bytes are in BlobStorage; no HTTP here.
// Rules: OCI distribution-spec 1.1 "Pushing Manifests", stricter where Distribution is (children must be present).
import { Effect } from "effect"
import * as J from "../Json.ts"
import type { BlobStorage } from "./BlobStorage.ts"
import * as Blobs from "./BlobStorage.ts"
import type { Descriptor } from "./MediaTypes.ts"
import * as MediaTypes from "./MediaTypes.ts"
import { OciError } from "./OciError.ts"

export interface StoredManifest {
  readonly digest: string
  readonly mediaType: string
  readonly bytes: Uint8Array
}

export interface Repository {
  readonly name: string
  readonly blobs: Set<string>
  readonly manifests: Map<string, StoredManifest>
  readonly tags: Map<string, string>
}

export const make = (name: string): Repository => ({ name, blobs: new Set(), manifests: new Map(), tags: new Map() })

/** Path components of lower-case letters, digits and single separators; docker's limit of 255. */
export const isName = (name: string): boolean =>
  name.length <= 255 && /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/.test(name)

const isTag = (tag: string): boolean => /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/.test(tag)

/** The manifest under a tag or digest. */
export const find = (repository: Repository, reference: string): StoredManifest | undefined =>
  repository.manifests.get(repository.tags.get(reference) ?? reference)

const invalid = (detail: string) => new OciError({ code: "MANIFEST_INVALID", detail })

const checkBlob = Effect.fnUntraced(function*(repository: Repository, storage: BlobStorage, descriptor: J.Json) {
  const blob = MediaTypes.target(descriptor)
  if (blob === undefined || !Blobs.isDigest(blob.digest)) {
    return yield* invalid("a descriptor lacks its digest or size")
  }
  if (MediaTypes.isForeign(descriptor)) return
  if (!repository.blobs.has(blob.digest)) {
    return yield* new OciError({ code: "MANIFEST_BLOB_UNKNOWN", detail: `blob unknown to registry: ${blob.digest}` })
  }
  if (storage.size(blob.digest) !== blob.size) return yield* invalid(`size of ${blob.digest} is not ${blob.size}`)
})

/**
 * Stores a manifest byte for byte under its digest and, if `reference` is one, its tag.
 * Fails unless its media types agree, everything it names is in this repository, and a digest reference is its digest.
 * Gives back the digest of its subject, if it has one.
 */
export const putManifest = Effect.fnUntraced(function*(
  repository: Repository,
  storage: BlobStorage,
  reference: string,
  mediaType: string,
  bytes: Uint8Array
) {
  const byDigest = reference.includes(":")
  if (byDigest && !Blobs.isDigest(reference)) {
    return yield* new OciError({ code: "DIGEST_INVALID", detail: `${reference} is no digest` })
  }
  if (!byDigest && !isTag(reference)) {
    return yield* new OciError({ code: "MANIFEST_INVALID", detail: `${reference} is no tag` })
  }
  const document = J.parse(Buffer.from(bytes).toString("utf8"))
  if (!J.isObject(document)) return yield* invalid("the manifest is no JSON object")
  const inside = J.text(document, "mediaType")
  if (inside !== undefined && inside !== mediaType) {
    return yield* invalid(`Content-Type ${mediaType} is not the manifest's mediaType ${inside}`)
  }
  if (!MediaTypes.isIndex(mediaType) && !MediaTypes.isManifest(mediaType)) {
    return yield* invalid(`manifests of type ${mediaType} are not accepted`)
  }
  if (J.number(document, "schemaVersion") !== 2) return yield* invalid("schemaVersion is not 2")
  if (MediaTypes.isIndex(mediaType)) {
    if (!Array.isArray(document["manifests"])) return yield* invalid("an index without manifests")
    if (document["layers"] !== undefined || document["config"] !== undefined) {
      return yield* invalid("both an index and a manifest")
    }
    for (const child of J.list(document, "manifests")) {
      const digest = MediaTypes.target(child)?.digest
      if (digest === undefined) return yield* invalid("a descriptor lacks its digest or size")
      if (!repository.manifests.has(digest)) {
        return yield* new OciError({ code: "MANIFEST_BLOB_UNKNOWN", detail: `manifest unknown: ${digest}` })
      }
    }
  } else {
    if (document["manifests"] !== undefined) return yield* invalid("both an index and a manifest")
    if (!Array.isArray(document["layers"])) return yield* invalid("a manifest without layers")
    yield* checkBlob(repository, storage, document["config"] ?? null)
    for (const layer of J.list(document, "layers")) yield* checkBlob(repository, storage, layer)
  }
  const digest = byDigest ? Blobs.digestLike(reference, bytes) : Blobs.sha256(bytes)
  if (byDigest && digest !== reference) {
    return yield* new OciError({ code: "DIGEST_INVALID", detail: `the manifest's digest is ${digest}` })
  }
  store(repository, byDigest ? undefined : reference, { digest, mediaType, bytes })
  return { digest, subject: J.text(document, "subject", "digest") }
})

/** Stores without any check: for seeding what a registry would not accept any more (schema 1, broken images). */
export const store = (repository: Repository, tag: string | undefined, manifest: StoredManifest): void => {
  repository.manifests.set(manifest.digest, manifest)
  if (tag !== undefined) repository.tags.set(tag, manifest.digest)
}

/** Removes a tag, or a manifest and the tags on it; false when there is none. */
export const removeManifest = (repository: Repository, reference: string): boolean => {
  if (!reference.includes(":")) return repository.tags.delete(reference)
  for (const [tag, digest] of repository.tags) if (digest === reference) repository.tags.delete(tag)
  return repository.manifests.delete(reference)
}

/** Descriptors of the manifests whose subject is the digest. */
export const referrers = (repository: Repository, subject: string): ReadonlyArray<Descriptor> => {
  const found: Array<Descriptor> = []
  for (const manifest of repository.manifests.values()) {
    const document = J.parse(Buffer.from(manifest.bytes).toString("utf8"))
    if (!J.isObject(document) || J.text(document, "subject", "digest") !== subject) continue
    const artifactType = MediaTypes.artifactTypeOf(document)
    const annotations = J.texts(document, "annotations")
    found.push({
      mediaType: manifest.mediaType,
      digest: manifest.digest,
      size: manifest.bytes.length,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations })
    })
  }
  return found
}
