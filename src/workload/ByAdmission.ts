// ByAdmission: what admission does for the pods of a workload while its template stays as it is: whether they all run the copies
// already, and whether those that are made from now on will be pointed there. Pure. What is decided about one pod is PlanPod's.
import { rewriteMark, startsWithout } from "./Exempt.ts"
import type { Facts } from "./Facts.ts"
import type { PlannedImage } from "./PlanImages.ts"
import type { HoldReason, SkipReason } from "./Reason.ts"
import { livePods } from "./Rollout.ts"
import type { Verdict } from "./Verdict.ts"
import type { Workload } from "./Workload.ts"

/** Whether admission has brought every pod the copies already: a rollout would only restart them. */
export const runsCopies = ({ rollout }: Workload, images: ReadonlyArray<PlannedImage>, facts: Facts): boolean => {
  if (facts.settings.MUTATING_WEBHOOK === "off") return false
  const pods = livePods(facts.pods)
  return pods.length > 0 && pods.length >= (rollout?.desired ?? 0) &&
    images.every(({ skip, slot, to }) =>
      skip !== undefined ||
      pods.every(({ workload: made }) => made.images.some((it) => it.container === slot.container && it.image === to))
    )
}

/** Reasons that concern the template, or its rollout, and no pod that is made from it. */
const ofTemplates: ReadonlySet<SkipReason | HoldReason> = new Set<SkipReason | HoldReason>([
  "by-admission",
  "owned",
  "immutable",
  "unhealthy",
  "rolling-out",
  "no-disruption",
  "paused",
  "rollback"
])

/**
 * Whether pods of a workload that is not patched now are pointed to their copies as they are made, as far as that lies in the
 * workload and the settings: each image has to be there as well.
 */
export const isByAdmission = (workload: Workload, verdict: Verdict, facts: Facts): boolean => {
  const { MUTATING_WEBHOOK, REWRITE_MODE } = facts.settings
  return "reason" in verdict && ofTemplates.has(verdict.reason) && MUTATING_WEBHOOK === "on" &&
    REWRITE_MODE !== "off" &&
    // what is owned or immutable was not asked for these
    rewriteMark(workload, facts) !== "never" && startsWithout(workload, facts) === undefined
}
