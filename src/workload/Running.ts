// Running: which bytes the pods of a workload run. A rewrite never changes them (invariant 2); what it names therefore is PlanImages'.
// A pod is evidence of the template that it was made from, and of no other: of the newest
// revision always, whatever webhooks made of its images; of an older one only where it names the template's image or its copy.
import { Result } from "effect"
import { type Backup } from "../image/BackupName.ts"
import type { Digest } from "../image/Digest.ts"
import { format, type ImageReference, parse } from "../image/ImageReference.ts"
import type { ImageId } from "./ImageId.ts"
import { isCopyOf } from "./Originals.ts"
import { hasStarted, livePods } from "./Rollout.ts"
import type { Pod } from "./Workload.ts"

export type Running =
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "Images"; readonly images: ReadonlyMap<Digest, ImageId["of"]> }
  /** Something runs, and its runtime does not say what. */
  | { readonly _tag: "Unknown"; readonly pod: string }

/** The pods of a workload: all of them, and those that are known to be of its newest revision. */
export interface Evidence {
  readonly backup: Backup
  readonly pods: ReadonlyArray<Pod>
  readonly newestPods: ReadonlySet<Pod>
}

/** Whether a pod was made with this image in this container, as a template wrote it or as we rewrote it. */
const isMadeWith = (backup: Backup, pod: Pod, container: string, image: ImageReference): boolean => {
  const made = parse(pod.workload.images.find((it) => it.container === container)?.image ?? "")
  return Result.isSuccess(made) &&
    (format(made.success) === format(image) || isCopyOf(backup, image, made.success))
}

/**
 * What a container of a workload runs, over all pods that count.
 * @param image what the template names for it, normalised
 */
export const runningOf = (container: string, image: ImageReference, evidence: Evidence): Running => {
  const { backup, newestPods, pods } = evidence
  const images = new Map<Digest, ImageId["of"]>()
  for (const pod of livePods(pods)) {
    const newest = newestPods.has(pod)
    if (!newest && !isMadeWith(backup, pod, container, image)) continue
    const state = pod.containers.find((it) => it.container === container)
    // a container that has no status at all in a pod that runs: nothing tells what it is
    if (state === undefined ? !hasStarted(pod) : !state.started) continue
    if (state?.imageId === undefined) return { _tag: "Unknown", pod: pod.workload.key }
    images.set(state.imageId.digest, state.imageId.of)
  }
  return images.size === 0 ? { _tag: "Nothing" } : { _tag: "Images", images }
}
