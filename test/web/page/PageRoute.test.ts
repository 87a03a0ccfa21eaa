import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Metric } from "effect"
import { HttpServer } from "effect/http"
import { Health } from "../../../src/telemetry/HealthChecks.ts"
import { httpServer } from "../../../src/telemetry/HttpServer.ts"
import { pageRoute } from "../../../src/web/page/PageRoute.ts"
import { PageSource } from "../../../src/web/page/PageSource.ts"
import { viewOf } from "./Views.ts"

const program = Layer.unwrap(Effect.gen(function*() {
  const source = Layer.succeed(PageSource, yield* PageSource)
  return httpServer({ port: 0, host: "127.0.0.1", routes: Layer.provide(pageRoute, source) })
})).pipe(
  Layer.provideMerge(Layer.mergeAll(PageSource.layer, Health.layer)),
  Layer.provide([Layer.sync(Metric.MetricRegistry, () => new Map()), Logger.layer([])])
)

const get = (path: string) =>
  HttpServer.addressFormattedWith((url) =>
    Effect.promise(async () => {
      const answer = await fetch(`${url}${path}`)
      return { status: answer.status, headers: answer.headers, text: await answer.text() }
    })
  )

describe("GET /", () => {
  it.live("answers before there is a controller, and then with what is known", () =>
    Effect.gen(function*() {
      const early = yield* get("/")
      assert.strictEqual(early.status, 503)
      assert.include(early.text, "has not begun yet")
      yield* (yield* PageSource).answerBy(Effect.succeed(viewOf()))
      const { headers, status, text } = yield* get("/?anything=<b>")
      assert.strictEqual(status, 200)
      assert.include(text, "Deployment/shop/web")
      assert.notInclude(text, "<b>\"")
      assert.strictEqual(headers.get("content-type"), "text/html; charset=utf-8")
    }).pipe(Effect.provide(program)))

  it.live("allows nothing inline, nothing from elsewhere, no frame, and sets no cookie, with each of its files", () =>
    Effect.gen(function*() {
      for (const path of ["/", "/status.css", "/status.js"]) {
        const { headers } = yield* get(path)
        const policy = headers.get("content-security-policy") ?? ""
        assert.match(policy, /^default-src 'none';/)
        assert.include(policy, "frame-ancestors 'none'")
        assert.notInclude(policy, "unsafe")
        assert.strictEqual(headers.get("x-content-type-options"), "nosniff")
        assert.strictEqual(headers.get("referrer-policy"), "no-referrer")
        assert.strictEqual(headers.get("set-cookie"), null)
      }
    }).pipe(Effect.provide(program)))
})
