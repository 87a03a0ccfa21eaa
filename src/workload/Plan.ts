// Plan: the one decision about a workload: what to clone, what to rewrite, and for all else one reason. Pure and total.
// Skipped is said of an image or a whole object; held of a workload, and one image that is not there holds all of it,
// so that one patch changes all.
import { budgetAgainst } from "./Budget.ts"
import { runsCopies } from "./ByAdmission.ts"
import { curable } from "./Freshness.ts"
import { cureOf } from "./Cure.ts"
import { heldByMark, leftAlone, rewriteMark } from "./Exempt.ts"
import type { Facts } from "./Facts.ts"
import { healthOf } from "./Health.ts"
import { kindOf } from "./Kinds.ts"
import { describeReplacements, planImages, type PlannedImage, replacementsOf } from "./PlanImages.ts"
import { heldByWay } from "./RewriteWay.ts"
import { livePods, replacesPods } from "./Rollout.ts"
import { held, skipped, type Verdict } from "./Verdict.ts"
import type { Workload } from "./Workload.ts"

export interface Plan {
  readonly workload: Workload
  readonly images: ReadonlyArray<PlannedImage>
  /** Canonical source references that the backup must hold for this workload. */
  readonly wants: ReadonlyArray<string>
  /** Of these, the ones whose copy must be seen again before it may be used; none where that would not help. */
  readonly stale: ReadonlyArray<string>
  /** Nothing but another look at its copies is missing: it keeps its turn meanwhile. */
  readonly onlyStale: boolean
  /** Whether all is seen that a decision about it depends on, and this process leads; without, nothing of it is touched. */
  readonly touchable: boolean
  /** Whether the object may ever be patched, be it to put its originals back. */
  readonly patchable: boolean
  /** Whether an object of EXTRA_KINDS has made it, which is planned itself. */
  readonly ofExtra?: true
  readonly verdict: Verdict
}

/** Why the images of an object are cloned, but the object itself is never patched. */
const neverPatched = (workload: Workload): Verdict | undefined => {
  if (workload.owner !== undefined) {
    return skipped("owned", `${workload.owner.kind} ${workload.owner.name} controls it`)
  }
  return kindOf(workload.kind).mutable
    ? undefined
    : skipped("immutable", `the images of a ${workload.kind} cannot be changed after creation`)
}

/** Holds that pass: images that are not there yet, then the workload's health. */
const heldForNow = (images: ReadonlyArray<PlannedImage>): Verdict | undefined => {
  for (const reason of ["failed", "tag-moved", "digest-unknown", "pending"] as const) {
    const image = images.find((it) => it.hold === reason)
    if (image !== undefined) return held(reason, image.detail)
  }
  return undefined
}

/** Of an object of EXTRA_KINDS its pods tell all that is known of its health. */
const lateOfExtra = ({ kind }: Workload, { pods }: Facts): Verdict | undefined => {
  const late = kind === "Extra" ? livePods(pods).find((it) => !it.ready) : undefined
  return late && held("unhealthy", `its pod ${late.workload.name} is not ready`)
}

const heldByHealth = (workload: Workload, facts: Facts, cures: boolean): Verdict => {
  if (cures && replacesPods(workload) && !workload.paused) return { _tag: "Rewrite", as: "cure" }
  if (!kindOf(workload.kind).rolls) {
    return (cures ? undefined : lateOfExtra(workload, facts)) ?? { _tag: "Rewrite", as: "harmless" }
  }
  const health = healthOf(workload, facts.pods, facts.nodeReady)
  if (health._tag === "Idle") return { _tag: "Rewrite", as: "harmless" }
  if (workload.paused) return held("paused", "somebody has paused the Deployment")
  if (health._tag === "Unhealthy") return held("unhealthy", health.detail)
  if (health._tag === "RollingOut") return held("rolling-out", health.detail)
  if (!replacesPods(workload)) return { _tag: "Rewrite", as: "harmless" }
  const budget = rewriteMark(workload, facts) === "patch" ? undefined : budgetAgainst(workload, facts.budgets())
  return budget === undefined
    ? { _tag: "Rewrite", as: "rollout" }
    : held(
      "no-disruption",
      `PodDisruptionBudget ${budget.key}; image-cloner.io/rewrite: patch has it rolled all the same`
    )
}

