#!/usr/bin/env node
// The command. Loads nothing by itself, so that even a very old Node gets as far as the check at the top of main.mjs, which
// says in one sentence what is wrong.
await import("../dist/main.mjs")
