// PacingRules: who may begin a rollout now, and who is told what instead (invariant 13). What is under way is told by Places, what is
// shown by Proofs, whose turn it is by Turns; here is what follows for the next. Pure but for its own memory.
import type { RewriteAs } from "../workload/Verdict.ts"
import { canShow, type PullSet, unshown, withoutSecrets } from "../workload/PullSet.ts"
import type { HoldReason } from "../workload/Reason.ts"
import type { Workload } from "../workload/Workload.ts"
import type { RolloutState } from "../workload/OurRollout.ts"
import { Places } from "./Places.ts"
import { Proofs, type RestOptions } from "./Proofs.ts"
import { Turns } from "./Turns.ts"

export type Admission =
  | { readonly _tag: "Go" }
  | {
    readonly _tag: "Held"
    readonly reason: Extract<HoldReason, "paced" | "paused" | "stopped" | "pull-unproven">
    readonly detail: string
  }

/** In how many namespaces, and in which share of those with rewritten workloads, rollouts may be stuck before all stop. */
const stuckNamespaces = 3
const stuckShare = 10

/** How many cures may be under way for each place of a rollout. */
const curesPerPlace = 4

/** How many may be under way at a limit of rollouts. */
export const placesOf = (as: Exclude<RewriteAs, "harmless">, limit: number): number =>
  as === "cure" ? limit * curesPerPlace : limit

const waysOn = "the others go on when it is mended, or undone with image-cloner restore"

const go: Admission = { _tag: "Go" }

const held = (reason: Exclude<Admission, { _tag: "Go" }>["reason"], detail: string): Admission => ({
  _tag: "Held",
  reason,
  detail
})

export interface Request {
  /** What is harmless takes no place, and cures have places of their own. */
  readonly as: RewriteAs
  /** MAX_CONCURRENT_ROLLOUTS. */
  readonly limit: number
  /** With which secrets its pods would pull; undefined: nobody can tell. */
  readonly pulls: PullSet | undefined
  /** BACKUP_PULL_BY=nodes: the owner's word that every node can pull. */
  readonly byNodes: boolean
  /** `image-cloner.io/rewrite: patch` on the workload itself: it may show that pods can pull, whatever it is. */
  readonly asked: boolean
  /** No other namespace has workloads that could be rewritten. */
  readonly alone: boolean
}

/** A workload that was put back because its pods could not pull their copies. */
export interface Unpulled {
  readonly workload: Workload
  /** Undefined: nobody can tell. */
  readonly set: PullSet | undefined
  readonly detail: string
  /** BACKUP_PULL_BY=nodes. */
  readonly byNodes: boolean
}

/** Where a workload stands among the others, as of now: only to be told to people. */
export interface Standing {
  readonly rollout: RolloutState
  /** Its place among those that wait for their turn, from 1; undefined where it does not wait. */
  readonly line: { readonly position: number; readonly of: number } | undefined
  /** Who has the places of rollouts now. */
  readonly holders: ReadonlyArray<string>
  /** Whose rollouts are stuck. */
  readonly stuck: ReadonlyArray<string>
  /** Who of its set of pull secrets is under way, and shows that pods can pull. */
  readonly showing: string | undefined
  /** Whether its set has shown it. */
  readonly proven: boolean
  /** Until when it, its namespace or its set rests after a failed pull: uptime in milliseconds. */
  readonly restsUntil: number | undefined
}

/** What rests beside sets of pull secrets: the namespace of a workload whose pods could not pull. */
const namespaceRest = (namespace: string) => ({ key: `namespace ${namespace}` })

/** Who may begin; the one state of pacing. Times are `up`, uptime, and `now`, the wall clock, in milliseconds. */
export class PacingRules {
  readonly places = new Places()
  readonly proofs: Proofs
  readonly #turns = new Turns()
  /** Held for another reason than their turn. */
  readonly #aside = new Set<string>()
  /** By workload, the set that a rollout under way shows. */
  readonly #shows = new Map<string, string>()
  readonly #alone = new Set<string>()
  constructor(rest: RestOptions) {
    this.proofs = new Proofs(rest)
  }

