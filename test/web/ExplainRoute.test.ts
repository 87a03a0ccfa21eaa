import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Metric } from "effect"
import { HttpServer } from "effect/http"
import { request } from "node:http"
import { Health } from "../../src/telemetry/HealthChecks.ts"
import { httpServer } from "../../src/telemetry/HttpServer.ts"
import type { Asked } from "../../src/web/Asked.ts"
import { Explainer } from "../../src/web/Explainer.ts"
import { explainRoute } from "../../src/web/ExplainRoute.ts"

const asked: Array<Asked> = []

const explainer = Explainer.of({
  explain: (of) =>
    Effect.sync(() => {
      asked.push(of)
      return of.name === "early" ? undefined : { _tag: "Unknown", message: `no ${of.name}`, candidates: [] }
    }),
  answerBy: () => Effect.void
})

const program = httpServer({
  port: 0,
  host: "127.0.0.1",
  routes: Layer.provide(explainRoute, Layer.succeed(Explainer, explainer))
}).pipe(Layer.provide([Health.layer, Layer.sync(Metric.MetricRegistry, () => new Map()), Logger.layer([])]))

/** As it goes over the wire, whatever a client of manners would make of it. */
const get = (path: string, given: { readonly method?: string; readonly host?: string } = {}) =>
  HttpServer.addressFormattedWith((url) =>
    Effect.callback<{ readonly status: number | undefined; readonly type: string; readonly body: string }>((resume) => {
      const { port } = new URL(url)
      const headers = given.host === undefined ? {} : { host: given.host }
      const it = request({ host: "127.0.0.1", port, path, headers, method: given.method ?? "GET" }, (response) => {
        let body = ""
        response.on("data", (chunk: Buffer) => void (body += chunk.toString()))
        response.on("end", () =>
          resume(Effect.succeed({
            status: response.statusCode,
            type: response.headers["content-type"] ?? "",
            body
          })))
      })
      it.on("error", (error) => resume(Effect.die(error)))
      it.end()
    })
  )

describe("GET /api/explain", () => {
  it.live("answers JSON, whatever is in a name and in the Host header", () =>
    Effect.gen(function*() {
      asked.length = 0
      const name = "Deployment/shop/w&b=<script>"
      const { body, status, type } = yield* get(`/api/explain?workload=${encodeURIComponent(name)}`, { host: "[x" })
      assert.deepStrictEqual([status, JSON.parse(body)], [200, {
        _tag: "Unknown",
        message: `no ${name}`,
        candidates: []
      }])
      assert.match(type, /^application\/json/)
      yield* get("/api/explain?image=nginx%3A1.27")
      assert.deepStrictEqual(asked, [{ about: "workload", name }, { about: "image", name: "nginx:1.27" }])
    }).pipe(Effect.provide(program)))

  it.live("asks for one name, and for no long one", () =>
    Effect.gen(function*() {
      const wrong = [
        "",
        "?workload=",
        "?workload=a&image=b",
        "?image=a&image=b",
        "?name=a",
        `?image=${"x".repeat(1001)}`
      ]
      for (const it of wrong) assert.strictEqual((yield* get(`/api/explain${it}`)).status, 400, it)
      assert.strictEqual((yield* get("/api/explain?image=a", { method: "POST" })).status, 404)
    }).pipe(Effect.provide(program)))

  it.live("says that there is nobody to ask yet", () =>
    Effect.gen(function*() {
      const { body, status } = yield* get("/api/explain?image=early")
      assert.deepStrictEqual([status, JSON.parse(body)], [503, { message: "the controller has not begun yet" }])
    }).pipe(Effect.provide(program)))
})
