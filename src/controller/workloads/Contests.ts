// Contests: who undoes our rewrites, workload by workload: the memory of the state machine of Contest.ts, with whose turn it is to
// be tried anew where a namespace has several fights. Memory of this process, beside which a mark on the object remembers the rest
// of a fight. A plain data structure: time comes in as epoch milliseconds. Edge: a namespace's fights concern no other.
import type { Backup } from "../../image/BackupName.ts"
import * as Contest from "../../workload/Contest.ts"
import type { HeldMark } from "../../workload/HeldMark.ts"
import { kindOf } from "../../workload/Kinds.ts"
import { ourselves } from "../../workload/Marks.ts"
import { isOurPatch } from "../../workload/OurRollout.ts"
import { verifiedOriginals } from "../../workload/Originals.ts"
import type { Replacement } from "../../workload/PlanImages.ts"
import { isUndo } from "../../workload/WentBack.ts"
import type { Pod, Workload } from "../../workload/Workload.ts"

/** From how many fights in a namespace on one workload at a time is tried anew. */
const many = 3

/** For how long another's patch is waited for until its turn is asked for again, in milliseconds. */
const patience = 60 * 1000

/** Who makes something else of a patch that an API server takes. */
export const changer = "a mutating webhook or policy, most likely"

interface Entry {
  readonly uid: string
  readonly namespace: string
  readonly fights: Map<string, Contest.Contest>
  /** What it controlled when we first wrote: a rollback goes to one of these. */
  readonly before: ReadonlySet<string>
  /** Whether the mark on it says that it is fought over as it stands there now. */
  marked: boolean
  /** The end of the rest that was written on it: it is written once, whoever takes it away. */
  written: number | undefined
}

interface Around {
  readonly newest: ReadonlySet<Pod>
  readonly controlled: ReadonlyArray<Workload>
}

/** What the API server made of a patch of ours; `after` is undefined where it did not say. */
export interface Answer {
  readonly before: Workload
  readonly after: Workload | undefined
  readonly replacements: ReadonlyArray<Replacement>
}

/** Whose turn it is instead, and when to ask again: milliseconds since the epoch. */
export interface Other {
  readonly key: string
  readonly until: number
}

const contestedIn = ({ fights }: Entry) =>
  [...fights].flatMap(([container, it]) => it._tag === "Contested" ? [{ container, ...it }] : [])

/** When the trial of a workload that was rewritten anew after a fight is over; undefined: it is on none. */
const trialEnd = ({ fights }: Entry): number | undefined => {
  const ends = [...fights.values()].flatMap((it) =>
    it._tag === "Written" && it.fights > 0 ? [it.at + Contest.firstRest] : []
  )
  return ends.length === 0 ? undefined : Math.max(...ends)
}

/** Generation that our patch made, as far as is known. */
const made = ({ generation = 0 }: Workload, after: Workload | undefined): number => after?.generation ?? generation + 1

const markOf = (entry: Entry): HeldMark | undefined => {
  const contested = contestedIn(entry)
  if (contested.length === 0) return undefined
  const detail = contested.map((it) =>
    `${it.original} of container ${it.container} was put back over its copy, ${it.reverts.length} times in a day, last by ${it.by}`
  )
  return {
    reason: "contested",
    detail: detail.join("; "),
    until: new Date(Math.max(...contested.map((it) => it.until))).toISOString(),
    count: Math.max(...contested.map((it) => it.fights)),
    images: Object.fromEntries(contested.map((it) => [it.container, [it.original, it.copy]]))
  }
}

export class Contests {
  readonly #entries = new Map<string, Entry>()
  /** By namespace, the workload that has the turn while its patch is made. */
  readonly #trying = new Map<string, string>()
  readonly #target: Backup

  constructor(target: Backup) {
    this.#target = target
  }

