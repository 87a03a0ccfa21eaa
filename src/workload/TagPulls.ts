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

/** Whether somebody else has changed the pod template of an object since it was seen, as far as the server remembers. */
export const isTemplateChanged = (before: Workload, now: Workload): boolean =>
  before.uid === now.uid && now.templateChangedAt !== undefined && before.templateChangedAt !== now.templateChangedAt