  #stopped(namespace: string): Admission | undefined {
    const { stuck } = this.places
    const here = stuck.get(namespace)
    if (here !== undefined) return held("stopped", `rollouts in ${namespace} are stopped: ${here}; ${waysOn}`)
    return stuck.size >= stuckNamespaces && stuck.size * stuckShare >= this.places.rewritten
      ? held("stopped", `rollouts are stuck in ${[...stuck.keys()].join(", ")}, so all are stopped; ${waysOn}`)
      : undefined
  }

  /** Who of a set is under way already; of a rollout from before a restart its namespace tells. */
  #firstOf({ key: set }: PullSet, { key, namespace }: Workload): string | undefined {
    return [...this.places.taken()].find(([other, where]) =>
      other !== key &&
      (this.#shows.get(other) ?? (where === namespace || set === withoutSecrets.key ? set : "")) === set
    )?.[0]
  }

  /** Until a set has shown that it can pull, one of it is begun: one that misses no pod by it, or that somebody named. */
  #unproven(workload: Workload, { as, asked, byNodes, pulls }: Request, up: number): Admission | undefined {
    const { proofs } = this
    const failed = proofs.resting(workload, up) ?? proofs.resting(namespaceRest(workload.namespace), up)
    if (failed !== undefined) return held("pull-unproven", failed)
    if (byNodes || (pulls !== undefined && proofs.isProven(pulls))) return undefined
    if (pulls === undefined) return asked ? undefined : held("pull-unproven", unshown(pulls))
    const resting = proofs.resting(pulls, up)
    if (resting !== undefined) return held("pull-unproven", resting)
    const first = this.#firstOf(pulls, workload)
    if (first !== undefined) {
      return held("pull-unproven", `${first} shows first whether ${pulls.words} can pull from the backup`)
    }
    return asked || (as === "rollout" && canShow(workload)) ? undefined : held("pull-unproven", unshown(pulls))
  }

  /** A workload whose pods could not pull although its set can, or its owner says so: it rests, and its namespace with it. */
  letRest({ byNodes, detail, set, workload }: Unpulled, up: number): void {
    const { proofs } = this
    if (set !== undefined && !byNodes && !proofs.isProven(set)) return
    // others could pull: it is this copy, or the backup for a while. It rests twice as long as its neighbours, which can then show
    // that it was it alone; were none to rest, the next database would be tried, and the next
    proofs.rest(workload, `${detail}; it is tried again in an hour at most`, up, 2)
    const { key, namespace } = workload
    proofs.rest(namespaceRest(namespace), `pods of ${key} could not pull, ${namespace} rests: ${detail}`, up)
  }

  /** How many more places a namespace may have: never all of several while others could need one. */
  #allowance(limit: number): (namespace: string) => number {
    return (namespace) => {
      const most = limit === 1 || this.#alone.has(namespace)
        ? limit
        : this.#turns.othersWait(namespace)
        ? Math.ceil(limit / 2)
        : limit - 1
      return most - [...this.places.taken().values()].filter((it) => it === namespace).length
    }
  }

  /** It does not want a place any more. */
  leave(key: string, namespace: string): void {
    this.#turns.leave(key, namespace)
    this.#aside.delete(key)
  }

  #setAside({ key, namespace }: Workload, hold: Admission): Admission {
    this.#turns.leave(key, namespace)
    this.#aside.add(key)
    return hold
  }

  #admitCure(workload: Workload, limit: number): Admission {
    const most = placesOf("cure", limit)
    if (this.places.taken(true).size >= most) {
      return this.#setAside(workload, held("paced", `${most} workloads are being cured`))
    }
    this.leave(workload.key, workload.namespace)
    this.places.reserve(workload, "cure")
    return go
  }

  /** One whose turn it is gets a place, if there is one. */
  #admitInTurn(workload: Workload, { limit, pulls }: Request): Admission {
    const { key, namespace } = workload
    this.#turns.wait(key, namespace)
    const room = limit - this.places.taken().size
    if (room <= 0) return held("paced", `${limit} rollouts are under way`)
    const heads = this.#turns.heads(room, this.#allowance(limit))
    if (!heads.includes(key)) {
      return held(
        "paced",
        heads.length === 0 ? `${namespace} has its share of places` : `it is the turn of ${heads.join(", ")}`
      )
    }
    this.#turns.take(key, namespace)
    this.places.reserve(workload, "rollout")
    if (pulls !== undefined) this.#shows.set(key, pulls.key)
    return go
  }

  /** Undefined: its own patch has not been seen yet, and nothing is to be said. */
  admit(workload: Workload, request: Request, up: number): Admission | undefined {
    const { key, namespace } = workload
    // what was looked at is older than our own patch: another one would be refused, and give the place of the first away
    if (this.places.isPatched(key)) return undefined
    if (request.as === "cure") return this.#admitCure(workload, request.limit)
    if (request.alone) this.#alone.add(namespace)
    else this.#alone.delete(namespace)
    const harmless = request.as === "harmless"
    const hold = this.#unproven(workload, request, up) ?? (harmless ? undefined : this.#stopped(namespace))
    if (hold !== undefined) return this.#setAside(workload, hold)
    this.#aside.delete(key)
    return harmless ? go : this.#admitInTurn(workload, request)
  }

  /** @param pulls as of a request */
  standing(workload: Workload, pulls: PullSet | undefined, up: number): Standing {
    const { places, proofs } = this
    const rests = [workload, namespaceRest(workload.namespace), ...(pulls === undefined ? [] : [pulls])]
    const ends = rests.flatMap((it) => proofs.restsUntil(it, up) ?? [])
    return {
      rollout: places.stateOf(workload.key),
      line: this.#turns.placeOf(workload.key, workload.namespace),
      holders: [...places.taken().keys()],
      stuck: places.stuckKeys,
      showing: pulls === undefined || proofs.isProven(pulls) ? undefined : this.#firstOf(pulls, workload),
      proven: pulls !== undefined && proofs.isProven(pulls),
      restsUntil: ends.length === 0 ? undefined : Math.max(...ends)
    }
  }

  /** Keys to be looked at again: those whose turn it is, and those whose hold may have ended. */
  next(limit: number, now: number, up: number): ReadonlyArray<string> {
    const opened = [this.places.takeOpened(now), this.proofs.takeOpened(up)].includes(true)
    const released = opened ? [...this.#aside] : []
    const room = limit - this.places.taken().size
    return [...this.#turns.heads(room, this.#allowance(limit)), ...this.places.late(now), ...released]
  }

  forget(key: string, namespace: string): void {
    this.places.forget(key)
    this.proofs.forget({ key })
    this.#shows.delete(key)
    this.leave(key, namespace)
  }
}
