// ThreadUse: which share of the time the one thread of the program is at work. Edge: time that another process had meanwhile counts
// as work, and so it should: whoever waits for an answer waits for that, too.
import { Context } from "effect"
import { performance } from "node:perf_hooks"

/** The share of the time since the last call, from 0 to 1; at first, since it was made. */
export type ThreadUse = () => number

const make = (): ThreadUse => {
  let last = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    return utilization
  }
}

/** Begins to measure. Tests say what is measured. */
export const MeasureThreadUse = Context.Reference<() => ThreadUse>("image-cloner/telemetry/MeasureThreadUse", {
  defaultValue: () => make
})
