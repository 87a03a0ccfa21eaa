// ExtraTurns: of the objects of EXTRA_KINDS in a namespace one is rewritten at a time: nobody but their own controllers knows how
// they are rolled, so the next waits until the pods of the one before are there. Told by the cluster, so that a restart forgets
// none; what is remembered is the patch that the cluster does not show yet. Edge: other kinds take no notice of them.
import { Duration, Effect, Exit } from "effect"
import { uptime as uptimeNow } from "../../telemetry/Uptime.ts"
import type { Backup } from "../../image/BackupName.ts"
import { type Workloads, WorkloadStore } from "../../store/WorkloadStore.ts"
import { unfinished } from "../../workload/ExtraRollout.ts"
import { held, type Verdict } from "../../workload/Verdict.ts"
import type { Workload } from "../../workload/Workload.ts"
import { WorkloadQueue } from "../Queues.ts"
import type { Decided } from "../workloads/DecideWorkload.ts"

/** How long a patch is waited for that the cluster does not show, in milliseconds: it may not have been made. */
const unseen = 30 * 1000
/** How often an object asks for its turn: pods of another do not wake it. */
const askEvery = Duration.seconds(15)

interface Turn {
  readonly workload: Workload
  /** In milliseconds of uptime; undefined: its patch is on its way. */
  readonly until: number | undefined
}

interface Times {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Milliseconds of a clock that only goes on. */
  readonly uptime: number
}

export class ExtraTurns {
  /** By namespace. */
  readonly #turns = new Map<string, Turn>()
  readonly #store: Workloads
  readonly #backup: Backup
  constructor(store: Workloads, backup: Backup) {
    this.#store = store
    this.#backup = backup
  }

  #isOver({ until, workload: { generation, key, uid } }: Turn, uptime: number): boolean {
    const seen = this.#store.get(key)
    return until !== undefined && (uptime >= until || seen?.uid !== uid || seen.generation !== generation)
  }

  /** Takes the turn, until `leave`; answers what it waits for, where it is another's. */
  take(workload: Workload, { now, uptime }: Times): string | undefined {
    const { key, namespace } = workload
    const turn = this.#turns.get(namespace)
    if (turn !== undefined && turn.workload.key !== key && !this.#isOver(turn, uptime)) {
      return `${turn.workload.key} of EXTRA_KINDS is being rewritten, one in a namespace at a time`
    }
    for (const other of this.#store.all) {
      if (other.kind !== "Extra" || other.namespace !== namespace || other.key === key) continue
      const missing = unfinished(other, this.#store.podsOf(other), this.#backup, now)
      if (missing !== undefined) return `${missing}: one of EXTRA_KINDS in a namespace at a time`
    }
    this.#turns.set(namespace, { workload, until: undefined })
    return undefined
  }

  /** Its patch was made, or may have been. */
  leave(workload: Workload, uptime: number): void {
    this.#turns.set(workload.namespace, { workload, until: uptime + unseen })
  }

  /** No patch was made: the next need not wait for one. */
  giveUp({ namespace }: Workload): void {
    this.#turns.delete(namespace)
  }
}

/** Makes the function that rewrites in turn; objects of other kinds at once. */
export const make = Effect.fnUntraced(function*(target: Backup) {
  const workloads = yield* WorkloadQueue
  const turns = new ExtraTurns(yield* WorkloadStore, target)

  return Effect.fnUntraced(
    function*<E, R>(decided: Pick<Decided, "workload" | "now" | "uptime">, rewrite: Effect.Effect<Verdict, E, R>) {
      const { workload } = decided
      if (workload.extra === undefined) return yield* rewrite
      const missing = turns.take(workload, decided)
      if (missing === undefined) {
        return yield* Effect.onExit(rewrite, (exit) =>
          Exit.isSuccess(exit) && exit.value._tag === "Held"
            ? Effect.sync(() => turns.giveUp(workload))
            : Effect.map(uptimeNow, (up) => turns.leave(workload, up)))
      }
      yield* workloads.offerAfter(workload.key, askEvery)
      return held("paced", missing)
    }
  )
})
