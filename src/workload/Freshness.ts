// Freshness: how long ago a copy may have been seen whole in the backup to be used now (invariant 1), by whoever would use it. Pure.
// In milliseconds. Edge: when it is looked at again is the image loop's and the heartbeat's.

/** By a workload that is patched: ten minutes. */
export const freshness = 10 * 60 * 1000

/** By a workload that it is to cure, which takes a backup that answers now: a minute. */
export const curable = 60 * 1000

/** By a pod as it is made, if the backup has answered within a minute: six hours. */
export const admissible = 6 * 60 * 60 * 1000
