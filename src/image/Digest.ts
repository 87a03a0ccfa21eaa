// Content digests as go-digest validates them: algorithm, colon, lower-case hex of exactly the algorithm's length.
// Edge: only the three algorithms registered by the OCI image specification; anything else is not a digest to us.

import { createHash } from "node:crypto"

/** The algorithms of the OCI image specification, descriptor.md "Registered algorithms", plus go-digest's sha384. */
export type Algorithm = "sha256" | "sha384" | "sha512"

/** A validated digest: safe to put into a URL, a path, a tag or a map key. */
export type Digest = `${Algorithm}:${string}`

const hexLength: Readonly<Record<Algorithm, number>> = { sha256: 64, sha384: 96, sha512: 128 }

const shape = /^(sha256|sha384|sha512):([a-f0-9]+)$/

/** True for a digest with lower-case hex of the exact length; upper-case hex is invalid (go-digest, `Validate`). */
export const isDigest = (text: string): text is Digest => {
  const match = shape.exec(text)
  // the first group is one of the three keys: the expression names no other
  return match?.[2] !== undefined && match[2].length === hexLength[match[1] as Algorithm]
}

/** The algorithm of a digest. */
export const algorithmOf = (digest: Digest): Algorithm => digest.slice(0, 6) as Algorithm // all three names have six letters

/** The hex part of a digest. */
export const hexOf = (digest: Digest): string => digest.slice(7)

/** The digest of some bytes. */
export const digestOf = (bytes: Uint8Array, algorithm: Algorithm = "sha256"): Digest =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`

/** Does `told`, a registry's `Docker-Content-Digest`, name other bytes than `digest`? By another algorithm it tells nothing. */
export const isAnother = (told: string | undefined, digest: Digest): boolean =>
  told !== undefined && isDigest(told) && algorithmOf(told) === algorithmOf(digest) && told !== digest
