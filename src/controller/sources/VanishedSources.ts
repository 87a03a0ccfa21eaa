// VanishedSources: which images in use have lost their source, and what is said of it. Pure. Edge: that a registry or a tag gave an answer,
// or none, is seen by whoever asks it for another reason: nobody is asked for this, and an image by digest is only asked for until it
// is copied.
import { Duration, Result } from "effect"
import { parse } from "../../image/ImageReference.ts"
import type { InventoryEntry, VanishedCause } from "../../store/Inventory.ts"

/** How far apart two answers of 404 are at least, with no other between. Milliseconds of uptime. */
const goneFor = Duration.toMillis(Duration.days(1))
/** How long a registry gives no answer, from the first attempt to the last. */
const silentFor = Duration.hours(1)

export interface Vanished {
  readonly entry: InventoryEntry
  readonly cause: VanishedCause
  /** As references name it. */
  readonly registry: string
}

const registryOf = (source: string): string => Result.getOrUndefined(parse(source))?.registry ?? ""

/** Named by its digest and copied: nobody asks its registry any more, so nobody would hear that it answers again. */
const isSettled = (entry: InventoryEntry): boolean => entry.source.includes("@") && isKept(entry)

/**
 * Which of them have vanished now.
 * @param silences how long registries have given no answer (Reachability.ts)
 */
export const vanishedOf = (
  entries: ReadonlyArray<InventoryEntry>,
  silences: ReadonlyMap<string, Duration.Duration>
): ReadonlyArray<Vanished> => {
  const silent = new Set(
    [...silences].flatMap(([it, time]) => Duration.isGreaterThanOrEqualTo(time, silentFor) ? [it] : [])
  )
  return entries.flatMap((entry): ReadonlyArray<Vanished> => {
    const { gone, source } = entry
    const isGone = gone !== undefined && gone.last - gone.since >= goneFor
    // references are parsed only where that may tell something: a cluster has thousands
    if (!isGone && silent.size === 0) return []
    const registry = registryOf(source)
    if (isGone) return [{ entry, cause: "not-found", registry }]
    return silent.has(registry) && !isSettled(entry) ? [{ entry, cause: "unreachable", registry }] : []
  })
}

/** Whether the backup holds it. */
export const isKept = ({ state }: Pick<InventoryEntry, "state">): boolean => state._tag === "BackedUp"

const keeps = "the copy in the backup is what keeps them going"
const none =
  "there is no copy in the backup, so what runs cannot start anywhere else: push it again, or name another image"

/** Where nothing of what uses it is a workload of its own, pods and Jobs are named. */
const usedBy = ({ users }: Pick<InventoryEntry, "users">, workloads: ReadonlyArray<string>): string => {
  const named = workloads.length > 0 ? workloads : [...users]
  return `${named.length === 1 ? "1 workload uses it" : `${named.length} workloads use it`}, first ${named[0] ?? ""}`
}

/**
 * What is said of an image that its registry does not have any more.
 * @param workloads its users, without what they have made
 */
export const describeGone = (entry: InventoryEntry, workloads: ReadonlyArray<string>): string =>
  `the source of ${entry.source} has vanished: its registry has answered 404 for a day or longer; ${
    usedBy(entry, workloads)
  }; ${isKept(entry) ? keeps : none}`

/** What is said of a registry that gives no answer, once for all its images. */
export const describeSilent = (
  registry: string,
  entries: ReadonlyArray<InventoryEntry>,
  workloads: ReadonlyArray<string>
): string => {
  const [first] = entries
  const lost = entries.filter((it) => !isKept(it))
  const copies = lost.length === 0
    ? keeps
    : `${
      entries.length - lost.length
    } have a copy in the backup that keeps them going, and ${lost.length} have none, first ${lost[0]?.source ?? ""}`
  return `the registry ${registry} has given no answer for an hour or longer, and is the source of ${
    entries.length === 1 ? "1 image" : `${entries.length} images`
  } in use, first ${first?.source ?? ""}${first === undefined ? "" : ` (${usedBy(first, workloads)})`}; ${copies}`
}
