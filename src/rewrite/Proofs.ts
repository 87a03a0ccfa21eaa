// Proofs: which sets of pull secrets have shown that pods can pull from the backup, and which rest because they could not. Read
// from the pods of the cluster; what this process adds is which copies it has seen on which nodes, because an image that a node
// has already shows nothing. A plain data structure: time comes in as epoch milliseconds.
import { Duration } from "effect"
import type { Backup } from "../image/BackupName.ts"
import { isPulledAlways, type PullSet, runningCopies } from "../workload/PullSet.ts"
import type { Pod } from "../workload/Workload.ts"

export interface RestOptions {
  readonly first: Duration.Duration
  readonly most: Duration.Duration
}

interface Rest {
  /** 0: over. */
  readonly until: number
  readonly times: number
  readonly detail: string
}

/** How many copies on nodes are remembered; beyond that only containers whose image is pulled at every start show anything. */
const mostCopies = 100_000

export class Proofs {
  readonly #rest: RestOptions
  readonly #proven = new Set<string>()
  /** By set, when its proof was taken back. */
  readonly #refused = new Map<string, number>()
  readonly #rests = new Map<string, Rest>()
  /** By node and copy, the one set of which pods ran it there; "several" sets: it shows nothing there any more. */
  readonly #copies = new Map<string, PullSet["key"] | undefined>()
  #opened = false

  constructor(rest: RestOptions) {
    this.#rest = rest
  }

  isProven(set: PullSet): boolean {
    return this.#proven.has(set.key)
  }

  /** Takes note of what a pod runs where, without taking it as proof: for all pods before the first of them is. */
  note(pod: Pod, set: PullSet, backup: Backup): void {
    for (const { image } of runningCopies(pod, backup)) {
      const place = `${pod.node ?? ""} ${image}`
      if (this.#copies.has(place)) {
        if (this.#copies.get(place) !== set.key) this.#copies.set(place, undefined)
      } else if (this.#copies.size < mostCopies) this.#copies.set(place, set.key)
    }
  }

  /** A pod that runs a copy shows that its set can pull, where the copy had to be pulled with its secrets. */
  observe(pod: Pod, set: PullSet, backup: Backup): void {
    this.note(pod, set, backup)
    if (this.#proven.has(set.key)) return
    const refused = this.#refused.get(set.key)
    const shows = runningCopies(pod, backup).some((it) =>
      (isPulledAlways(pod, it.container) || this.#copies.get(`${pod.node ?? ""} ${it.image}`) === set.key) &&
      // what ran before the refusal shows nothing about after it
      (refused === undefined || (it.startedAt ?? 0) > refused)
    )
    if (!shows) return
    this.#proven.add(set.key)
    this.#refused.delete(set.key)
    this.#rests.delete(set.key)
    this.#opened = true
  }

  /** The backup has refused the secrets of a set: its proof is taken back. */
  refuse(set: PullSet, now: number): void {
    if (this.#proven.delete(set.key)) this.#refused.set(set.key, now)
  }

  /**
   * Pods of a set, or of whatever else has a key, could not pull: nothing of it is begun for a while, twice as long each time.
   * @param factor of the usual time
   */
  rest({ key }: Pick<PullSet, "key">, detail: string, now: number, factor = 1): void {
    const before = this.#rests.get(key)
    // several pods, and looks at a cache that is behind, tell of the same failure
    if (before !== undefined && before.until > now) return
    const times = (before?.times ?? 0) + 1
    const first = Duration.toMillis(this.#rest.first) * factor
    const wait = Math.min(first * 2 ** (times - 1), Duration.toMillis(this.#rest.most))
    this.#rests.set(key, { until: now + wait, times, detail })
  }

  /** Why nothing of it is begun now; undefined when it does not rest. */
  resting({ key }: Pick<PullSet, "key">, now: number): string | undefined {
    const found = this.#rests.get(key)
    return found !== undefined && found.until > now ? found.detail : undefined
  }

  /** Until when it rests, by the clock that `now` is of; undefined when it does not. */
  restsUntil({ key }: Pick<PullSet, "key">, now: number): number | undefined {
    const found = this.#rests.get(key)
    return found !== undefined && found.until > now ? found.until : undefined
  }

  forget({ key }: Pick<PullSet, "key">): void {
    this.#rests.delete(key)
  }

  /** Whether a set has been proven, or a rest has ended, since this was asked last. */
  takeOpened(now: number): boolean {
    for (const [key, it] of this.#rests) {
      if (it.until > now || it.until === 0) continue
      this.#rests.set(key, { ...it, until: 0 })
      this.#opened = true
    }
    const opened = this.#opened
    this.#opened = false
    return opened
  }
}
