// Urgency: which image is copied next. What would be lost first goes first: nothing runs from a copy yet, its source fails
// already, many use it. Edge: turns over registries and namespaces are FairPermits'.
import type { Claim } from "../queue/FairPermits.ts"
import { format, parse } from "../image/ImageReference.ts"
import type { InventoryEntry } from "../store/Inventory.ts"
import type { Workloads } from "../store/WorkloadStore.ts"
import { cannotPull } from "../workload/Rollout.ts"
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
  let refused = failed
  for (const user of users) {
    const workload = workloads.get(user)
    if (workload === undefined) continue
    namespaces.add(workload.namespace)
    // whoever still names the source runs from it; who was rewritten names the copy
    uncovered ||= workload.images.some((it) => names(it.image, source))
    refused ||= workloads.pod(user)?.containers.some((it) => cannotPull(it) && names(it.image, source)) ?? false
  }
  // a class each, and below them the users
  return { namespaces, urgency: (uncovered ? 4 : 0) + (refused ? 2 : 0) + users.size / (users.size + manyUsers) }
}
