// Deadlines: when the pods of a workload that was changed count as late: without progress for too long, or however it gets on for
// longer than so many pods can need. Pure. Edge: what follows from that is PutBack's and PacingRules'.
import type { Workload } from "./Workload.ts"

/** Kubernetes' own default of progressDeadlineSeconds. */
const defaultDeadlineSeconds = 600
/** Whoever writes a workload writes its deadline too, and must not hold a place for ever. */
const longestDeadlineSeconds = 3600
/** None takes longer, however many pods it has: six hours, in milliseconds. */
export const longestRollout = 6 * 3600 * 1000

/** The longest that a rollout may take: an hour for each 50 pods, six at most. Milliseconds. */
const longestOf = ({ rollout }: Workload): number =>
  Math.min(longestRollout, Math.max(1, Math.ceil((rollout?.desired ?? 0) / 50)) * 3600 * 1000)

/** How long a rollout may get no further: milliseconds. */
export const patienceOf = ({ deadlineSeconds }: Workload): number =>
  Math.min(deadlineSeconds ?? defaultDeadlineSeconds, longestDeadlineSeconds) * 1000

/**
 * When a rollout is late, by the clock alone, in milliseconds since the epoch. Deadlines are of progress; a Deployment's is judged
 * by its own controller, and whatever the progress, none may take longer than so many pods can need.
 * @param began when it began
 * @param progressAt when it last got further
 */
export const deadlineOf = (workload: Workload, began: number, progressAt: number): number => {
  const judged = workload.kind === "Deployment" && workload.rollout?.progress !== undefined
  const longest = began + longestOf(workload)
  return judged ? longest : Math.min(longest, progressAt + patienceOf(workload))
}
