// CoverageCourse: how coverage went over the last day: a sample every five minutes, in memory only, the oldest forgotten. A sample reads
// counts that are kept anyway. Edge: before the whole cluster was seen there is none; what is older is Prometheus's.
import { Clock, Context, Effect, Layer, Schedule } from "effect"
import { Coverage, type CoverageTally, ratioOf } from "../../upkeep/Coverage.ts"

export interface CoverageSample {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** 0 to 1. */
  readonly ratio: number
  /** Pods without a copy. */
  readonly atRisk: number
}

/** A day of them. */
export const mostSamples = 288

class Samples {
  readonly #kept: Array<CoverageSample> = []

  get all(): ReadonlyArray<CoverageSample> {
    return [...this.#kept]
  }

  add({ isComplete, pods }: CoverageTally, at: number): void {
    if (!isComplete) return
    this.#kept.push({ at, ratio: ratioOf(pods), atRisk: pods["at-risk"] })
    if (this.#kept.length > mostSamples) this.#kept.shift()
  }
}

export class CoverageCourse extends Context.Service<CoverageCourse, Samples>()("image-cloner/web/CoverageCourse") {
  static readonly layer = Layer.sync(CoverageCourse, () => new Samples())
}

/** Samples for ever. */
export const sampleCoverage: Effect.Effect<never, never, Coverage | CoverageCourse> = Effect.gen(function*() {
  const coverage = yield* Coverage
  const course = yield* CoverageCourse
  return yield* Clock.currentTimeMillis.pipe(
    Effect.map((at) => course.add(coverage, at)),
    Effect.repeat(Schedule.spaced("5 minutes")),
    Effect.andThen(Effect.never)
  )
})
