#!/usr/bin/env node
// The command: refuses a Node that is too old in one sentence, before anything that would die on it is loaded.
const [major, minor] = process.versions.node.split(".").map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  console.error(`image-cloner needs Node.js 22.19 or newer; ${process.execPath} is ${process.version}.`)
  process.exit(1)
}
await import("../dist/main.mjs")
