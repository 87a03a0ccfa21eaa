// Names the tests that failed, near the end of the run: who reads only the last lines of a log sees which and why.
// Edge: the first lines of each error only, the whole of it stands further up; hooks and files that failed are named likewise.
import { stripVTControlCharacters } from "node:util"
import type { Reporter, SerializedError, TestModule } from "vitest/node"

const mostLines = 4

/** What failed, and the first lines of its first error. */
const linesOf = (name: string, errors: ReadonlyArray<{ readonly message: string }>) => {
  const [first, ...rest] = stripVTControlCharacters(errors[0]?.message ?? "no error was given").split("\n")
  return [`  ${name}`, `    ${first}`, ...rest.slice(0, mostLines - 1).map((it) => `    ${it}`)]
}

export default class FailedTests implements Reporter {
  readonly #most: number

  /** Names at most so many. */
  constructor(most: number) {
    this.#most = most
  }

  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<SerializedError>) {
    const failed: Array<ReadonlyArray<string>> = []
    for (const module of modules) {
      const file = module.relativeModuleId
      if (module.errors().length > 0) failed.push(linesOf(file, module.errors()))
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length > 0) failed.push(linesOf(`${file} > ${suite.fullName}`, suite.errors()))
      }
      for (const test of module.children.allTests("failed")) {
        failed.push(linesOf(`${file} > ${test.fullName}`, test.result().errors ?? []))
      }
    }
    for (const error of unhandled) failed.push(linesOf("outside of every test", [error]))
    if (failed.length === 0) return
    const more = failed.length > this.#most ? [`  and ${failed.length - this.#most} more`] : []
    const lines = ["What failed:", ...failed.slice(0, this.#most).flat(), ...more]
    process.stdout.write(`${lines.map((it) => it.trimEnd()).join("\n")}\n\n`)
  }
}
