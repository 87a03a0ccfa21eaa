// Recreations: who makes pods anew because admission pointed them to copies. Operators that make pods themselves may compare their images
// with what they wrote, and delete what differs, for ever (cloudnative-pg#6344, operator-lifecycle-manager#2986). Pods of such an owner
// that are deleted within minutes tell it; then the next ones start from their originals, twice as long after each time. Memory of
// this process: after a restart it is found out anew. A plain data structure: time comes in. Edge: of owners that are watched
// their templates are known, and who fights over those is Contests'.
import { Duration } from "effect"
import { watchOf } from "../../admission/Owners.ts"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import type { Backup } from "../../image/BackupName.ts"
import type { ExtraKind } from "../../settings/Settings.ts"
import { firstRest, longestRest } from "../../workload/Contest.ts"
import { verifiedOriginals } from "../../workload/Originals.ts"
import type { Owner, Pod } from "../../workload/Workload.ts"

const minute = 60 * 1000
/** Until when a pod's end tells something of its beginning, in milliseconds. */
const young = 5 * minute
/** So many of them within so long are no chance; of who has done it before one is enough. */
const many = 3
const window = 30 * minute

/** Owners and pods that are remembered: whoever can make pods can make up owners. */
const mostOwners = 1000
const mostPods = 10_000

/** The same moment by two clocks, in milliseconds. */
interface Moment {
  readonly now: number
  readonly uptime: number
}

interface Fought {
  /** When pods of it were deleted lately: uptime in milliseconds. */
  readonly deletions: ReadonlyArray<number>
  readonly fights: number
  /** Until when its pods start from their originals: uptime in milliseconds. */
  readonly until: number
}

/** An owner that has just been found to fight. */
export interface Fight {
  /** `Kind namespace/name`. */
  readonly owner: string
  readonly deletions: number
  /** How long it rests, in milliseconds. */
  readonly rest: number
}

/** Owners are in the namespace of what they own: who writes the uid of a stranger's holds pods of its own namespace alone. */
const keyOf = (namespace: string, owner: Owner): string => `${namespace} ${owner.uid}`

const nameOf = (namespace: string, { kind, name }: Owner): string => `${kind} ${namespace}/${name}`

export class Recreations {
  readonly #owners = makeBoundedMap<string, Fought>(mostOwners)
  readonly #counted = makeBoundedMap<string, true>(mostPods)
  readonly #backup: Backup
  constructor(backup: Backup) {
    this.#backup = backup
  }

  /** Whether somebody deletes a pod that was pointed to copies a moment ago, and that has not come to its end. */
  #isTakenBack({ createdAt, finished, workload }: Pod, extras: ReadonlyArray<ExtraKind>, now: number): boolean {
    const { deleting, owner, uid } = workload
    return deleting && !finished && owner !== undefined && now - (createdAt ?? 0) < young &&
      this.#counted.get(uid) === undefined && watchOf(owner, extras) === undefined &&
      verifiedOriginals(workload, this.#backup).size > 0
  }

  /** Looks at all pods; to be done more often than a pod takes to be gone. Answers who begins to fight by that. */
  look(pods: Iterable<Pod>, extras: ReadonlyArray<ExtraKind>, { now, uptime }: Moment): ReadonlyArray<Fight> {
    const found: Array<Fight> = []
    for (const pod of pods) {
      const { namespace, owner, uid } = pod.workload
      if (owner === undefined || !this.#isTakenBack(pod, extras, now)) continue
      this.#counted.set(uid, true)
      const key = keyOf(namespace, owner)
      const before = this.#owners.get(key) ?? { deletions: [], fights: 0, until: -Infinity }
      // what was pointed to copies before the rest began
      if (before.until > uptime) continue
      const deletions = [...before.deletions.filter((it) => uptime - it < window), uptime]
      if (deletions.length < (before.fights === 0 ? many : 1)) {
        this.#owners.set(key, { ...before, deletions })
        continue
      }
      const rest = Math.min(firstRest * 2 ** before.fights, longestRest)
      this.#owners.set(key, { deletions: [], fights: before.fights + 1, until: uptime + rest })
      found.push({ owner: nameOf(namespace, owner), deletions: deletions.length, rest })
    }
    return found
  }

  /** Why a pod of an owner is not pointed to copies now, in words; undefined where that is no matter. */
  problem(namespace: string, owner: Owner | undefined, uptime: number): string | undefined {
    if (owner === undefined || this.#owners.size() === 0) return undefined
    const fought = this.#owners.get(keyOf(namespace, owner))
    return fought === undefined || fought.until <= uptime
      ? undefined
      : `${nameOf(namespace, owner)} deletes pods that were pointed to copies, and is left alone for a while`
  }
}

/** For people. */
export const describeFight = ({ deletions, owner, rest }: Fight): string => {
  const what = deletions === 1 ? `a pod of ${owner} was` : `${deletions} pods of ${owner} were`
  return `${what} deleted within minutes of being pointed to copies: whatever makes them most likely compares their images. They start ` +
    `from their originals for ${
      Duration.format(Duration.millis(rest))
    }; image-cloner.io/rewrite: never on its pods, or on the ` +
    "namespace, leaves them alone for good"
}
