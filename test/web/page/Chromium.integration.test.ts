// The status page in a real browser, where there is one: names that are markup stay names, and nothing of them runs.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Logger, Metric } from "effect"
import { HttpServer } from "effect/http"
import { Health } from "../../../src/telemetry/HealthChecks.ts"
import { httpServer } from "../../../src/telemetry/HttpServer.ts"
import { pageRoute } from "../../../src/web/page/PageRoute.ts"
import { PageSource } from "../../../src/web/page/PageSource.ts"
import { Viewers } from "../../../src/web/page/Viewers.ts"
import { run } from "../../support/Command.ts"
import { chromium } from "./Browser.ts"
import { viewOf } from "./Views.ts"

const program = Layer.unwrap(Effect.gen(function*() {
  const page = Layer.merge(Layer.succeed(PageSource, yield* PageSource), Layer.succeed(Viewers, yield* Viewers))
  return httpServer({ port: 0, host: "127.0.0.1", routes: Layer.provide(pageRoute, page) })
})).pipe(
  Layer.provideMerge(Layer.merge(Layer.provideMerge(Viewers.layer, PageSource.layer), Health.layer)),
  Layer.provide([Layer.sync(Metric.MetricRegistry, () => new Map()), Logger.layer([])]),
  Layer.provideMerge(NodeServices.layer)
)

/** What the browser has made of the page. */
const dom = (path: string) =>
  HttpServer.addressFormattedWith((url) =>
    Effect.gen(function*() {
      const home = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
      const flags = ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${home}`]
      const env = { HOME: home, PATH: "/usr/bin:/bin" }
      const { stdout } = yield* run(chromium ?? "chromium", [...flags, "--dump-dom", `${url}${path}`], { env })
      return stdout
    })
  )

describe.skipIf(chromium === undefined)("the page in Chromium", () => {
  it.live("keeps names that are markup names", () =>
    Effect.gen(function*() {
      const nasty = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script></table>"
      yield* (yield* PageSource).answerBy(Effect.succeed(viewOf(nasty)))
      const page = yield* dom("/")
      assert.include(page, "<title>image-cloner: status</title>")
      assert.notInclude(page, "<img")
      assert.strictEqual(page.split("<script").length, 2)
      assert.strictEqual(page.split("<main").length, 2)
    }).pipe(Effect.scoped, Effect.provide(program)))
})
