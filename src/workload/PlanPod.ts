// PlanPod: the one decision about a pod that is about to be made: which of its images are pointed to their copies, and for the
// others why not. Pure and total. Unlike a workload, of which one patch changes all, each image of a pod is for itself: what is
// not known as copied is left as it is, and the pod starts from the original. Templates are none of its business.
import { heldByMark, leftAlone, rewriteMark, startsWithout } from "./Exempt.ts"
import type { Facts } from "./Facts.ts"
import { admissible } from "./Freshness.ts"
import { describeReplacements, planImages, type PlannedImage, type Replacement, replacementsOf } from "./PlanImages.ts"
import { type Held, held, type Skipped } from "./Verdict.ts"
import type { Workload } from "./Workload.ts"

/**
 * Facts about a pod: `pods` are those that its owner has made before from the same revision, `owners` those that it will have,
 * nearest first.
 */
export interface PodFacts extends Facts {
  /** Why the backup may not be counted on now, in words; undefined where it has answered lately. */
  readonly backupFails: string | undefined
  /** Why it is not known that its node can pull from the backup, in words; undefined where that has been shown. */
  readonly unshown: string | undefined
  /** Why its owner would delete it for its images, in words; undefined where nothing tells so. */
  readonly recreated: string | undefined
}

export type PodVerdict =
  | { readonly _tag: "Rewrite" }
  | Held
  | Skipped
  /** None of its images has a copy that it does not use. */
  | { readonly _tag: "Done" }

export interface PodPlan {
  readonly images: ReadonlyArray<PlannedImage>
  /** What is changed; none unless the verdict is `Rewrite`. */
  readonly replacements: ReadonlyArray<Replacement>
  /** Sources of images that would be rewritten if their copies were there. */
  readonly missing: ReadonlyArray<string>
  readonly verdict: PodVerdict
}

const heldByMode = (pod: Workload, facts: PodFacts): Held | undefined => {
  const { settings } = facts
  if (settings.MUTATING_WEBHOOK === "off") return held("mode-off", "MUTATING_WEBHOOK is off")
  if (settings.REWRITE_MODE === "off") return held("mode-off", "REWRITE_MODE is off")
  const marked = [pod, ...facts.owners].find((it) => it.marks.rewrite !== undefined) ?? pod
  return rewriteMark(marked, facts) === "never" ? held("mode-off", "image-cloner.io/rewrite is never") : undefined
}

/** Why nothing of it is rewritten, whatever its images. */
const heldByNature = (pod: Workload, images: ReadonlyArray<PlannedImage>, facts: PodFacts): Held | undefined => {
  const [first, ...more] = facts.unseen
  return heldByMode(pod, facts) ?? startsWithout(pod, facts) ??
    (first === undefined ? undefined : held("unseen", [first, ...more].join("; "))) ??
    (facts.recreated === undefined ? undefined : held("contested", facts.recreated)) ??
    heldByMark(images, [pod.held, ...facts.owners.map((it) => it.held), facts.remembered], facts.now)
}

/** Why nothing is begun now, though there is something to rewrite. */
const heldByBackup = (replacements: ReadonlyArray<Replacement>, facts: PodFacts): Held | undefined => {
  if (facts.backupFails !== undefined) return held("backup-down", facts.backupFails)
  if (facts.unshown !== undefined) return held("pull-unproven", facts.unshown)
  return facts.settings.DRY_RUN
    ? held("dry-run", `it would be rewritten: ${describeReplacements(replacements)}`)
    : undefined
}

const verdictOf = (
  pod: Workload,
  images: ReadonlyArray<PlannedImage>,
  replacements: ReadonlyArray<Replacement>,
  facts: PodFacts
): PodVerdict => {
  if (images.every((it) => it.skip !== undefined)) return { _tag: "Done" }
  const hold = heldByNature(pod, images, facts)
  if (hold !== undefined) return hold
  if (replacements.length > 0) return heldByBackup(replacements, facts) ?? { _tag: "Rewrite" }
  const left = images.find((it) => it.hold !== undefined)
  return left?.hold === undefined ? { _tag: "Done" } : held(left.hold, left.detail)
}

/** Decides about a pod as it was received; of `pod.images` those that may be changed. */
export const planPod = (pod: Workload, facts: PodFacts): PodPlan => {
  const alone = leftAlone(pod, facts)
  if (alone !== undefined) return { images: [], replacements: [], missing: [], verdict: alone }
  const images = planImages(pod, facts, admissible)
  const replacements = replacementsOf(images)
  const verdict = verdictOf(pod, images, replacements, facts)
  return {
    images,
    replacements: verdict._tag === "Rewrite" ? replacements : [],
    missing: [...new Set(images.flatMap((it) => it.hold === "pending" ? it.wants : []))],
    verdict
  }
}
