// Names the slowest files of a test run with their seconds, the slowest first: where the time of the next run can be saved.
// Edge: a run of no more files than would be named says nothing, its own list has their times.
import type { Reporter, TestModule } from "vitest/node"

/** What a file took of its worker, in milliseconds: its imports, its hooks and its tests. */
const millisecondsOf = (module: TestModule): number => {
  const { collectDuration, duration, setupDuration } = module.diagnostic()
  return setupDuration + collectDuration + duration
}

export default class SlowestFiles implements Reporter {
  readonly #most: number

  /** Names at most so many. */
  constructor(most: number) {
    this.#most = most
  }

  onTestRunEnd(modules: ReadonlyArray<TestModule>) {
    if (modules.length <= this.#most) return
    const slowest = modules.map((it) => ({ file: it.relativeModuleId, milliseconds: millisecondsOf(it) }))
      .toSorted((a, b) => b.milliseconds - a.milliseconds)
      .slice(0, this.#most)
    const lines = slowest.map((it) => `${(it.milliseconds / 1000).toFixed(1).padStart(7)} s  ${it.file}\n`)
    process.stdout.write(`The slowest ${this.#most} of ${modules.length} test files:\n${lines.join("")}\n`)
  }
}
