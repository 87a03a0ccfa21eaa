// TagPulls: which tags new pods of a workload read anew, and when somebody has had all of its pods made anew: what its tags name at
// their sources matters then. Pure. Edge: how often a tag is compared is the image loop's.
import { Result } from "effect"
import { parse } from "../image/ImageReference.ts"
import type { PlannedImage } from "./PlanImages.ts"
import type { ImageSlot, Workload } from "./Workload.ts"

/** Whether every container that starts pulls it: `Always`, or nothing said of `latest` (Kubernetes' default, images.md). */
const pullsAlways = ({ image, pullPolicy }: ImageSlot): boolean => {
  if (pullPolicy !== undefined && pullPolicy !== "Always") return false
  const reference = parse(image)
  // what a digest names stays what it is
  if (Result.isFailure(reference) || reference.success.digest !== undefined) return false
  return pullPolicy === "Always" || (reference.success.tag ?? "latest") === "latest"
}

/** The sources, by tag alone, that new containers read anew. */
export const pulledAnew = (images: ReadonlyArray<PlannedImage>): ReadonlySet<string> =>
  new Set(images.filter((it) => pullsAlways(it.slot)).flatMap((it) => it.wants.filter((of) => !of.includes("@"))))

/** For how long two changes of a template may look like one, with clocks that differ a little: milliseconds. */
const doubt = 60 * 1000

/** Whether more of the spec was changed than by a patch of ours. */
const isChangedBeside = (before: Workload, now: Workload): boolean =>
  (now.generation ?? 0) - (before.generation ?? 0) > (before.patchedAt === now.patchedAt ? 0 : 1)

/**
 * Whether somebody else has changed the pod template of an object since it was seen, as far as the server remembers: in whole seconds,
 * so that of two changes within one only the generation tells. That counts other changes of the spec, too, and is asked no longer
 * than need be.
 * @param at milliseconds since the epoch
 */
export const isTemplateChanged = (before: Workload, now: Workload, at: number): boolean =>
  before.uid === now.uid && now.templateChangedAt !== undefined &&
  (before.templateChangedAt !== now.templateChangedAt ||
    (at - now.templateChangedAt < doubt && isChangedBeside(before, now)))
