// How far a copy is: the counters of all that is walked for one image, that anybody may read while it runs.
import type { ImageReference } from "../image/ImageReference.ts"
import { Counter } from "./Counter.ts"

/** A look at one running copy. Totals grow while manifests are discovered. */
export interface CopyProgress {
  readonly source: ImageReference
  readonly backup: ImageReference
  /** Epoch milliseconds. */
  readonly startedAt: number
  readonly blobs: { readonly total: number; readonly done: number }
  /** `done` counts bytes moved by now and those of blobs that were mounted or there already. */
  readonly bytes: { readonly total: number; readonly done: number }
  readonly manifests: { readonly total: number; readonly done: number }
}

/** One copy, or one image that is verified, under way. */
export class Progress {
  startedAt = 0
  readonly #counters: Array<Counter> = []
  readonly source: ImageReference
  readonly backup: ImageReference
  constructor(source: ImageReference, backup: ImageReference) {
    this.source = source
    this.backup = backup
  }

  /** For the image itself, or for one of its signatures. */
  count(): Counter {
    const counter = new Counter()
    this.#counters.push(counter)
    return counter
  }

  /** What it is now: what is handed out does not change under the reader. */
  get now(): CopyProgress {
    const blobs = { total: 0, done: 0 }
    const bytes = { total: 0, done: 0 }
    const manifests = { total: 0, done: 0 }
    for (const { done, manifests: ofThese, total } of this.#counters) {
      blobs.total += total.blobs
      blobs.done += done.blobs
      bytes.total += total.bytes
      bytes.done += done.bytes
      manifests.total += ofThese.total
      manifests.done += ofThese.done
    }
    return { source: this.source, backup: this.backup, startedAt: this.startedAt, blobs, bytes, manifests }
  }
}
