// The rules for Prometheus, judged by promtool where it is.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"
import { run } from "../support/Command.ts"

const promtool = (process.env["PATH"] ?? "").split(delimiter).map((it) => join(it, "promtool")).find((it) =>
  existsSync(it)
)

describe.skipIf(promtool === undefined)("the alerts", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect("are rules that Prometheus takes", () =>
      Effect.gen(function*() {
        const rules = fileURLToPath(new URL("../../docs/alerts.yaml", import.meta.url))
        const it = yield* run(promtool ?? "", ["check", "rules", rules], { env: {} })
        assert.strictEqual(it.code, 0, it.stderr + it.stdout)
        assert.include(it.stdout, "20 rules found")
      }))
  })
})
