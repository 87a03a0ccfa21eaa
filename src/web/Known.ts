// Known: all that an explanation is made of: what was decided, the states of its images, and where it stands among the others. The
// daemon has all of it, a command what it could see by itself. Edge: types and clocks only.
import type { ImageState } from "../image/ImageState.ts"
import type { Outlook } from "../queue/Keys.ts"
import type { Standing } from "../rewrite/Pacing.ts"
import type { Plan } from "../workload/Plan.ts"
import type { Verdict } from "../workload/Verdict.ts"
import type { Namespace, Workload } from "../workload/Workload.ts"

/** The same moment by two clocks, in milliseconds: the wall clock, and the one that only goes on. */
export interface Clocks {
  readonly now: number
  readonly uptime: number
}

/** A moment of the clock that only goes on, as the wall clock would have said it. */
export const told = ({ now, uptime }: Clocks, at: number | undefined): number | undefined =>
  at === undefined ? undefined : now + (at - uptime)

export interface KnownImage {
  readonly source: string
  readonly state: ImageState
  /** Undefined: nobody can tell. */
  readonly outlook: Outlook | undefined
  readonly users: ReadonlyArray<string>
  /** How many images wait for their turn, where it is one of them. */
  readonly waiting?: number | undefined
}

export interface KnownWorkload {
  readonly by: "controller" | "command"
  readonly clocks: Clocks
  readonly plan: Plan
  /** The plan's, or what pacing or the API server made of it. */
  readonly verdict: Verdict
  /** By the clock that only goes on. */
  readonly since: number | undefined
  readonly outlook: Outlook | undefined
  readonly image: (source: string) => KnownImage | undefined
  /** Undefined: nobody can tell. */
  readonly standing: Standing | undefined
  /** The pull secrets of its next pods, in words; undefined where nobody can tell. */
  readonly pulls: string | undefined
  /** Controlling owners, nearest first. */
  readonly owners: ReadonlyArray<Workload>
  readonly namespace: Namespace | undefined
  /** Where the controller's ConfigMap is. */
  readonly controllerNamespace: string
}
