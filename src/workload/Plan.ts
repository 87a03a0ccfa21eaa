// Plan: the one decision about a workload: what to clone, what to rewrite, and for all else one reason. Pure and total.
// Skipped is said of an image or a whole object; held of a workload, and one image that is not there holds all of it,
// so that one patch changes all.
import { budgetAgainst } from "./Budget.ts"
import { curable, cureOf } from "./Cure.ts"
import type { Facts } from "./Facts.ts"
import { healthOf } from "./Health.ts"
import { isHeld } from "./HeldMark.ts"
import { kindOf } from "./Kinds.ts"
import { describeReplacements, planImages, type PlannedImage, replacementsOf } from "./PlanImages.ts"
import type { HoldReason, SkipReason } from "./Reason.ts"
import { replacesPods } from "./Rollout.ts"
import type { RewriteMark, Workload } from "./Workload.ts"

/**
 * What a rewrite is to the pods of a workload. `rollout`: they are replaced, and it takes its turn. `harmless`: none that runs
 * is replaced. `cure`: some cannot pull their source, and the copy is what helps them.
 */
export type RewriteAs = "rollout" | "harmless" | "cure"

export type Verdict =
  | { readonly _tag: "Rewrite"; readonly as: RewriteAs }
  | { readonly _tag: "Held"; readonly reason: HoldReason; readonly detail: string }
  | { readonly _tag: "Skipped"; readonly reason: SkipReason; readonly detail: string }
  /** Nothing left to rewrite. */
  | { readonly _tag: "Done" }

export interface Plan {
  readonly workload: Workload
  readonly images: ReadonlyArray<PlannedImage>
  /** Canonical source references that the backup must hold for this workload. */
  readonly wants: ReadonlyArray<string>
  /** Of these, the ones whose copy must be seen again before it may be used; none where that would not help. */
  readonly stale: ReadonlyArray<string>
  /** Nothing but another look at its copies is missing: it keeps its turn meanwhile. */
  readonly onlyStale: boolean
  /** Whether all is seen that a decision about it depends on; without, nothing of it is touched. */
  readonly seen: boolean
  /** Whether the object may ever be patched, be it to put its originals back. */
  readonly patchable: boolean
  readonly verdict: Verdict
}

const alwaysIgnored: ReadonlySet<string> = new Set(["kube-system", "kube-proxy"])

const skipped = (reason: SkipReason, detail: string): Verdict => ({ _tag: "Skipped", reason, detail })
const held = (reason: HoldReason, detail: string): Verdict => ({ _tag: "Held", reason, detail })

