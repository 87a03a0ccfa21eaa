// plan --check of the bundled program: what it asks the registries, and what it tells of a budget that one announces.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startFakeRegistry } from "../support/FakeRegistry.ts"
import { imageOf, indexOf, layerOf } from "../support/TestImages.ts"
import { cli } from "./Cli.ts"

const index = indexOf([imageOf([layerOf("a")]), imageOf([layerOf("b")], { architecture: "arm64" })])

describe("plan --check", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect("counts the pulls to come against what the registry has announced, the look itself included", () =>
      Effect.gen(function*() {
        const source = yield* startFakeRegistry()
        source.add("team/app", index, "1")
        let left = 60
        source.on(/GET .*manifests/, (_, response, next) => {
          response.setHeader("ratelimit-limit", "100;w=21600")
          response.setHeader("ratelimit-remaining", `${--left};w=21600`)
          next()
        })
        const job = JSON.stringify({
          apiVersion: "batch/v1",
          kind: "CronJob",
          metadata: { name: "job", namespace: "shop" },
          spec: {
            jobTemplate: {
              spec: { template: { spec: { containers: [{ name: "a", image: `${source.host}/team/app:1` }] } } }
            }
          }
        })
        const env = { BACKUP_REGISTRY: "backup.example/copies", PLAIN_HTTP_REGISTRIES: source.host }
        const told = yield* cli(["plan", "--check", "-f", "-"], { env, stdin: job })
        assert.strictEqual(told.code, 0, told.stderr)
        assert.include(told.stdout, "in 3 manifests")
        assert.include(
          told.stdout,
          `${source.host}: 3 pulls to come (one a manifest); of 100 in 6h 57 are left, `
            + "20 of them for the cluster (RATE_LIMIT_RESERVE): enough for all"
        )
        assert.strictEqual(source.count(/blobs/), 0)
      }))

    it.effect("leaves an image at a private address alone, says how it is copied all the same, and plans its sidecar", () =>
      Effect.gen(function*() {
        const source = yield* startFakeRegistry()
        source.add("team/side", index, "1")
        const deployment = JSON.stringify({
          apiVersion: "apps/v1",
          kind: "Deployment",
          metadata: { name: "web", namespace: "shop" },
          spec: {
            selector: { matchLabels: { app: "web" } },
            template: {
              metadata: { labels: { app: "web" } },
              spec: {
                containers: [{ name: "own", image: "10.9.8.7:5000/team/app:1" }, {
                  name: "side",
                  image: `${source.host}/team/side:1`
                }]
              }
            }
          }
        })
        const env = { BACKUP_REGISTRY: "backup.example/copies", PLAIN_HTTP_REGISTRIES: source.host }
        const told = yield* cli(["plan", "--check", "-o", "json", "-f", "-"], { env, stdin: deployment })
        assert.strictEqual(told.code, 0, told.stderr)
        const rows = JSON.parse(told.stdout).rows as ReadonlyArray<Record<string, string>> // as plan prints them
        assert.deepStrictEqual(rows.map((it) => [it["container"], it["reason"] === "internal"]), [
          ["own", true],
          ["side", false]
        ])
        assert.include(rows[0]?.["detail"], "PRIVATE_REGISTRIES")
        assert.notStrictEqual(rows[1]?.["action"], "leave")
      }))
  })
})
