// Facts: all that a decision about a workload may depend on. The controller gathers them from the stores, `plan` from a list.
import type { Backup } from "../image/BackupName.ts"
import type { ImageState } from "../image/ImageState.ts"
import type { Settings } from "../settings/Settings.ts"
import type { HeldMark } from "./HeldMark.ts"
import type { Budget, Namespace, Pod, Workload } from "./Workload.ts"

export interface Facts {
  readonly settings: Settings
  readonly backup: Backup
  /** The controller's own namespace, when it is known. */
  readonly ownNamespace: string | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Milliseconds of a clock that only goes on: the one by which copies were seen. */
  readonly uptime: number
  readonly namespace: Namespace | undefined
  /** Controlling owners, nearest first. */
  readonly owners: ReadonlyArray<Workload>
  readonly pods: ReadonlyArray<Pod>
  /** Those of its newest revision, as far as is known. */
  readonly newestPods: ReadonlySet<Pod>
  /** Since when a container of a pod fails to pull, as far as was seen; milliseconds since the epoch. */
  readonly pullFailsSince: (pod: Pod, container: string) => number
  readonly nodeReady: (name: string) => boolean
  /** Whether a pod that is no static one runs there: its image has been pulled. */
  readonly nodeHasPulled: (name: string) => boolean
  readonly state: (source: string) => ImageState | undefined
  /** What is not known of an image is taken as copied: for plans made without asking a registry, and dry runs. */
  readonly assumeCopied: boolean
  /** What must be seen to decide about this workload and is not, in words; none: all is seen. */
  readonly unseen: ReadonlyArray<string>
  /** Whether this process may write: of several replicas one leads. Without it, it is alone. */
  readonly leads?: boolean
  /** Tells the PodDisruptionBudgets of its namespace that can be seen; few plans come to ask. */
  readonly budgets: () => ReadonlyArray<Budget>
  /** How a person goes to the release before, where somebody has rolled it back and its pods have not been ready for long. */
  readonly rolledBack: { readonly until: number | undefined; readonly wayBack: string } | undefined
  /** What this process remembers of a fight over its images, as the mark says it: the mark itself may be taken away. */
  readonly remembered?: HeldMark | undefined
}
