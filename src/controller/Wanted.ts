// Wanted: which images the backup must hold for the workloads of a store, each once. For commands that look at copies.
import { Option, Result } from "effect"
import { type Backup, backupOf, isUnder, sourceOf } from "../image/BackupName.ts"
import { format, type ImageReference, parse } from "../image/ImageReference.ts"
import type { Workloads } from "../store/WorkloadStore.ts"
import { plan } from "../workload/Plan.ts"
import { gatherFacts } from "./GatherFacts.ts"

/** A copy, and what it is a copy of; `source` is undefined for names under the prefix that nothing tells the source of. */
export interface WantedCopy {
  readonly source: ImageReference | undefined
  readonly backup: ImageReference
}

type Given = Omit<Parameters<typeof gatherFacts>[2], "assumeCopied" | "uptime">

const copyOf = (backup: Backup, source: ImageReference): WantedCopy => ({ source, backup: backupOf(backup, source) })

/** The copy that somebody names, by the name of its source or by its own. */
export const copyNamed = (backup: Backup, reference: ImageReference): WantedCopy =>
  isUnder(backup, reference)
    ? { source: Option.getOrUndefined(sourceOf(backup, reference)), backup: reference }
    : copyOf(backup, reference)

/** In the order of their names. */
export const wanted = (store: Workloads, given: Given): ReadonlyArray<WantedCopy> => {
  const found = new Map<string, WantedCopy>()
  for (const workload of store.all) {
    const { images } = plan(workload, gatherFacts(store, workload, { ...given, uptime: given.now, assumeCopied: true }))
    for (const { skip, slot, wants } of images) {
      for (const text of skip === "under-prefix-unknown" ? [slot.image] : wants) {
        const reference = parse(text)
        if (Result.isFailure(reference)) continue
        const copy = skip === "under-prefix-unknown"
          ? { source: undefined, backup: reference.success }
          : copyOf(given.backup, reference.success)
        const key = format(copy.backup)
        if (copy.source !== undefined || !found.has(key)) found.set(key, copy)
      }
    }
  }
  return [...found].toSorted(([a], [b]) => a.localeCompare(b)).map(([, copy]) => copy)
}
