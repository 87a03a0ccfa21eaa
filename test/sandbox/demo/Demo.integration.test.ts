// The demo as people run it: the story that README.md promises, in order, on a terminal of 80 columns.
// Edge: dist/ has to be there.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const fileOf = (name: string): string => fileURLToPath(new URL(`../../../${name}`, import.meta.url))

const headlines = (text: string): ReadonlyArray<string> => text.split("\n").filter((it) => it.startsWith("== "))

describe("the demo", () => {
  it.live("tells what README.md says, and fits 80 columns", () =>
    Effect.gen(function*() {
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      const text = yield* spawner.string(
        // nothing of the caller's environment: a control plane of theirs would be another demo
        ChildProcess.make(process.execPath, [fileOf("dist/demo/demo.mjs")], { env: {}, extendEnv: false }),
        { includeStderr: true }
      )
      const told = headlines(readFileSync(fileOf("README.md"), "utf8"))
      assert.isAbove(told.length, 6)
      assert.deepStrictEqual(headlines(text), told, text)
      assert.deepStrictEqual(text.split("\n").filter((it) => it.length > 80), [])
      assert.match(text, /as it was stored +BACKUP\/library\/web:1\.27/)
      assert.match(text, /DaemonSet\/infra\/agent +1\/1 +BACKUP\/acme\/agent:1\.0@/)
      assert.match(text, /Deployment\/kube-system\/dns +(ImagePullBackOff|ErrImagePull) +PUBLIC/)
      assert.include(text, "Deployment/infra/signed: held, contested")
      assert.include(text, "Deployment/shop/api has PUBLIC/acme/api:2.1")
      assert.match(text, /6 images backed up, 6 workloads rewritten, 1 untouched/)
    }).pipe(Effect.provide(NodeServices.layer)), 120_000)
})