  #entry({ key, namespace, uid }: Workload, controlled: ReadonlyArray<Workload>): Entry {
    const known = this.#entries.get(key)
    if (known?.uid === uid) return known
    const before = new Set(controlled.map((it) => it.uid))
    const entry: Entry = { uid, namespace, fights: new Map(), before, marked: false, written: undefined }
    this.#entries.set(key, entry)
    return entry
  }

  /** Takes note of what a workload is now; answers what is remembered of a fight over it. */
  look(workload: Workload, { controlled, newest }: Around, now: number): HeldMark | undefined {
    if (!kindOf(workload.kind).mutable || workload.owner !== undefined) return undefined
    const { held, imagesSetBy, originals } = workload
    // of what we never wrote there is nothing to look for, and there are thousands
    if (held === undefined && originals === undefined && !this.#entries.has(workload.key)) return undefined
    const entry = this.#entry(workload, controlled)
    const ours: ReadonlyMap<string, string> = isOurPatch(workload, this.#target)
      ? verifiedOriginals(workload, this.#target)
      : new Map()
    // what the controller or a command of ours has put back has no annotation left
    const byUs = imagesSetBy === ourselves && originals === undefined
    const undone = isUndo(workload, controlled.filter((it) => entry.before.has(it.uid)))
    const pardoned = byUs || (undone && (workload.kind === "Deployment" || "once"))
    const unwell = Contest.isUnwell(workload, newest)
    for (const { container, image } of workload.images) {
      const next = Contest.looked(entry.fights.get(container), {
        image,
        generation: workload.generation ?? Number.MAX_SAFE_INTEGER,
        rewrote: ours.get(container),
        unwell,
        by: imagesSetBy ?? "somebody who left no trace",
        pardoned,
        remembered: (original) => Contest.fightsIn(held, container, original, now),
        now
      })
      if (next === undefined) entry.fights.delete(container)
      else entry.fights.set(container, next)
    }
    entry.marked = workload.images.some((it) => Contest.fightsIn(held, it.container, it.image, now) > 0)
    // of most workloads there is nothing to remember
    if (entry.fights.size === 0 && !entry.marked) this.#entries.delete(workload.key)
    return markOf(entry)
  }

  /** A patch of ours was taken. Answers, for people, the images of which the API server made something else. */
  wrote(
    { after, before, replacements }: Answer,
    controlled: ReadonlyArray<Workload>,
    now: number
  ): ReadonlyArray<string> {
    const entry = this.#entry(before, controlled)
    const others: Array<string> = []
    for (const { slot: { container, image }, to } of replacements) {
      const there = after === undefined
        ? to
        : after.images.find((it) => it.container === container)?.image ?? "no image"
      const known = entry.fights.get(container)
      const patch = {
        original: image,
        copy: to,
        generation: made(before, after),
        now,
        remembered: (original: string) => Contest.fightsIn(before.held, container, original, now)
      }
      const isMeant = Contest.isStill(to, there)
      if (!isMeant) others.push(`container ${container} has ${there} and not ${to}`)
      entry.fights.set(container, isMeant ? Contest.wrote(known, patch) : Contest.refused(known, patch, changer))
    }
    return others
  }

  /** Its originals were put back by us. */
  putBack(before: Workload, after: Workload | undefined): void {
    const entry = this.#entries.get(before.key)
    for (const container of entry?.fights.keys() ?? []) {
      entry?.fights.set(container, Contest.putBack(made(before, after)))
    }
  }

  /** Whether a fight, or we ourselves, brought its originals back: then nobody has rolled it back. */
  isExplained(key: string): boolean {
    return [...this.#entries.get(key)?.fights.values() ?? []].some(Contest.isExplained)
  }

  /** The mark that is to be written on the object and was not yet; undefined: none. */
  unwritten(key: string): HeldMark | undefined {
    const entry = this.#entries.get(key)
    const mark = entry === undefined ? undefined : markOf(entry)
    return mark === undefined || entry?.written === Date.parse(mark.until ?? "") ? undefined : mark
  }

  wasWritten(key: string, mark: HeldMark): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined) entry.written = Date.parse(mark.until ?? "")
  }

  /**
   * Takes the turn to be tried anew, until `leave` is called; answers who has it, where it is another's. Only where its namespace
   * has many fights, and only for what is fought over itself.
   */
  take({ key, namespace }: Workload, now: number): Other | undefined {
    const fought = [...this.#entries].filter(([, it]) =>
      it.namespace === namespace && (it.marked || contestedIn(it).length > 0 || (trialEnd(it) ?? 0) > now)
    )
    if (fought.length < many || !fought.some(([it]) => it === key)) return undefined
    for (const [other, entry] of fought) {
      const until = trialEnd(entry)
      if (other !== key && until !== undefined && until > now) return { key: other, until }
    }
    const trying = this.#trying.get(namespace) ?? key
    if (trying !== key) return { key: trying, until: now + patience }
    this.#trying.set(namespace, key)
    return undefined
  }

  leave({ key, namespace }: Workload): void {
    if (this.#trying.get(namespace) === key) this.#trying.delete(namespace)
  }

  forget(key: string): void {
    this.#entries.delete(key)
  }
}
