// Unpulled: copies that a workload's pods cannot pull: the backup may have lost them, and the source may still have them. Pure.
import type { Plan } from "./Plan.ts"
import { cannotPull, livePods } from "./Rollout.ts"
import type { Pod } from "./Workload.ts"

const nothing: ReadonlyArray<string> = []

/** Their sources. */
export const unpulled = ({ images }: Plan, pods: ReadonlyArray<Pod>): ReadonlyArray<string> => {
  if (images.every(({ skip }) => skip !== "already-backup")) return nothing
  const failing = new Set(livePods(pods).flatMap((it) => it.containers.filter(cannotPull).map(({ image }) => image)))
  return images.flatMap(({ skip, slot, wants }) => skip === "already-backup" && failing.has(slot.image) ? wants : [])
}
