// Fails loudly when a script would run on another Node than the pinned one, instead of failing later in a library.
import { readFileSync } from "node:fs"
const pinned = JSON.parse(readFileSync(new URL("node/package.json", import.meta.url), "utf8")).version
if (process.versions.node !== pinned) {
  console.error(
    `This project runs its scripts on Node.js ${pinned} from node_modules/.bin/node, but ${process.execPath} is ${process.version}. `
      + "Run 'make install', which installs it."
  )
  process.exit(1)
}
