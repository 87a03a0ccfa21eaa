// The floors of src/, as the linter holds them: a file in every folder that imports from all the others, in a folder of its own
// under the real rules. A pattern that the linter does not understand refuses nothing and says nothing.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Path, Schema } from "effect"
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { run } from "../support/Command.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** What a folder imports, where that is a short list; its own sub-folders are held to the same. */
const floors: Readonly<Record<string, ReadonlyArray<string>>> = {
  image: ["collections"],
  collections: [],
  files: [],
  protobuf: [],
  http: ["image"],
  workload: ["collections", "image", "protobuf", "settings"],
  access: [
    "collections",
    "files",
    "http",
    "image",
    "kube",
    "protobuf",
    "queue",
    "registry",
    "settings",
    "store",
    "telemetry",
    "workload"
  ],
  store: ["image", "workload"],
  settings: ["image", "telemetry"],
  kube: ["http", "protobuf", "telemetry"],
  registry: ["collections", "files", "http", "image", "settings", "telemetry"]
}

const foldersIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(`${root}/${folder}`, { withFileTypes: true }).filter((it) => it.isDirectory()).map((it) => it.name)

const Report = Schema.fromJsonString(Schema.Struct({
  diagnostics: Schema.Array(Schema.Struct({ filename: Schema.String, message: Schema.String }))
}))

/** What the linter refuses a file of each folder of the table, sub-folders included, as `folder: what, what`. */
const refusals = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const place = yield* fs.makeTempDirectoryScoped()
  const others = foldersIn("src")
  const folders = Object.keys(floors).flatMap((it) => [it, ...foldersIn(`src/${it}`).map((part) => `${it}/${part}`)])
  yield* fs.copyFile(path.join(root, ".oxlintrc.json"), path.join(place, ".oxlintrc.json"))
  for (const folder of folders) {
    const up = folder.replaceAll(/[^/]+/g, "..")
    const imports = others.map((it) => `import { ${it} } from "${up}/${it}/Something.ts"\n`)
    const within = folder.includes("/") ? ["../Something.ts", "../neighbour/Something.ts"] : []
    const lines = [...imports, ...within.map((it, index) => `import { own${index} } from "${it}"\n`)]
    yield* fs.makeDirectory(path.join(place, "src", folder), { recursive: true })
    yield* fs.writeFileString(path.join(place, "src", folder, "Probe.ts"), lines.join(""))
  }
  const linter = path.join(root, "node_modules/oxlint/bin/oxlint")
  const { stdout } = yield* run(process.execPath, [linter, "--format", "json", "src"], { env: {}, cwd: place })
  const { diagnostics } = yield* Schema.decodeEffect(Report)(stdout)
  return folders.map((folder) => {
    const refused = diagnostics.filter((it) => it.filename === `src/${folder}/Probe.ts`).flatMap((it) =>
      /^'([^']+)' import is restricted/.exec(it.message)?.[1] ?? []
    )
    const names = refused.map((it) => it.replace(/^[./]+/, "").split("/")[0] ?? it).filter((it) =>
      it !== folder.split("/")[0]
    )
    return `${folder}: ${[...new Set(names)].toSorted().join(", ")}`
  })
})

describe("the linter", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect("refuses a folder what is not below it, from its sub-folders too", () =>
      Effect.gen(function*() {
        const all = foldersIn("src")
        const expected = Object.entries(floors).flatMap(([floor, below]) => {
          const refused = all.filter((it) => it !== floor && !below.includes(it)).toSorted().join(", ")
          // what workload/ may read of settings/ is one file, and this is another
          const named = floor === "workload" ? refused.replace("rewrite", "rewrite, settings") : refused
          return [floor, ...foldersIn(`src/${floor}`).map((part) => `${floor}/${part}`)].map((it) => `${it}: ${named}`)
        })
        assert.deepStrictEqual(yield* refusals, expected)
      }))
  })
})