/** Why nothing of an object is handled, not even cloned; undefined when it is. */
const leftAlone = (workload: Workload, facts: Facts): Verdict | undefined => {
  const { settings } = facts
  const { namespace } = workload
  if (alwaysIgnored.has(namespace)) return skipped("namespace-ignored", `${namespace} is always ignored`)
  if (namespace === facts.ownNamespace) return skipped("namespace-ignored", "it is the controller's own namespace")
  if (settings.NAMESPACES_TO_IGNORE.includes(namespace)) {
    return skipped("namespace-ignored", `${namespace} is in NAMESPACES_TO_IGNORE`)
  }
  if (settings.NAMESPACES_TO_INCLUDE.length > 0 && !settings.NAMESPACES_TO_INCLUDE.includes(namespace)) {
    return skipped("namespace-ignored", `${namespace} is not in NAMESPACES_TO_INCLUDE`)
  }
  if (workload.mirror) return skipped("mirror-pod", "it is a static pod of a node")
  // the most specific mark counts: the object's own, then its owners', then the namespace's
  const chain = [workload, ...facts.owners]
  const marked = chain.find((it) => it.marks.ignore !== undefined)
  if (marked?.marks.ignore === true) return skipped("opted-out", `image-cloner.io/ignore is set on ${marked.key}`)
  if (marked === undefined && facts.namespace?.marks.ignore === true) {
    return skipped("opted-out", `image-cloner.io/ignore is set on namespace ${namespace}`)
  }
  return undefined
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

const rewriteMark = (workload: Workload, facts: Facts): RewriteMark | undefined =>
  workload.marks.rewrite ?? facts.namespace?.marks.rewrite

/** Holds that lie in what the workload is, whatever its images' state. */
const heldByNature = (workload: Workload, facts: Facts): Verdict | undefined => {
  const mark = rewriteMark(workload, facts)
  if (facts.settings.REWRITE_MODE === "off") return held("mode-off", "REWRITE_MODE is off")
  if (mark === "never" || mark === "admission") return held("mode-off", `image-cloner.io/rewrite is ${mark}`)
  if (facts.settings.BACKUP_NAMESPACES.includes(workload.namespace)) {
    return held("serves-backup", `${workload.namespace} is in BACKUP_NAMESPACES`)
  }
  if (/^system-.*-critical$/.test(workload.priorityClass ?? "")) {
    return held("critical", `its priority class is ${workload.priorityClass}`)
  }
  if (workload.manager !== undefined && mark !== "patch") return held("managed-by", workload.manager)
  return undefined
}

/** Holds that pass: images that are not there yet, then the workload's health. */
const heldForNow = (images: ReadonlyArray<PlannedImage>): Verdict | undefined => {
  for (const reason of ["failed", "tag-moved", "digest-unknown", "pending"] as const) {
    const image = images.find((it) => it.hold === reason)
    if (image !== undefined) return held(reason, image.detail)
  }
  return undefined
}

const heldByHealth = (workload: Workload, facts: Facts, cures: boolean): Verdict => {
  if (cures && replacesPods(workload) && !workload.paused) return { _tag: "Rewrite", as: "cure" }
  if (!kindOf(workload.kind).rolls) return { _tag: "Rewrite", as: "harmless" }
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

/** Whether what it names now was put back, by us or in a fight: by the mark on it, or by what is remembered. */
const heldByMark = (workload: Workload, images: ReadonlyArray<PlannedImage>, facts: Facts): Verdict | undefined => {
  const mark = [workload.held, facts.remembered].find((it) =>
    it !== undefined &&
    images.some(({ skip, slot, to }) => skip === undefined && isHeld(it, slot.container, slot.image, to, facts.now))
  )
  return mark && held(mark.reason, `${mark.detail}; ${mark.until ?? "until another image or no mark is there"}`)
}

/** Quarantined, rolled back and contested, in this order; a cure is what a rollback may need. */
const heldByPeople = (
  workload: Workload,
  images: ReadonlyArray<PlannedImage>,
  facts: Facts,
  cures: boolean
): Verdict | undefined => {
  const marked = heldByMark(workload, images, facts)
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
const heldUnseen = ({ unseen }: Facts): Verdict | undefined =>
  unseen.length === 0 ? undefined : held("unseen", unseen.join("; "))

const verdictOf = (
  workload: Workload,
  images: ReadonlyArray<PlannedImage>,
  facts: Facts,
  cures: boolean
): Verdict => {
  const never = neverPatched(workload)
  if (never !== undefined) return never
  if (images.every((it) => it.skip !== undefined)) return { _tag: "Done" }
  const hold = heldByNature(workload, facts) ?? heldUnseen(facts) ?? heldByPeople(workload, images, facts, cures) ??
    heldForNow(images)
  if (hold !== undefined) return hold
  const verdict = heldByHealth(workload, facts, cures)
  if (verdict._tag !== "Rewrite" || !facts.settings.DRY_RUN) return verdict
  const changes = describeReplacements(replacementsOf(images))
  return held("dry-run", `it would be rewritten: ${changes}`)
}

const nothing = { images: [], wants: [], stale: [], onlyStale: false, patchable: false, seen: true }

const unique = (sources: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(sources)]

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
    wants: unique(images.flatMap((it) => it.wants)),
    stale: pending ? unique(images.flatMap((it) => it.stale ? it.wants : [])) : [],
    onlyStale: pending && images.every((it) => it.hold === undefined || it.stale),
    seen: facts.unseen.length === 0,
    patchable: neverPatched(workload) === undefined && heldByNature(workload, facts) === undefined,
    verdict
  }
}
