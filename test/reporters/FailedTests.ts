// Names the tests that failed, near the end of the run, with what they printed last: who reads only the last lines of a log sees which and
// why, even of one that fails once in a hundred runs.
// Edge: the first lines of each error and the last that was printed only, the whole of it stands further up; hooks and files that failed
// are named likewise.
import { stripVTControlCharacters } from "node:util"
import type { UserConsoleLog } from "vitest"
import type { Reporter, SerializedError, TestModule } from "vitest/node"

const mostLines = 4
const mostPrinted = 20
const longest = 240

const flat = (text: string) => stripVTControlCharacters(text).split("\n")

/** What failed, and the first lines of its first error. */
const linesOf = (name: string, errors: ReadonlyArray<{ readonly message: string }>): ReadonlyArray<string> => [
  `  ${name}`,
  ...flat(errors[0]?.message ?? "no error was given").slice(0, mostLines).map((it) => `    ${it}`)
]

export default class FailedTests implements Reporter {
  readonly #most: number
  /** By task, the last lines that it printed. */
  readonly #printed = new Map<string, ReadonlyArray<string>>()

  /** Names at most so many. */
  constructor(most: number) {
    this.#most = most
  }

  onUserConsoleLog({ content, taskId }: UserConsoleLog) {
    if (taskId === undefined) return
    const lines = flat(content).filter((it) => it.trim() !== "").map((it) => it.slice(0, longest))
    this.#printed.set(taskId, [...this.#printed.get(taskId) ?? [], ...lines].slice(-mostPrinted))
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
        const printed = this.#printed.get(test.id) ?? []
        failed.push([
          ...linesOf(`${file} > ${test.fullName}`, test.result().errors ?? []),
          ...printed.map((it) => `    | ${it}`)
        ])
      }
    }
    for (const error of unhandled) failed.push(linesOf("outside of every test", [error]))
    if (failed.length === 0) return
    const more = failed.length > this.#most ? [`  and ${failed.length - this.#most} more`] : []
    const lines = ["What failed:", ...failed.slice(0, this.#most).flat(), ...more]
    process.stdout.write(`${lines.map((it) => it.trimEnd()).join("\n")}\n\n`)
  }
}
