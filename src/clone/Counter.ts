// Counter: what one tree of manifests comes to while it is walked: each blob once, by what became of it. The report of a copy, its
// progress bar and the size of an image are all read from it. Edge: counts, and knows nothing of registries.
import type { Digest } from "../image/Digest.ts"
import type { Descriptor } from "../image/ManifestDocument.ts"

/** How a blob got to the backup; `left` is a foreign layer that the source does not have. */
export type How = "uploaded" | "mounted" | "present" | "left"

/** A number for each way by which blobs got to the backup. */
export interface ByHow {
  readonly uploaded: number
  readonly mounted: number
  readonly present: number
}

interface Entry {
  readonly size: number
  moved: number
  how: How | undefined
}

export class Counter {
  readonly manifests = { total: 0, done: 0, pushed: 0 }
  readonly #blobs = new Map<Digest, Entry>()
  #seenBefore = { blobs: 0, bytes: 0 }

  /** A blob that a manifest names. */
  expect({ digest, size }: Pick<Descriptor, "digest" | "size">): void {
    if (!this.#blobs.has(digest)) this.#blobs.set(digest, { size, moved: 0, how: undefined })
  }

  /** Bytes of it are on their way; negative where an attempt was in vain. */
  move(digest: Digest, bytes: number): void {
    const entry = this.#blobs.get(digest)
    if (entry !== undefined) entry.moved += bytes
  }

  /** It is in the backup, or stays out. What was moved for this tree is not called present when it is met again. */
  settle(blob: Descriptor, how: How): void {
    this.expect(blob)
    const entry = this.#blobs.get(blob.digest)
    const before = entry?.how
    if (entry === undefined || (how === "present" && before !== undefined && before !== "left")) return
    entry.how = how
  }

  /** It is none of the backup's, as far as that is known: what has been settled stays. */
  drop(digest: Digest): void {
    if (this.#blobs.get(digest)?.how === undefined) this.#blobs.delete(digest)
  }

  /** So many blobs of so many bytes that were seen before, and are not looked at now. */
  remember(blobs: number, bytes: number): void {
    this.#seenBefore = { blobs, bytes }
  }

  /** How many blobs got there how. */
  get blobs(): ByHow {
    return this.#sum(() => 1, this.#seenBefore.blobs)
  }

  /** The same of their bytes. */
  get bytes(): ByHow {
    return this.#sum((it) => it.size, this.#seenBefore.bytes)
  }

  /** Blobs that manifests name, with the sizes that they state. */
  get total(): { readonly blobs: number; readonly bytes: number } {
    let bytes = this.#seenBefore.bytes
    for (const { size } of this.#blobs.values()) bytes += size
    return { blobs: this.#blobs.size + this.#seenBefore.blobs, bytes }
  }

  /** Those that need nothing more, and the bytes of these and of what is on its way. */
  get done(): { readonly blobs: number; readonly bytes: number } {
    let { blobs, bytes } = this.#seenBefore
    for (const { how, moved, size } of this.#blobs.values()) {
      if (how !== undefined) blobs++
      bytes += how === undefined ? moved : size
    }
    return { blobs, bytes }
  }

  #sum(of: (entry: Entry) => number, present: number): ByHow {
    const sums = { uploaded: 0, mounted: 0, present }
    for (const entry of this.#blobs.values()) {
      if (entry.how !== undefined && entry.how !== "left") sums[entry.how] += of(entry)
    }
    return sums
  }
}
