// Budget: which PodDisruptionBudgets speak of a workload's pods, and whether one allows no disruption now. Pure.
// A rollout is no eviction, so nobody else asks them; only what takes pods away before new ones are ready is held by them.
import { resolvedMaxUnavailable } from "./Rollout.ts"
import type { Budget, LabelSelector, Workload } from "./Workload.ts"

type Labels = Readonly<Record<string, string>>

/** Whether a selector takes pods with these labels (metav1.LabelSelector): none takes nothing, an empty one everything. */
export const selects = (selector: LabelSelector | undefined, labels: Labels): boolean => {
  if (selector === undefined) return false
  return Object.entries(selector.labels).every(([key, value]) => labels[key] === value) &&
    selector.expressions.every(({ key, operator, values }) => {
      const value = labels[key]
      switch (operator) {
        case "In":
          return value !== undefined && values.includes(value)
        case "NotIn":
          return value === undefined || !values.includes(value)
        case "Exists":
          return value !== undefined
        case "DoesNotExist":
          return value === undefined
        default:
          // the API server takes no other; what is not understood is taken to mean these pods
          return true
      }
    })
}

/** The budget that keeps a workload from being rolled now; undefined where none does, and where no pod is missed by it. */
export const budgetAgainst = (workload: Workload, budgets: ReadonlyArray<Budget>): Budget | undefined =>
  resolvedMaxUnavailable(workload) <= 0
    ? undefined
    : budgets.find((it) =>
      it.exhausted && it.namespace === workload.namespace && selects(it.selector, workload.podLabels)
    )
