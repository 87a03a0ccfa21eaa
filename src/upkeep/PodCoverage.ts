// PodCoverage: whether a pod's images are in the backup, as its plan and the inventory have it. Pure. Edge: what it runs counts, not what
// its template names; an image that was looked at long ago is still in the backup, so holds of freshness do not count.
import type { ImageState } from "../image/ImageState.ts"
import type { Plan } from "../workload/Plan.ts"
import type { PlannedImage } from "../workload/PlanImages.ts"
import type { SkipReason } from "../workload/Reason.ts"

/**
 * running: it names the copies. whole: its copies are in the backup, and it names its sources. at-risk: an image of it has no copy.
 * left: an image of it cannot be copied, or is not to be.
 */
export type CoverageState = "running" | "whole" | "at-risk" | "left"

/** From the best to the worst: a pod is as well off as the worst of its images. */
export const coverageStates: ReadonlyArray<CoverageState> = ["running", "whole", "left", "at-risk"]

export interface PodCoverage {
  readonly namespace: string
  readonly state: CoverageState
  /** Why it is left. */
  readonly reason: SkipReason | undefined
  /** Canonical references of the sources whose copies it names. */
  readonly running: ReadonlyArray<string>
}

export type StateOf = (source: string) => ImageState | undefined

/** What stands for an image: of a tag that has moved the digest that runs, which is wanted last. */
const isWhole = (image: PlannedImage, stateOf: StateOf): boolean => {
  const source = image.wants.at(-1)
  return source !== undefined && stateOf(source)?._tag === "BackedUp"
}

const imageState = (image: PlannedImage, stateOf: StateOf): CoverageState => {
  // its copy is there as long as nobody has seen that it is not: it was pulled
  if (image.skip === "already-backup") {
    return image.wants.some((it) => stateOf(it)?._tag === "Failed") ? "at-risk" : "running"
  }
  if (image.skip !== undefined) return "left"
  // the copy may hold other bytes than those that run
  return image.hold !== "digest-unknown" && isWhole(image, stateOf) ? "whole" : "at-risk"
}

const nothing: ReadonlyArray<string> = []

/**
 * What becomes of a pod if its sources vanish today.
 * @param plan the pod's own
 * @returns undefined for what runs nothing: it is being deleted, or names no image
 */
export const coverageOf = ({ images, verdict, workload }: Plan, stateOf: StateOf): PodCoverage | undefined => {
  const { namespace } = workload
  if (images.length === 0) {
    return verdict._tag === "Skipped"
      ? { namespace, state: "left", reason: verdict.reason, running: nothing }
      : undefined
  }
  const states = images.map((it) => imageState(it, stateOf))
  const worst = Math.max(...states.map((it) => coverageStates.indexOf(it)))
  const running = images.flatMap((it) => it.skip === "already-backup" ? it.wants : [])
  return {
    namespace,
    state: coverageStates[worst] ?? "at-risk",
    reason: coverageStates[worst] === "left" ? images.find((_, index) => states[index] === "left")?.skip : undefined,
    running: running.length === 0 ? nothing : running
  }
}
