// Running: which bytes the pods of a workload run, and what a rewrite must therefore name (invariant 2): a rewrite never
// changes the bytes that run. A pod is evidence of the template that it was made from, and of no other: of the newest
// revision always, whatever webhooks made of its images; of an older one only where it names the template's image or its copy.
import { Result } from "effect"
import { type Backup } from "../image/BackupName.ts"
import type { Digest } from "../image/Digest.ts"
import { format, type ImageReference, parse } from "../image/ImageReference.ts"
import type { ImageState } from "../image/ImageState.ts"
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

export type Choice =
  /** The copy of the tag holds what runs, or nothing runs. */
  | { readonly _tag: "Tag" }
  /** All pods run this one digest, which the tag no longer names. */
  | { readonly _tag: "Pin"; readonly digest: Digest }
  | { readonly _tag: "Held"; readonly reason: "tag-moved" | "digest-unknown"; readonly detail: string }

/** What a rewrite of a tag must name, given its copy and what runs. */
export const choose = (running: Running, copy: Extract<ImageState, { _tag: "BackedUp" }>): Choice => {
  if (running._tag === "Nothing") return { _tag: "Tag" }
  if (running._tag === "Unknown") {
    return { _tag: "Held", reason: "digest-unknown", detail: `${running.pod} does not tell which digest it runs` }
  }
  const known = [...running.images]
  const moved = known.filter(([it]) => it !== copy.digest && it !== copy.original && !copy.contents.has(it))
  if (moved.length === 0) return { _tag: "Tag" }
  const [only] = known
  if (known.length === 1 && only?.[1] === "manifest") return { _tag: "Pin", digest: only[0] }
  const named = copy.original ?? copy.digest
  // a registry cannot be asked for an image by the digest of its config, so it cannot be copied by it
  const ran = known.map(([digest, of]) => of === "config" ? `the image with the id ${digest}` : digest).join(" and ")
  return { _tag: "Held", reason: "tag-moved", detail: `its pods run ${ran}, the tag names ${named}` }
}
