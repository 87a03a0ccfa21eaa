// RolloutsSeen: what changes of workloads and their pods mean only over time: since when a pull fails, and when a rollout last
// got further. Memory of this process; after a restart every clock begins anew, which delays and never hastens anything. Times are
// kept by a clock that only goes on, and told as the wall clock would have said them if it had never been set.
import { cannotPull, livePods, wasReached } from "../workload/Rollout.ts"
import type { Pod, Workload } from "../workload/Workload.ts"

interface Entry {
  /** The patch of ours that is under way; undefined: none, and only pulls that fail are remembered. */
  readonly patch: string | undefined
  /** The most that was seen of it. */
  made: number
  updated: number
  available: number
  madeAt: number
  progressAt: number
  /** When a container of it last failed to pull, and had not run since; -Infinity where none did. */
  unpulledAt: number
  /** Whether all of it was seen to serve once: of a DaemonSet the status says so only while it does. */
  reached: boolean
  /** Since when each container fails to pull, by pod and container. */
  failing: ReadonlyMap<string, number>
}

/** The same moment by two clocks, in milliseconds. */
interface Moment {
  readonly now: number
  readonly uptime: number
}

export interface Times {
  readonly madeAt: number
  readonly progressAt: number
  readonly unpulledAt: number
  readonly reached: boolean
  readonly pullFailsSince: (pod: Pod, container: string) => number
}

/** Of what is seen for the first time. */
export const timesAt = (now: number): Times => ({
  madeAt: now,
  progressAt: now,
  unpulledAt: -Infinity,
  reached: false,
  pullFailsSince: () => now
})

const placeOf = (pod: Pod, container: string): string => `${pod.workload.uid} ${pod.workload.key} ${container}`

/** Of most workloads nothing fails, and there are many. */
const nothing: ReadonlyMap<string, number> = new Map()

const failingOf = (
  pods: ReadonlyArray<Pod>,
  before: ReadonlyMap<string, number>,
  now: number
): ReadonlyMap<string, number> => {
  const failing: Array<readonly [string, number]> = []
  for (const pod of livePods(pods)) {
    for (const it of pod.containers) {
      if (it.running || (before.size === 0 && !cannotPull(it))) continue
      const place = placeOf(pod, it.container)
      const since = before.get(place)
      // between two tries the kubelet says nothing of the kind: only a container that runs has pulled
      if (since !== undefined || cannotPull(it)) failing.push([place, since ?? now])
    }
  }
  return failing.length === 0 ? nothing : new Map(failing)
}

export class RolloutsSeen {
  readonly #entries = new Map<string, Entry>()

  /**
   * Takes note of what a workload and its pods are now; answers in milliseconds since the epoch.
   * @param patch names the patch of ours that the workload shows; with another one all begins anew. Undefined: it shows none, so
   *   that nothing is to be remembered of it but pulls that fail
   */
  note(
    workload: Workload,
    patch: string | undefined,
    pods: ReadonlyArray<Pod>,
    newest: ReadonlySet<Pod>,
    { now, uptime }: Moment
  ): Times {
    const { key, rollout } = workload
    const before = this.#entries.get(key)
    const failing = failingOf(pods, before?.failing ?? nothing, uptime)
    if (patch === undefined && failing.size === 0) {
      if (before !== undefined) this.#entries.delete(key)
      return timesAt(now)
    }
    const entry: Entry = before !== undefined && patch !== undefined && before.patch === patch
      ? before
      : {
        patch,
        made: -1,
        updated: -1,
        available: -1,
        madeAt: uptime,
        progressAt: uptime,
        unpulledAt: -Infinity,
        reached: false,
        failing
      }
    const made = livePods([...newest]).length
    const { available = 0, updated = 0 } = rollout ?? {}
    if (made > entry.made) entry.madeAt = uptime
    if (made > entry.made || updated > entry.updated || available > entry.available) entry.progressAt = uptime
    entry.reached ||= wasReached(workload) && available >= (rollout?.desired ?? 0)
    entry.made = Math.max(entry.made, made)
    entry.updated = Math.max(entry.updated, updated)
    entry.available = Math.max(entry.available, available)
    entry.failing = failing
    if (failing.size > 0) entry.unpulledAt = uptime
    this.#entries.set(key, entry)
    const { madeAt, progressAt, reached, unpulledAt } = entry
    const told = (at: number) => now - (uptime - at)
    return {
      madeAt: told(madeAt),
      progressAt: told(progressAt),
      unpulledAt: told(unpulledAt),
      reached,
      pullFailsSince: (pod, container) => told(failing.get(placeOf(pod, container)) ?? uptime)
    }
  }

  forget(key: string): void {
    this.#entries.delete(key)
  }
}
