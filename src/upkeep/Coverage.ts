// Coverage: how well the pods of each namespace are covered by the backup, counted as their plans and copies change: a count of all of
// them whenever somebody looks would cost a pass over the cluster. Read by the gauges and by `status`; nothing is decided from it.
import { Context, Layer } from "effect"
import { Tally } from "../collections/Tally.ts"
import type { Plan } from "../workload/Plan.ts"
import type { SkipReason } from "../workload/Reason.ts"
import type { Pod } from "../workload/Workload.ts"
import { coverageOf, type CoverageState, coverageStates, type PodCoverage, type StateOf } from "./PodCoverage.ts"

/** How many of each there are. */
export type CoverageCounts = Readonly<Record<CoverageState, number>>

const countsOf = (tally: Tally<CoverageState> | undefined): CoverageCounts => ({
  running: tally?.of("running") ?? 0,
  whole: tally?.of("whole") ?? 0,
  left: tally?.of("left") ?? 0,
  "at-risk": tally?.of("at-risk") ?? 0
})

/** Whether a pod is counted as it was before: most of what changes of a pod is nothing of this. */
const isSame = (a: PodCoverage | undefined, b: PodCoverage | undefined): boolean =>
  a === b ||
  (a !== undefined && b !== undefined && a.namespace === b.namespace && a.state === b.state && a.reason === b.reason &&
    a.running.length === b.running.length && a.running.every((it, index) => it === b.running[index]))

/** The counts themselves; plain maps, because nothing here can fail or wait. */
export class CoverageTally {
  readonly #pods = new Map<string, PodCoverage>()
  readonly #byNamespace = new Map<string, Tally<CoverageState>>()
  readonly #total = new Tally<CoverageState>()
  readonly #reasons = new Tally<SkipReason>()
  /** Of each source, how many pods name its copy. */
  readonly #running = new Tally<string>()

  /** Whether all of the cluster has been seen: a share of what was seen so far would say nothing. */
  isComplete = false

  begin(): void {
    this.isComplete = true
  }

  /** Takes note of a pod in place of what was noted before; undefined: it is gone, or runs no more. */
  note(key: string, coverage: PodCoverage | undefined): void {
    const before = this.#pods.get(key)
    if (isSame(before, coverage)) return
    if (before !== undefined) this.#count(before, -1)
    if (coverage === undefined) this.#pods.delete(key)
    else {
      this.#pods.set(key, coverage)
      this.#count(coverage, 1)
    }
  }

  /** The same of what a pod's plan and the copies say now. */
  notePod({ finished, workload: { key } }: Pod, plan: Plan, stateOf: StateOf): void {
    this.note(key, finished ? undefined : coverageOf(plan, stateOf))
  }

  get pods(): CoverageCounts {
    return countsOf(this.#total)
  }

  /** Names of the namespaces that have pods, with their counts. */
  get namespaces(): ReadonlyArray<{ readonly namespace: string; readonly pods: CoverageCounts }> {
    return [...this.#byNamespace].map(([namespace, tally]) => ({ namespace, pods: countsOf(tally) }))
  }

  /** How many pods are left for a reason. */
  leftFor(reason: SkipReason): number {
    return this.#reasons.of(reason)
  }

  /** Whether any pod names the copy of a source. */
  runs(source: string): boolean {
    return this.#running.of(source) > 0
  }

  #count({ namespace, reason, running, state }: PodCoverage, by: 1 | -1): void {
    const there = this.#byNamespace.get(namespace) ?? new Tally<CoverageState>()
    there.count(state, by)
    if (there.size === 0) this.#byNamespace.delete(namespace)
    else this.#byNamespace.set(namespace, there)
    this.#total.count(state, by)
    if (reason !== undefined) this.#reasons.count(reason, by)
    for (const source of running) this.#running.count(source, by)
  }
}

/** Of those that could have a copy, how many have one; 1 where there are none. What cannot be copied is told apart. */
export const ratioOf = (counts: CoverageCounts): number => {
  const covered = counts.running + counts.whole
  const all = covered + counts["at-risk"]
  return all === 0 ? 1 : covered / all
}

/** A ratio for people, rounded down: what is not whole is never said to be. */
export const percent = (ratio: number): string => `${Math.floor(ratio * 1000) / 10} %`

export const countAll = (states: Iterable<CoverageState>): CoverageCounts => {
  const tally = new Tally<CoverageState>()
  for (const state of states) tally.count(state, 1)
  return countsOf(tally)
}

/** How many there are in all. */
export const sumOf = (counts: CoverageCounts): number => coverageStates.reduce((sum, it) => sum + counts[it], 0)

export class Coverage extends Context.Service<Coverage, CoverageTally>()("image-cloner/upkeep/Coverage") {
  static readonly layer = Layer.sync(Coverage, () => new CoverageTally())
}
