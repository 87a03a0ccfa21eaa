// Verdict: what is done with a workload or a pod, or the one reason why not. Edge: which of them it is, is Plan's and PlanPod's.
import type { HoldReason, SkipReason } from "./Reason.ts"

/**
 * What a rewrite is to the pods of a workload. `rollout`: they are replaced, and it takes its turn. `harmless`: none that runs
 * is replaced. `cure`: some cannot pull their source, and the copy is what helps them.
 */
export type RewriteAs = "rollout" | "harmless" | "cure"

export type Held = { readonly _tag: "Held"; readonly reason: HoldReason; readonly detail: string }
export type Skipped = { readonly _tag: "Skipped"; readonly reason: SkipReason; readonly detail: string }

export type Verdict =
  | { readonly _tag: "Rewrite"; readonly as: RewriteAs }
  | Held
  | Skipped
  /** Nothing left to rewrite. */
  | { readonly _tag: "Done" }

export const skipped = (reason: SkipReason, detail: string): Skipped => ({ _tag: "Skipped", reason, detail })
export const held = (reason: HoldReason, detail: string): Held => ({ _tag: "Held", reason, detail })
