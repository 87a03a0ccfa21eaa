// ImageId: what a container runtime calls the image that a container runs, `imageID` of a container's status. Only the digest
// counts, never the repository: runtimes name mirrors there, or nothing at all. Forms, as the kubelet passes them on (CRI's
// `image_ref`): containerd and older CRI-O `host/repository@sha256:…` of a manifest or index; containerd without a repository
// and docker `sha256:…`, `docker://sha256:…` of the config; CRI-O since 1.28 the config's 64 hex digits alone.
import { type Digest, isDigest } from "../image/Digest.ts"

export interface ImageId {
  readonly digest: Digest
  /** What it is the digest of: a registry can be asked for a manifest, but for no image by its config. */
  readonly of: "manifest" | "config"
}

const imageId = (text: string, of: ImageId["of"]): ImageId | undefined =>
  isDigest(text) ? { digest: text, of } : undefined

/** Reads `imageID`, or `imageRef` of an image volume; undefined where it names no digest. */
export const parseImageId = (text: string): ImageId | undefined => {
  const at = text.lastIndexOf("@")
  if (at >= 0) return imageId(text.slice(at + 1), "manifest")
  const id = text.slice(text.lastIndexOf("/") + 1)
  return imageId(id, "config") ?? imageId(`sha256:${id}`, "config")
}
