// Keeps the package small. Everything is bundled, so what `npm pack` and `npm publish` make needs no dependencies, while
// the repository's package.json names them all, for audits and SBOMs. npm calls this before (begin) and after (end);
// `node tools/pack.mjs end` puts the repository's file back after a pack that was interrupted.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"

const own = new URL("../package.json", import.meta.url)
const folder = new URL("../.cache/", import.meta.url)
const kept = new URL("package.json", folder)

const end = () => {
  if (existsSync(kept)) renameSync(kept, own)
}

const begin = () => {
  end()
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
