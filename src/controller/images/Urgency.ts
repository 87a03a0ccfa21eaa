// Urgency: which image is copied next. What would be lost first goes first: a pod waits for it in vain, nothing runs from a
// copy yet, many use it. One whose last copy failed comes behind its like that have not failed. Edge: turns over registries
// and namespaces are FairTurns'.
import type { Claim } from "../../queue/FairTurns.ts"
import { format, parse } from "../../image/ImageReference.ts"
import type { InventoryEntry } from "../../store/Inventory.ts"
import type { Workloads } from "../../store/WorkloadStore.ts"
import { cannotPull } from "../../workload/Rollout.ts"
import { Result } from "effect"

/** With so many users an image is half as urgent by its users as it can be. */
const manyUsers = 10

const names = (image: string, source: string): boolean => {
  const reference = parse(image)
  return Result.isSuccess(reference) && format(reference.success) === source
}

/** What is said for an image of the inventory when it waits for a permit; `failed`: its last copy failed. */
export const claimOf = (
  { source, users }: InventoryEntry,
  workloads: Pick<Workloads, "get" | "pod">,
  failed: boolean
): Omit<Claim, "lane"> => {
  const namespaces = new Set<string>()
  let uncovered = false
  let missed = false
  for (const user of users) {
    const workload = workloads.get(user)
    if (workload === undefined) continue
    namespaces.add(workload.namespace)
    // whoever still names the source runs from it; who was rewritten names the copy
    uncovered ||= workload.images.some((it) => names(it.image, source))
    missed ||= workloads.pod(user)?.containers.some((it) => cannotPull(it) && names(it.image, source)) ?? false
  }
  // a class each, and below them the users
  const urgency = (missed ? 4 : 0) + (uncovered ? 2 : 0) + (failed ? 0 : 1) + users.size / (users.size + manyUsers)
  return { namespaces, urgency }
}
