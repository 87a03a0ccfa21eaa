import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Metric } from "effect"
import { HttpServer } from "effect/http"
import { Health } from "../../../src/telemetry/HealthChecks.ts"
import { httpServer } from "../../../src/telemetry/HttpServer.ts"
import { pageRoute } from "../../../src/web/page/PageRoute.ts"
import { PageSource } from "../../../src/web/page/PageSource.ts"
import { mostViewers, Viewers } from "../../../src/web/page/Viewers.ts"
import { viewOf } from "./Views.ts"

const program = Layer.unwrap(Effect.gen(function*() {
  const source = Layer.merge(Layer.succeed(PageSource, yield* PageSource), Layer.succeed(Viewers, yield* Viewers))
  return httpServer({ port: 0, host: "127.0.0.1", routes: Layer.provide(pageRoute, source) })
})).pipe(
  Layer.provideMerge(Layer.merge(Layer.provideMerge(Viewers.layer, PageSource.layer), Health.layer)),
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

  it.live("keeps ten viewers up to date, refuses the next in words, takes one when another has left, and ends all at once", () =>
    Effect.gen(function*() {
      yield* (yield* PageSource).answerBy(Effect.succeed(viewOf()))
      const look = (signal?: AbortSignal) =>
        HttpServer.addressFormattedWith((url) =>
          Effect.promise(() => fetch(`${url}/status.events`, signal === undefined ? {} : { signal }))
        )
      const away = new AbortController()
      const first = yield* look(away.signal)
      assert.strictEqual(first.headers.get("content-type"), "text/event-stream")
      const others: Array<Response> = []
      for (let number = 1; number < mostViewers; number++) others.push(yield* look())
      const refused = yield* look()
      assert.strictEqual(refused.status, 503)
      assert.include(yield* Effect.promise(() => refused.text()), "as many look as are kept up to date")
      assert.include((yield* get("/")).text, "Deployment/shop/web")
      const chunk = yield* Effect.promise(async () => (await first.body?.getReader().read())?.value)
      assert.match(new TextDecoder().decode(chunk), /^retry: 5000\n\n/)
      away.abort()
      const next = yield* look().pipe(Effect.repeat({ until: ({ status }) => Effect.succeed(status === 200) }))
      yield* (yield* Viewers).end
      for (const { body } of [next, ...others]) {
        const end = yield* Effect.promise(async () => {
          const reader = body?.getReader()
          try {
            for (;;) if ((await reader?.read())?.done !== false) return "ended"
          } catch {
            return "ended"
          }
        })
        assert.strictEqual(end, "ended")
      }
      assert.strictEqual((yield* look()).status, 503)
    }).pipe(Effect.provide(program)))
})