/** Quarantined, rolled back and contested, in this order; a cure is what a rollback may need. */
const heldByPeople = (
  workload: Workload,
  images: ReadonlyArray<PlannedImage>,
  facts: Facts,
  cures: boolean
): Verdict | undefined => {
  const marked = heldByMark(images, [workload.held, facts.remembered], facts.now)
  if (marked?._tag === "Held" && marked.reason === "quarantined") return marked
  const { rolledBack } = facts
  return rolledBack === undefined || cures
    ? marked
    : held(
      "rollback",
      `it went back to a revision of before, and rests until its pods were ready for 15 minutes${rolledBack.wayBack}`
    )
}

/** What cannot be seen is not touched: nobody can tell what a workload runs, or who has opted it out meanwhile. */
const heldUntouchable = ({ leads, unseen }: Facts): Verdict | undefined => {
  if (leads === false) return held("following", "another replica leads")
  return unseen.length === 0 ? undefined : held("unseen", unseen.join("; "))
}

const verdictOf = (
  workload: Workload,
  images: ReadonlyArray<PlannedImage>,
  facts: Facts,
  cures: boolean
): Verdict => {
  const never = neverPatched(workload)
  if (never !== undefined) return never
  if (images.every((it) => it.skip !== undefined)) return { _tag: "Done" }
  const byWay = heldByWay(workload, facts)
  const hold = byWay ?? heldUntouchable(facts) ?? heldByPeople(workload, images, facts, cures) ?? heldForNow(images)
  const isAdmitted = hold === undefined || byWay?.reason === "by-admission"
  if (isAdmitted && runsCopies(workload, images, facts)) return { _tag: "Done" }
  if (hold !== undefined) return hold
  const verdict = heldByHealth(workload, facts, cures)
  if (verdict._tag !== "Rewrite" || !facts.settings.DRY_RUN) return verdict
  const changes = describeReplacements(replacementsOf(images))
  return held("dry-run", `it would be rewritten: ${changes}`)
}

const none: ReadonlyArray<string> = []
const nothing = { images: [], wants: none, stale: none, onlyStale: false, patchable: false, touchable: true }

/** Of most workloads the sources of their only image, which keeps them already. */
const sourcesOf = (images: ReadonlyArray<PlannedImage>): ReadonlyArray<string> => {
  const [first] = images
  return first !== undefined && images.length === 1 ? first.wants : [...new Set(images.flatMap((it) => it.wants))]
}

/** Decides about one workload. */
export const plan = (workload: Workload, facts: Facts): Plan => {
  if (workload.deleting) return { workload, ...nothing, verdict: { _tag: "Done" } }
  const alone = leftAlone(workload, facts)
  if (alone !== undefined) return { workload, ...nothing, verdict: alone }
  const planned = planImages(workload, facts)
  const cures = cureOf(planned, facts) !== undefined
  const images = cures ? planImages(workload, facts, curable) : planned
  const verdict = verdictOf(workload, images, facts, cures)
  const pending = verdict._tag === "Held" && verdict.reason === "pending"
  return {
    workload,
    images,
    wants: sourcesOf(images),
    stale: pending ? sourcesOf(images.filter((it) => it.stale)) : none,
    onlyStale: pending && images.every((it) => it.hold === undefined || it.stale),
    touchable: facts.unseen.length === 0 && facts.leads !== false,
    patchable: neverPatched(workload) === undefined && heldByWay(workload, facts) === undefined,
    ...(facts.owners.some((it) => it.kind === "Extra") ? { ofExtra: true } : {}),
    verdict
  }
}
