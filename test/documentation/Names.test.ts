// Rules have to be found by their names: no two files are called the same, and no folder is too long to be read at a glance.
import { assert, describe, it } from "@effect/vitest"
import { globSync } from "node:fs"
import { basename, dirname } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
const files = globSync("src/**/*.ts", { cwd: root })

describe("the files of src/", () => {
  it("have names of their own", () => {
    const byName = Map.groupBy(files, (it) => basename(it))
    assert.deepStrictEqual([...byName.values()].filter((it) => it.length > 1), [])
    assert.isAbove(byName.size, 200)
  })

  it("are fourteen a folder at most where there are many", () => {
    const watched = ["clone", "controller", "kube", "registry"]
    const byFolder = Map.groupBy(
      files.filter((it) => watched.some((folder) => it.startsWith(`src/${folder}/`))),
      (it) => dirname(it)
    )
    assert.deepStrictEqual([...byFolder].filter(([, { length }]) => length > 14).map(([folder]) => folder), [])
  })
})
