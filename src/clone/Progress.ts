// How far a copy is, as counters that the hot path increments and anybody may read while it runs.
import type { ImageReference } from "../image/ImageReference.ts"

/** A look at one running copy. Totals grow while manifests are discovered. */
export interface CopyProgress {
  readonly source: ImageReference
  readonly target: ImageReference
  /** Epoch milliseconds. */
  readonly startedAt: number
  readonly blobs: { readonly total: number; readonly done: number }
  /** `done` counts bytes moved by now and those of blobs that were mounted or there already. */
  readonly bytes: { readonly total: number; readonly done: number }
  readonly manifests: { readonly total: number; readonly done: number }
}

/** The counters themselves. */
export interface Progress {
  readonly source: ImageReference
  readonly target: ImageReference
  startedAt: number
  readonly blobs: { total: number; done: number }
  readonly bytes: { total: number; done: number }
  readonly manifests: { total: number; done: number }
}

export const makeProgress = (source: ImageReference, target: ImageReference, startedAt: number): Progress => ({
  source,
  target,
  startedAt,
  blobs: { total: 0, done: 0 },
  bytes: { total: 0, done: 0 },
  manifests: { total: 0, done: 0 }
})

/** A copy of the counters: what is handed out does not change under the reader. */
export const look = (progress: Progress): CopyProgress => ({
  ...progress,
  blobs: { ...progress.blobs },
  bytes: { ...progress.bytes },
  manifests: { ...progress.manifests }
})
