// What the process itself costs: memory, processor, event loop, files. Read when somebody asks for the metrics, not before.
// The process comes in from main.ts, which alone may touch it.
import { Effect, Layer, Metric } from "effect"
import { readdirSync } from "node:fs"
import { monitorEventLoopDelay, performance } from "node:perf_hooks"
import { buildInfo, processFigures } from "./Metrics.ts"
import { readGauge, readMetric } from "./ReadMetric.ts"
import { version } from "./Version.ts"

/** The part of Node's `process` that is measured. */
export interface Figures {
  readonly version: string
  readonly memoryUsage: () => { readonly rss: number; readonly heapUsed: number; readonly external: number }
  /** Microseconds. */
  readonly cpuUsage: () => { readonly user: number; readonly system: number }
}

const lookInterval = 20 // ms between two looks at the event loop; the delay is what comes on top
const sharedWindow = 15_000 // ms; whoever asks twice within it sees the same window

const openFiles = (): number | undefined => {
  try {
    return readdirSync("/proc/self/fd").length
  } catch {
    return undefined // not Linux: there is no such series
  }
}

export const processMetrics = (figures: Figures): Layer.Layer<never> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const loop = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const monitor = monitorEventLoopDelay({ resolution: lookInterval })
        monitor.enable()
        return monitor
      }),
      (monitor) => Effect.sync(() => monitor.disable())
    )
    let since = performance.now()
    const delay = (): number => {
      const seconds = Math.max(0, loop.percentile(99) / 1e9 - lookInterval / 1000)
      if (performance.now() - since > sharedWindow) {
        since = performance.now()
        loop.reset()
      }
      return seconds
    }
    yield* readGauge(processFigures.residentBytes, () => figures.memoryUsage().rss)
    yield* readGauge(processFigures.heapBytes, () => figures.memoryUsage().heapUsed)
    yield* readGauge(processFigures.externalBytes, () => figures.memoryUsage().external)
    yield* readGauge(processFigures.eventLoopDelay, delay)
    yield* readGauge(processFigures.startTime, () => performance.timeOrigin / 1000)
    if (openFiles() !== undefined) yield* readGauge(processFigures.openFiles, () => openFiles() ?? 0)
    yield* readMetric(processFigures.cpuSeconds, () => {
      const { system, user } = figures.cpuUsage()
      return { count: (user + system) / 1e6, incremental: true }
    })
    yield* Metric.update(buildInfo({ version, node: figures.version }), 1)
  }))
