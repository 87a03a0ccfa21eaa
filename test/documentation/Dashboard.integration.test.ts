// The dashboard's queries, each asked of a Prometheus that has scraped the program.
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { dashboardQueries } from "../../tools/dashboard.ts"
import { run } from "../support/Command.ts"
import { eventually } from "../support/Eventually.ts"
import { startAtLoopback } from "../support/LoopbackService.ts"
import { daemon, namespace, Stage, stage } from "../support/Stage.ts"
import * as W from "../support/World.ts"

const found = (name: string) =>
  (process.env["PATH"] ?? "").split(delimiter).map((it) => join(it, name)).find((it) => existsSync(it))
const prometheus = found("prometheus")
const promtool = found("promtool")

/** Where a Prometheus is that scrapes a port of loopback every second. */
const scraping = Effect.fnUntraced(function*(port: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-test-" })
  const config = path.join(folder, "prometheus.yml")
  yield* fs.writeFileString(
    config,
    `scrape_configs: [{ job_name: image-cloner, scrape_interval: 1s, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }]`
  )
  return yield* startAtLoopback({
    program: prometheus ?? "",
    args: [
      `--config.file=${config}`,
      `--storage.tsdb.path=${path.join(folder, "data")}`,
      "--web.listen-address=127.0.0.1:0"
    ],
    env: {},
    says: /Listening on.*address=(127\.0\.0\.1:\d+)/
  })
})

describe.skipIf(prometheus === undefined || promtool === undefined)("the dashboard", () => {
  it.layer(stage(W.controlPlanes[0]?.start ?? W.nearest[0]!.start), {
    timeout: "60 seconds",
    excludeTestServices: true
  })((it) => {
    it.effect("asks nothing that a running program does not answer", () =>
      Effect.gen(function*() {
        const { upstream } = yield* Stage
        yield* namespace("shop")
        yield* upstream.load("team/web", SampleImage.image("web"), "1")
        yield* W.make("Deployment", { namespace: "shop", name: "web", image: `${upstream.host}/team/web:1` })
        const running = yield* daemon(["shop"], { DRY_RUN: "true" })
        const at = yield* scraping(yield* running.port)
        const ask = (query: string) =>
          run(promtool ?? "", [
            "query",
            "instant",
            `http://${at}`,
            query.replaceAll("$job", "image-cloner").replaceAll("$__rate_interval", "10s")
          ], { env: {} })
        yield* eventually(
          "there are no two scrapes of a workload",
          ask("count_over_time(image_cloner_workloads_not_rewritten{reason=\"dry-run\"}[10s]) > 2"),
          (it) => it.stdout.trim() !== "",
          "30 seconds"
        )
        const queries = dashboardQueries()
        assert.isAbove(queries.length, 20)
        for (const [title, query] of queries) {
          const { code, stderr, stdout } = yield* ask(query)
          assert.strictEqual(code, 0, `${title}: ${stderr}`)
          assert.notStrictEqual(stdout.trim(), "", `${title}: ${query}`)
        }
      }).pipe(Effect.scoped))
  })
})
