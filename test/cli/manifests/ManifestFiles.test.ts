import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import { manifestFiles } from "../../../src/cli/manifests/ManifestFiles.ts"

const tree = [
  "b.yaml",
  "a.yml",
  "c.json",
  "notes.txt",
  "x,y.yaml",
  ".hidden.yaml",
  "sub/d.yaml",
  "sub/deep/e.yaml",
  "bare"
]

const place = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const root = yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-files-" })
  for (const name of tree) {
    yield* fs.makeDirectory(path.dirname(path.join(root, name)), { recursive: true })
    yield* fs.writeFileString(path.join(root, name), "a: 1")
  }
  yield* fs.makeDirectory(path.join(root, "empty"))
  yield* fs.symlink(path.join(root, "b.yaml"), path.join(root, "sub/linked.yaml"))
  yield* fs.symlink(root, path.join(root, "sub/circle.yaml"))
  yield* fs.symlink(path.join(root, "nowhere"), path.join(root, "sub/dangling.yaml"))
  return root
})

/** What `names` leads to, `%` standing for the folder. */
const found = Effect.fnUntraced(function*(names: ReadonlyArray<string>, recursive = false) {
  const root = yield* place
  const { files, problems } = yield* manifestFiles(names.map((it) => it.replaceAll("%", root)), recursive)
  const short = (text: string) => text.replaceAll(`${root}/`, "").replaceAll(root, "%")
  return { files: files.map(short), problems: problems.map((it) => short(it.message)) }
})

describe("the files of -f", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect.each([
      { names: ["%/b.yaml", "%/a.yml"], files: ["b.yaml", "a.yml"] },
      { names: ["%/bare"], files: ["bare"] },
      { names: ["-", "%/b.yaml,%/c.json", "-", "%/b.yaml"], files: ["-", "b.yaml", "c.json"] },
      { names: ["%/x,y.yaml"], files: ["x,y.yaml"] },
      { names: ["%"], files: [".hidden.yaml", "a.yml", "b.yaml", "c.json", "x,y.yaml"] },
      { names: ["%/sub"], files: ["sub/d.yaml", "sub/linked.yaml"] },
      { names: ["%/sub"], recursive: true, files: ["sub/d.yaml", "sub/deep/e.yaml", "sub/linked.yaml"] },
      { names: ["%/[ab].y*"], files: ["a.yml", "b.yaml"] },
      { names: ["%/*/d.yaml"], files: ["sub/d.yaml"] },
      { names: ["%/su?"], files: ["sub/d.yaml", "sub/linked.yaml"] }
    ])("are found as kubectl does: $names", ({ files, names, recursive }) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* found(names, recursive), { files, problems: [] })
      }))

    it.effect.each([
      { name: "%/no.yaml", said: "no.yaml cannot be read: there is no such file" },
      { name: "%/no*.yaml", said: "no file is called like that" },
      {
        name: "%/empty",
        said: "empty cannot be read: there is no file .json, .yaml, .yml in it; -R looks below it, too"
      },
      {
        name: "https://example.com/a.yaml",
        said: "https://example.com/a.yaml cannot be read: manifests are read from files"
      },
      { name: "", said: "it names no file" }
    ])("that lead nowhere are told, and the others are read: $name", ({ name, said }) =>
      Effect.gen(function*() {
        const { files, problems } = yield* found([name, "%/b.yaml"])
        assert.deepStrictEqual(files, ["b.yaml"])
        assert.strictEqual(problems.length, 1)
        assert.include(problems[0], said)
      }))
  })
})
