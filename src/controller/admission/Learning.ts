// Learning: whether every image of the cluster has been looked at once since the start: before, nothing can be said of what is backed
// up. It has an end: images that take long to copy, and dead registries, must not keep a replica from its work. A plain data structure;
// times are uptime in milliseconds.
import type { InventoryEntry } from "../../store/Inventory.ts"

/** It ends at the latest so long after the cluster was seen whole. */
const longest = 5 * 60 * 1000

export class Learning {
  #since: number | undefined
  #over = false

  /** To be told every few seconds. */
  look(images: ReadonlyArray<InventoryEntry>, isClusterKnown: boolean, now: number): void {
    if (this.#over || !isClusterKnown) return
    this.#since ??= now
    // images come into the inventory as workloads are planned, a moment after they were seen
    const settled = now > this.#since && images.every((it) => it.state._tag !== "Pending")
    this.#over = settled || now - this.#since >= longest
  }

  /** Why nothing can be said yet; undefined: it can. */
  get problem(): string | undefined {
    return this.#over ? undefined : "what is backed up is still being looked at after the start"
  }
}
