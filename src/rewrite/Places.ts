// Places: which rollouts of ours are under way. Counted from the cluster; the only memory is what the cluster does not show yet,
// or does not show any more. A plain data structure: time comes in as epoch milliseconds. Edge: who gets a place is Pacing's.
import { kindOf } from "../workload/Kinds.ts"
import { patchOf, type RolloutState } from "../workload/OurRollout.ts"
import type { RewriteAs } from "../workload/Verdict.ts"
import type { Workload } from "../workload/Workload.ts"

interface Place {
  readonly namespace: string
  readonly state: RolloutState
  readonly cure: boolean
}

interface Reservation {
  readonly namespace: string
  /** Of the object that was patched: one that is made anew under the same name never shows that patch. */
  readonly uid: string
  /** Generation that the patch made; undefined while it is being made. */
  readonly generation: number | undefined
  readonly as: RewriteAs
}

/** A workload that was put back, in the place of the rollout that this ended. */
interface Return {
  readonly namespace: string
  readonly uid: string
  readonly generation: number
  readonly until: number
}

/** How long what was put back keeps its place if its pods do not come back, in milliseconds. */
const longestReturn = 10 * 60 * 1000

/** What has become of a rollout since the last look. */
export type Turn = { readonly _tag: "Ended" } | { readonly _tag: "Stuck"; readonly detail: string }

export class Places {
  readonly #places = new Map<string, Place>()
  readonly #reserved = new Map<string, Reservation>()
  readonly #returns = new Map<string, Return>()
  /** By workload, the patch of ours that its pods have reached, that interrupted nobody, that was to cure it. */
  readonly #reached = new Map<string, string>()
  readonly #harmless = new Map<string, string>()
  readonly #cures = new Map<string, string>()
  /** Workloads that we have rewritten, and their namespaces. */
  readonly #rewritten = new Map<string, string>()
  #opened = false

  /** Who holds a place, and in which namespace: of the cures, or of all others. */
  taken(cures = false): ReadonlyMap<string, string> {
    const taken = new Map<string, string>()
    for (const [key, it] of this.#places) {
      if (it.state._tag === "UnderWay" && it.cure === cures) taken.set(key, it.namespace)
    }
    for (const [key, it] of this.#reserved) if ((it.as === "cure") === cures) taken.set(key, it.namespace)
    if (!cures) { for (const [key, it] of this.#returns) taken.set(key, it.namespace) }
    return taken
  }

  /** What is stuck, by namespace. A cure that does not help was not well before. */
  get stuck(): ReadonlyMap<string, string> {
    return new Map(
      [...this.#places.values()].flatMap((it) =>
        it.state._tag === "Stuck" && !it.cure ? [[it.namespace, it.state.detail] as const] : []
      )
    )
  }

  /** Keys of what is stuck. */
  get stuckKeys(): ReadonlyArray<string> {
    return [...this.#places].flatMap(([key, it]) => it.state._tag === "Stuck" && !it.cure ? [key] : [])
  }

  /** Where our rollout of a workload stands, as of the last look. */
  stateOf(key: string): RolloutState {
    return this.#places.get(key)?.state ?? { _tag: "None" }
  }

  /** In how many namespaces we have rewritten something. */
  get rewritten(): number {
    return new Set(this.#rewritten.values()).size
  }

  /** Whether our own patch of the workload was made and is not to be seen in the cluster yet. */
  isPatched(key: string): boolean {
    return this.#reserved.get(key)?.generation !== undefined
  }

  isCure(workload: Workload): boolean {
    return this.#is(this.#cures, workload)
  }

  isHarmless(workload: Workload): boolean {
    return this.#is(this.#harmless, workload)
  }

  /** Whether it shows the patch that is remembered of it; of most there is none. */
  #is(patches: ReadonlyMap<string, string>, workload: Workload): boolean {
    const patch = patches.get(workload.key)
    return patch !== undefined && patch === patchOf(workload)
  }

  reserve({ key, namespace, uid }: Workload, as: RewriteAs): void {
    this.#reserved.set(key, { namespace, uid, generation: undefined, as })
  }

  /** The patch was made: `after` is what the server answered. */
  patched(after: Workload, as: RewriteAs): void {
    const { generation, key, namespace, uid } = after
    if (as === "harmless") this.#harmless.set(key, patchOf(after))
    else this.#reserved.set(key, { namespace, uid, generation, as })
    if (as === "cure") this.#cures.set(key, patchOf(after))
  }

  /** It was put back, and keeps the place that it had. */
  putBack(after: Workload, now: number): void {
    const { generation = 0, key, namespace, uid } = after
    const rolling = kindOf(after.kind).rolls && this.taken().has(key)
    this.free(key)
    if (rolling) this.#returns.set(key, { namespace, uid, generation, until: now + longestReturn })
  }

  /**
   * Takes note of where the rollout of a workload stands now.
   * @param settled whether all its pods are of its newest revision, whoever made that
   */
  observe(workload: Workload, state: RolloutState, settled: boolean): Turn | undefined {
    const { generation = 0, key, namespace, uid } = workload
    if (workload.originals !== undefined && workload.patchedAt !== undefined) this.#rewritten.set(key, namespace)
    else this.#rewritten.delete(key)
    const isSeen = (of: { readonly uid: string; readonly generation: number }) =>
      uid !== of.uid || generation >= of.generation
    const back = this.#returns.get(key)
    if (back !== undefined && isSeen(back) && (settled || uid !== back.uid)) {
      this.#returns.delete(key)
      this.#opened = true
    }
    const reservation = this.#reserved.get(key)
    const shown = reservation?.generation !== undefined &&
      isSeen({ ...reservation, generation: reservation.generation })
    if (shown) this.#reserved.delete(key)
    const before = this.#places.get(key)
    const takes = state._tag !== "None" && !this.#is(this.#reached, workload) && !this.isHarmless(workload)
    if (takes) {
      this.#places.set(key, { namespace, state, cure: this.isCure(workload) })
      if (state._tag !== "Stuck" || before?.state._tag === "Stuck") return undefined
      this.#opened = true
      return { _tag: "Stuck", detail: state.detail }
    }
    if (state._tag === "None") {
      // what is not ours is under no way, and ours to come names what it was before
      if (workload.originals === undefined) this.#reached.delete(key)
      else this.#reached.set(key, patchOf(workload))
    }
    if (shown || before !== undefined) this.#opened = true
    this.#places.delete(key)
    return before !== undefined && state._tag === "None" && workload.originals !== undefined
      ? { _tag: "Ended" }
      : undefined
  }

  /** Gives up whatever place the workload has. */
  free(key: string): void {
    const freed = [this.#places.delete(key), this.#reserved.delete(key), this.#returns.delete(key)]
    if (freed.includes(true)) this.#opened = true
  }

  forget(key: string): void {
    this.free(key)
    for (const memory of [this.#reached, this.#harmless, this.#cures, this.#rewritten]) memory.delete(key)
  }

  /** Whether a place has become free since this was asked last. */
  takeOpened(now: number): boolean {
    for (const [key, it] of this.#returns) if (it.until <= now && this.#returns.delete(key)) this.#opened = true
    const opened = this.#opened
    this.#opened = false
    return opened
  }

  /** What is past its deadline, by the clock alone: it has to be judged again without any change in the cluster. */
  late(now: number): ReadonlyArray<string> {
    return [...this.#places].flatMap(([key, { state }]) => state._tag === "UnderWay" && now > state.until ? [key] : [])
  }
}
