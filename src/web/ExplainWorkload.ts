// ExplainWorkload: what is known of a workload → why it is as it is, what happens next, and what would change it. Pure; decides nothing.
import { plainAdvice } from "../workload/ReasonAdvice.ts"
import type { PlannedImage } from "../workload/PlanImages.ts"
import { type HoldReason, holdReasons, type SkipReason, skipReasons } from "../workload/Reason.ts"
import type { Verdict } from "../workload/Verdict.ts"
import { commandsOf } from "./Commands.ts"
import { bounded, type ContainerExplained, listed, moment, type WorkloadExplained } from "./Explanation.ts"
import { type KnownWorkload, told } from "./Known.ts"
import { nextOfWorkload } from "./NextSteps.ts"

const meaningOf = (reason: SkipReason | HoldReason): string => ({ ...skipReasons, ...holdReasons })[reason]

const stateOf = ({ hold, skip }: PlannedImage): ContainerExplained["state"] =>
  skip === "already-backup" ? "copy" : skip !== undefined ? "left" : hold === undefined ? "ready" : "waits"

const containerOf = (image: PlannedImage, { clocks, image: imageOf }: KnownWorkload): ContainerExplained => {
  const { detail, hold, skip, slot, source, to, wants } = image
  const state = imageOf(source ?? wants[0] ?? "")?.state
  const verifiedAt = state?._tag === "BackedUp" ? state.verifiedAt : undefined
  return {
    container: slot.container,
    image: bounded(slot.image),
    state: stateOf(image),
    reason: skip === "already-backup" ? null : skip ?? hold ?? null,
    detail: bounded(detail),
    copy: to ?? null,
    wholeAt: moment(told(clocks, verifiedAt))
  }
}

/** An object that is left alone as a whole has no planned images. */
const containersOf = (known: KnownWorkload): ReadonlyArray<ContainerExplained> => {
  const { plan: { images, workload } } = known
  if (images.length > 0) return images.map((it) => containerOf(it, known))
  return workload.images.map((it) => ({
    container: it.container,
    image: bounded(it.image),
    state: "left",
    reason: null,
    detail: "",
    copy: null,
    wholeAt: null
  }))
}

const doneFor = ({ plan: { images } }: KnownWorkload): string =>
  images.some((it) => it.skip === "already-backup")
    ? "its template names the copies"
    : images.some((it) => it.skip === undefined)
    ? "its pods run the copies: they got them at admission"
    : "none of its images is one to copy"

const meaningOfVerdict = (verdict: Verdict, known: KnownWorkload): string => {
  switch (verdict._tag) {
    case "Rewrite":
      return verdict.as === "cure"
        ? "its pods cannot pull their source: it is rewritten to help them"
        : "its images are in the backup, and nothing holds it: it is rewritten"
    case "Done":
      return doneFor(known)
    default:
      return meaningOf(verdict.reason)
  }
}

/** Who or what it waits for, by name. */
const heldUpBy = ({ plan, standing, verdict }: KnownWorkload): ReadonlyArray<string> => {
  if (verdict._tag !== "Held") return []
  switch (verdict.reason) {
    case "paced":
      return standing?.holders ?? []
    case "stopped":
      return standing?.stuck ?? []
    case "pull-unproven":
      return standing?.showing === undefined ? [] : [standing.showing]
    case "managed-by":
    case "by-admission":
      return plan.workload.manager === undefined ? [] : [plan.workload.manager]
    default:
      return plan.images.flatMap((it) => it.hold === undefined ? [] : it.wants.slice(-1))
  }
}

const decisions = { Rewrite: "rewrite", Done: "done", Held: "held", Skipped: "skipped" } as const

/** Everything about one workload that people ask for. */
export const explainWorkload = (known: KnownWorkload): WorkloadExplained => {
  const { by, clocks, plan, since, verdict } = known
  const reason = "reason" in verdict ? verdict.reason : undefined
  return {
    _tag: "Workload",
    by,
    workload: plan.workload.key,
    decision: decisions[verdict._tag],
    reason: reason ?? null,
    meaning: meaningOfVerdict(verdict, known),
    detail: "detail" in verdict ? bounded(verdict.detail) : "",
    since: moment(told(clocks, since)),
    containers: containersOf(known),
    next: nextOfWorkload(known),
    heldUpBy: listed(heldUpBy(known)),
    advice: reason === undefined ? null : plainAdvice(reason),
    commands: commandsOf(known)
  }
}
