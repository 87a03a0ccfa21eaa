// Surroundings: what a decision at admission asks of the rest of the program, beside the two stores. All of it is known at once and
// is no request to anybody: a pod waits for the answer.
import type { Effect } from "effect"
import type { PullSet } from "../workload/PullSet.ts"
import type { Pod, Workload } from "../workload/Workload.ts"

/** A pod that would be pointed to copies, as far as pulling is concerned. */
export interface Puller {
  readonly pod: Pod
  /** Nearest first. */
  readonly owners: ReadonlyArray<Workload>
  /** Undefined where nobody can tell it. */
  readonly set: PullSet | undefined
  /** Nothing may be noted: whoever asks tries only what would be. */
  readonly dryRun: boolean
}

export interface Surroundings {
  /** Why the backup may not be counted on, in words; undefined where it has answered within a minute. */
  readonly backupFails: Effect.Effect<string | undefined>
  /** Why another replica may not count on it, in words. */
  readonly failsElsewhere: Effect.Effect<string | undefined>
  /** Why what is backed up is not known yet, in words; undefined: every image was looked at once since the start. */
  readonly learning: Effect.Effect<string | undefined>
  /** Why it is not known that a pod can pull from the backup, in words; undefined: it is, or this pod is to show it. */
  readonly unshown: (puller: Puller) => Effect.Effect<string | undefined>
  /** Why the owner of a pod would delete it for its images, in words; undefined where nothing tells so. */
  readonly recreated: (pod: Workload) => Effect.Effect<string | undefined>
  /** Asks for copies that pods of a namespace lack. A hint: bounded, and forgotten after a while. */
  readonly ask: (namespace: string, sources: ReadonlyArray<string>) => Effect.Effect<void>
}
