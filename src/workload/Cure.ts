// Cure: pods that cannot pull their source although its copy is there: what the backup is for. Such a workload may be
// rewritten while it is short of pods, and before anybody has shown that the copies can be pulled. Pure.
// Edge: whether the backup answers is seen by how fresh its copies are (`curable`).
import { isSame } from "../image/ImageReference.ts"
import type { Facts } from "./Facts.ts"
import type { PlannedImage } from "./PlanImages.ts"
import type { PullFailure } from "./OurRollout.ts"
import { cannotPull, failsLastingly, livePods } from "./Rollout.ts"

/**
 * The pod that lastingly cannot pull an image of the template that would be rewritten. A node that has pulled nothing since it
 * came up does not count: there it may be the node that cannot reach anything.
 */
export const cureOf = (images: ReadonlyArray<PlannedImage>, facts: Facts): PullFailure | undefined => {
  const sources = images.filter((it) => it.skip === undefined)
  for (const pod of livePods(facts.pods)) {
    const container = pod.containers.find((state) =>
      // since when it fails is found by a text, which is made for those alone that do
      cannotPull(state) && failsLastingly(state, facts.pullFailsSince(pod, state.container), facts.now) &&
      sources.some(({ slot }) => slot.container === state.container && isSame(slot.image, state.image))
    )
    if (container !== undefined && pod.node !== undefined && facts.nodeHasPulled(pod.node)) return { pod, container }
  }
  return undefined
}
