// Unit tests stand where their subjects stand: test/queue/Keys.test.ts tests src/queue/Keys.ts, and a word before `test` tells
// one of several files about a subject from the others. Edge: what integration tests are about is several parts at once.
import { assert, describe, it } from "@effect/vitest"
import { existsSync, globSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Folders of tests that are not about one file: of the repository's texts, of the whole program, and of tests themselves. */
const others = ["charts/", "documentation/", "model/", "reporters/", "support/"]

/** `queue/Keys` of `queue/Keys.more.test.ts`. */
const subjectOf = (test: string): string => test.replace(/(\.[^./]+)*\.test\.ts$/, "")

describe("a unit test", () => {
  it("stands where its subject stands", () => {
    const tests = globSync("**/*.test.ts", { cwd: join(root, "test") }).filter((it) =>
      !it.endsWith(".integration.test.ts") && !others.some((folder) => it.startsWith(folder))
    )
    assert.isAbove(tests.length, 100)
    const lost = tests.filter((it) => {
      const subject = `${subjectOf(it)}.ts`
      return !existsSync(join(root, subject.startsWith("sandbox/") ? subject : `src/${subject}`))
    })
    assert.deepStrictEqual(lost, [])
  })
})
