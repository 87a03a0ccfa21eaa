// ExtraRollout: whether what a rewrite of ours began with an object of EXTRA_KINDS is over, by its pods: its status is its own
// controller's, and nobody else reads it. Pure. Edge: what such an object waits for is ExtraTurns'.
import type { Backup } from "../image/BackupName.ts"
import { verifiedOriginals } from "./Originals.ts"
import { isFromBefore } from "./OurRollout.ts"
import { isBehindUs, livePods } from "./Rollout.ts"
import type { Pod, Workload } from "./Workload.ts"

/**
 * What is missing until all its pods are ready and none is from before our patch, in words; undefined: nothing, it is none that
 * we have patched, or that was six hours ago.
 * @param now milliseconds since the epoch
 */
export const unfinished = (
  workload: Workload,
  pods: ReadonlyArray<Pod>,
  backup: Backup,
  now: number
): string | undefined => {
  const { key, patchedAt } = workload
  const ours = verifiedOriginals(workload, backup)
  if (patchedAt === undefined || ours.size === 0 || isBehindUs(workload, patchedAt, now)) return undefined
  const live = livePods(pods)
  const late = live.find((it) => !it.ready)
  if (late !== undefined) return `${key} was rewritten, and its pod ${late.workload.name} is not ready yet`
  return live.some((it) => isFromBefore(workload, ours, it))
    ? `${key} was rewritten, and pods of it from before are still there`
    : undefined
}
