// What a test run says at its end, of runs of its own: some files in a folder, under the reporters that npm test has.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import { fileURLToPath } from "node:url"
import { run } from "../support/Command.ts"

const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url))
const reporter = (name: string) => JSON.stringify(new URL(`${name}.ts`, import.meta.url).href)

const config = `
import ClosingLine from ${reporter("ClosingLine")}
import FailedTests from ${reporter("FailedTests")}
import SlowestFiles from ${reporter("SlowestFiles")}
export default { test: { globals: true, reporters: [new SlowestFiles(2), new FailedTests(2), new ClosingLine()] } }
`
const takes = (milliseconds: number) =>
  `test("takes its time", () => new Promise((done) => setTimeout(done, ${milliseconds})))`

/** The lines that a run of these files writes. */
const linesOf = Effect.fnUntraced(function*(files: Readonly<Record<string, string>>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped()
  for (const [name, text] of Object.entries({ ...files, "vitest.config.mjs": config })) {
    yield* fs.writeFileString(path.join(folder, name), text)
  }
  const { stdout } = yield* run(process.execPath, [vitest, "run"], { env: {}, cwd: folder })
  return stdout.trimEnd().split("\n")
})

describe("the end of a test run", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect("names the slowest files, and its last line counts the tests", () =>
      Effect.gen(function*() {
        const lines = yield* linesOf({
          "quick.test.js": takes(0),
          "slow.test.js": takes(600),
          "slower.test.js": `${takes(1200)}; test("is wrong", () => expect(1).toBe(2)); test.skip("is left", () => {})`
        })
        assert.strictEqual(lines[0], "The slowest 2 of 3 test files:")
        assert.match(lines[1] ?? "", /^ +\d+\.\d s {2}slower\.test\.js$/)
        assert.match(lines[2] ?? "", /^ +\d+\.\d s {2}slow\.test\.js$/)
        assert.strictEqual(lines.at(-1), "3 passed, 1 failed, 1 skipped")
      }))

    it.effect("says what failed and why just before the last line, so many and no more", () =>
      Effect.gen(function*() {
        const lines = yield* linesOf({
          "wrong.test.js": `
            describe("sums", () => { test("are right", () => { throw new Error("first\\nsecond\\n3\\n4\\n5") }) })
            describe("a hook", () => { beforeAll(() => { throw new Error("no disk") }); test("runs", () => {}) })
            test("is the third", () => { throw new Error("never named") })`
        })
        assert.deepStrictEqual(lines, [
          "What failed:",
          "  wrong.test.js > a hook",
          "    no disk",
          "  wrong.test.js > sums > are right",
          "    first",
          "    second",
          "    3",
          "    4",
          "  and 1 more",
          "",
          "0 passed, 3 failed, 1 skipped"
        ])
      }))

    it.effect("shows the last that a failed test printed, and nothing of others", () =>
      Effect.gen(function*() {
        const lines = yield* linesOf({
          "wrong.test.js": `
            test("is right", () => { console.log("not shown") })
            test("is wrong", () => { for (let at = 0; at < 28; at++) console.log("line " + at); throw new Error("why") })`
        })
        assert.deepStrictEqual(lines.slice(0, -2), [
          "What failed:",
          "  wrong.test.js > is wrong",
          "    why",
          ...Array.from({ length: 20 }, (_, at) => `    | line ${at + 8}`)
        ])
      }))

    it.effect("names none where all of them would be named", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* linesOf({ "one.test.js": takes(0) }), ["1 passed, 0 failed, 0 skipped"])
      }))
  })
})
