// EventOf: which change of a decision is worth an Event on the workload, and what that says: reasons only, never words of a registry or
// of another tenant. Pure. Edge: whether it is sent is EventLimits'; nothing sends any yet.
import { type HoldReason, holdReasons } from "../../workload/Reason.ts"
import { type Decision, outcomeOf } from "../Decisions.ts"

/** As events.k8s.io/v1 has them: CamelCase, short, for machines. */
export type EventReason = "Rewritten" | "Held" | "PutBack" | "Contested" | "CopyFailed"

export interface WorkloadEvent {
  readonly type: "Normal" | "Warning"
  readonly reason: EventReason
  /** For people; at most 1024 bytes (k8s pkg/apis/core/validation, ValidateEventUpdate). */
  readonly note: string
}

/** Holds that do not end by themselves, or that somebody should know of. What passes is said by metrics and `explain` alone. */
const needsSomebody: ReadonlyMap<HoldReason, EventReason> = new Map<HoldReason, EventReason>([
  ["failed", "CopyFailed"],
  ["contested", "Contested"],
  ["quarantined", "PutBack"],
  ["tag-moved", "Held"],
  ["digest-unknown", "Held"],
  ["refused", "Held"],
  ["cannot-pull", "Held"],
  ["stranded", "Held"],
  ["pull-unproven", "Held"],
  ["stopped", "Held"]
])

const heldFor = ({ verdict }: Decision): HoldReason | undefined => verdict._tag === "Held" ? verdict.reason : undefined

/** What helps whoever reads it further. */
const further = ({ plan: { workload } }: Decision): string => `image-cloner explain ${workload.key} says more`

/**
 * What a change of a decision says; undefined where nobody needs an Event of it.
 * @param before undefined: it is the first of this process; a hold is told then, a rewrite from before is no news
 */
export const eventOf = (before: Decision | undefined, after: Decision): WorkloadEvent | undefined => {
  // its owner has it
  if (after.plan.workload.owner !== undefined) return undefined
  const held = heldFor(after)
  if (held !== undefined) {
    const reason = needsSomebody.get(held)
    return reason === undefined || (before !== undefined && heldFor(before) === held)
      ? undefined
      : { type: "Warning", reason, note: `${held}: ${holdReasons[held]}; ${further(after)}` }
  }
  return before === undefined || outcomeOf(before) === "rewritten" || outcomeOf(after) !== "rewritten"
    ? undefined
    : { type: "Normal", reason: "Rewritten", note: "it runs from the backup registry; image-cloner restore undoes it" }
}
