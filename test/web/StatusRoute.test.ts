import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Metric } from "effect"
import { HttpServer } from "effect/http"
import { Inventory } from "../../src/store/Inventory.ts"
import { Health } from "../../src/telemetry/HealthChecks.ts"
import { httpServer } from "../../src/telemetry/HttpServer.ts"
import { Coverage } from "../../src/upkeep/Coverage.ts"
import { statusRoute, StatusSource, tellStatus } from "../../src/web/StatusRoute.ts"

const server = Layer.unwrap(Effect.gen(function*() {
  const source = Layer.succeed(StatusSource, yield* StatusSource)
  return httpServer({ port: 0, host: "127.0.0.1", routes: Layer.provide(statusRoute, source) })
}))

const program = Layer.merge(server, tellStatus).pipe(
  Layer.provideMerge(Layer.mergeAll(Coverage.layer, Inventory.layer, StatusSource.layer, Health.layer)),
  Layer.provide([Layer.sync(Metric.MetricRegistry, () => new Map()), Logger.layer([])])
)

const get = HttpServer.addressFormattedWith((url) =>
  Effect.promise(async () => {
    const answer = await fetch(`${url}/api/status`)
    const body: unknown = await answer.json()
    return { status: answer.status, body }
  })
)

describe("GET /api/status", () => {
  it.live("says nothing of a share before the whole cluster was seen, and then all of it", () =>
    Effect.gen(function*() {
      const early = yield* get
      assert.deepStrictEqual(early, {
        status: 503,
        body: { message: "the controller has not seen the whole cluster yet" }
      })
      const coverage = yield* Coverage
      coverage.begin()
      const { body, status } = yield* get
      assert.strictEqual(status, 200)
      assert.deepInclude(body, { _tag: "Status", by: "controller", ratio: 1, namespaces: [] })
    }).pipe(Effect.provide(program)))
})
