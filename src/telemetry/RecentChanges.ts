// RecentChanges: the last hundred things that were changed, for people who look: workloads rewritten, put back, rolled out; images
// copied, or not. Kept in memory only. Edge: the log has all of them; nothing is decided from these, and metrics count them.
import { Clock, Context, Effect, Layer } from "effect"

/** What became of a workload or an image. */
export type ChangeKind = "rewritten" | "put back" | "rolled out" | "stuck" | "copied" | "copy failed"

export interface Change {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly kind: ChangeKind
  /** `Kind/namespace/name`, or a source reference. */
  readonly name: string
  readonly detail: string
}

export const mostChanges = 100

/** Others wrote what is in a detail: what is kept of it is bounded. */
const longest = 300

const cut = (text: string): string => text.length <= longest ? text : `${text.slice(0, longest)}…`

interface Changes {
  readonly note: (kind: ChangeKind, name: string, detail?: string) => Effect.Effect<void>
  /** Newest first. */
  readonly latest: Effect.Effect<ReadonlyArray<Change>>
}

/** A command keeps none: nobody could look. */
export const RecentChanges = Context.Reference<Changes>("image-cloner/telemetry/RecentChanges", {
  defaultValue: () => ({ note: () => Effect.void, latest: Effect.succeed([]) })
})

export const layer: Layer.Layer<never> = Layer.sync(RecentChanges, () => {
  const kept: Array<Change> = []
  return {
    note: (kind, name, detail = "") =>
      Effect.map(Clock.currentTimeMillis, (at) => {
        kept.unshift({ at, kind, name: cut(name), detail: cut(detail) })
        kept.length = Math.min(kept.length, mostChanges)
      }),
    latest: Effect.sync(() => [...kept])
  }
})
