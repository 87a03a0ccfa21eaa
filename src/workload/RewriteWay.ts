// RewriteWay: by which way the pods of a workload get their copies: its template is patched, admission does it, or nobody. By
// REWRITE_MODE, the mark, and whether somebody manages the template. Pure. Edge: who manages it is Ownership's, what admission
// then does for one pod PlanPod's.
import { rewriteMark, startsWithout } from "./Exempt.ts"
import type { Facts } from "./Facts.ts"
import { type Held, held } from "./Verdict.ts"
import type { Workload } from "./Workload.ts"

/** Who would undo a change of the template, or do with it what we cannot know. */
const managerOf = ({ extra, manager }: Workload): string | undefined =>
  manager ?? (extra &&
    `${
      extra.extra?.name ?? extra.kind
    } is of EXTRA_KINDS: it is patched where it is marked image-cloner.io/rewrite: patch itself`)

/**
 * Why a template is not patched, whatever its images' state: by the mode, by what it is exempt from, by who manages it. What
 * its owner has marked comes before what manages it. None: it is patched.
 */
export const heldByWay = (workload: Workload, facts: Facts): Held | undefined => {
  const mark = rewriteMark(workload, facts)
  const { MUTATING_WEBHOOK, REWRITE_MODE } = facts.settings
  if (REWRITE_MODE === "off") return held("mode-off", "REWRITE_MODE is off")
  if (mark === "never") return held("mode-off", "image-cloner.io/rewrite is never")
  const exempt = startsWithout(workload, facts)
  if (exempt !== undefined) return exempt
  if (REWRITE_MODE === "admission") return held("by-admission", "REWRITE_MODE is admission")
  if (mark === "admission") {
    return MUTATING_WEBHOOK === "on"
      ? held("by-admission", "image-cloner.io/rewrite is admission")
      : held("mode-off", "image-cloner.io/rewrite is admission, and MUTATING_WEBHOOK is off")
  }
  const manager = managerOf(workload)
  if (manager === undefined || mark === "patch") return undefined
  return held(MUTATING_WEBHOOK === "on" ? "by-admission" : "managed-by", manager)
}
