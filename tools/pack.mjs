// Makes what only the package has, completions for shells, and keeps it small. Everything is bundled, so what `npm pack` and `npm publish` make needs no dependencies, while
// the repository's package.json names them all, for audits and SBOMs. npm calls this before (begin) and after (end);
// `node tools/pack.mjs end` puts the repository's file back after a pack that was interrupted.
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const own = new URL("../package.json", import.meta.url)
const folder = new URL("../.cache/", import.meta.url)
const kept = new URL("package.json", folder)

const end = () => {
  if (existsSync(kept)) renameSync(kept, own)
}

/** Files as shells look for them: the program itself writes what they say. */
const completions = { bash: "image-cloner.bash", zsh: "_image-cloner", fish: "image-cloner.fish" }

const complete = () => {
  const dist = new URL("../dist/", import.meta.url)
  mkdirSync(new URL("completions/", dist), { recursive: true })
  for (const [shell, name] of Object.entries(completions)) {
    const made = spawnSync(process.execPath, [fileURLToPath(new URL("main.mjs", dist)), "--completions", shell], {
      encoding: "utf8"
    })
    if (made.status !== 0 || made.stdout === "") {
      console.error(`pack: no completions for ${shell}: ${made.error ?? made.stderr}`)
      process.exit(1)
    }
    writeFileSync(new URL(`completions/${name}`, dist), made.stdout)
  }
}

const begin = () => {
  end()
  complete()
  const text = readFileSync(own, "utf8")
  const { allowScripts: _, dependencies: __, devDependencies: ___, scripts, ...rest } = JSON.parse(text)
  mkdirSync(folder, { recursive: true })
  writeFileSync(kept, text)
  // npm looks postpack up in the file as it is by then
  writeFileSync(own, JSON.stringify({ ...rest, scripts: { postpack: scripts.postpack } }, null, 2) + "\n")
}

const steps = { begin, end }
const step = steps[process.argv[2]]
if (step === undefined) {
  console.error("usage: node tools/pack.mjs begin|end")
  process.exit(2)
}
step()
