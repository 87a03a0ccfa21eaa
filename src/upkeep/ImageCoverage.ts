// ImageCoverage: whether each image in use is in the backup, by the inventory. Images are few, so that they are counted when somebody
// looks. Pure. Edge: an image that is left alone by a setting is in no inventory; pods are told for it.
import type { ImageState } from "../image/ImageState.ts"
import type { Images, InventoryEntry } from "../store/Inventory.ts"
import { countAll, type CoverageCounts, type CoverageTally } from "./Coverage.ts"
import type { CoverageState } from "./PodCoverage.ts"

/** Why a failed image cannot be copied at all, and is no fault of anybody's; others are tried again. */
const isLeft = (state: Extract<ImageState, { _tag: "Failed" }>): boolean =>
  state.reason !== "failed" && state.reason !== "not-found"

/** How an image in use is covered. */
export const imageCoverage = (
  { source, state }: Pick<InventoryEntry, "source" | "state">,
  coverage: Pick<CoverageTally, "runs">
): CoverageState => {
  if (state._tag === "Failed") return isLeft(state) ? "left" : "at-risk"
  if (state._tag === "Pending") return "at-risk"
  return coverage.runs(source) ? "running" : "whole"
}

export const imageCounts = (inventory: Images, coverage: Pick<CoverageTally, "runs">): CoverageCounts =>
  countAll(inventory.all.map((it) => imageCoverage(it, coverage)))
