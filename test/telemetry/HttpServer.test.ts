import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Metric } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { spawnSync } from "node:child_process"
import { make as makeQueue } from "../../src/queue/WorkQueue.ts"
import { Health } from "../../src/telemetry/HealthChecks.ts"
import { httpServer } from "../../src/telemetry/HttpServer.ts"
import * as Metrics from "../../src/telemetry/Metrics.ts"
import { processMetrics } from "../../src/telemetry/ProcessMetrics.ts"
import { version } from "../../src/telemetry/Version.ts"

const said: Array<unknown> = []
const quiet = Layer.mergeAll(
  Layer.sync(Metric.MetricRegistry, () => new Map()),
  Logger.layer([Logger.make((it) => void said.push(it.message))])
)

const program = (routes: Layer.Layer<never, never, HttpRouter.HttpRouter> = Layer.empty) =>
  Layer.mergeAll(httpServer({ port: 0, host: "127.0.0.1", routes }), Metrics.layer, processMetrics(process)).pipe(
    Layer.provideMerge(Health.layer),
    Layer.provideMerge(quiet)
  )

const fine = Effect.as(Effect.void, undefined)

const get = Effect.fnUntraced(function*(path: string) {
  const url = yield* HttpServer.addressFormattedWith(Effect.succeed)
  return yield* Effect.promise(async () => {
    const response = await fetch(`${url}${path}`)
    return { status: response.status, type: response.headers.get("content-type"), body: await response.text() }
  })
})

describe("the HTTP server", () => {
  it.live("takes a free port and says which", () =>
    Effect.gen(function*() {
      said.length = 0
      yield* Effect.gen(function*() {
        const url = yield* HttpServer.addressFormattedWith(Effect.succeed)
        assert.match(url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/)
        assert.deepStrictEqual(said, [[`metrics and health are at ${url}`]])
      }).pipe(Effect.provide(program()))
    }))

  it.live("says that a port is taken", () =>
    Effect.gen(function*() {
      const port = Number(new URL(yield* HttpServer.addressFormattedWith(Effect.succeed)).port)
      const second = httpServer({ port, host: "127.0.0.1" }).pipe(Layer.provide(Health.layer))
      const error = yield* Effect.flip(Effect.scoped(Layer.build(second)))
      assert.strictEqual(error._tag, "ListenError")
      assert.match(error.message, new RegExp(`cannot listen on port ${port}: .*EADDRINUSE.*HTTP_PORT`))
    }).pipe(Effect.provide(program())))

  it.live("is alive while its checks pass, and says which do not", () =>
    Effect.gen(function*() {
      const health = yield* Health
      let problem: string | undefined
      yield* health.add("alive", "loop", Effect.sync(() => problem))
      yield* health.add("alive", "other", fine)
      const well = yield* get("/healthz")
      assert.deepStrictEqual([well.status, well.body], [200, "[+]loop ok\n[+]other ok\nhealthz check passed\n"])
      problem = "stuck"
      const ill = yield* get("/healthz")
      assert.deepStrictEqual([ill.status, ill.body], [
        503,
        "[-]loop failed: stuck\n[+]other ok\nhealthz check failed\n"
      ])
    }).pipe(Effect.provide(program())))

  it.live("is not ready before there is something to be ready, nor once it drains", () =>
    Effect.gen(function*() {
      const health = yield* Health
      assert.strictEqual((yield* get("/readyz")).status, 503)
      yield* health.add("ready", "sync", fine)
      assert.strictEqual((yield* get("/readyz")).status, 200)
      yield* Effect.scoped(Effect.andThen(
        health.add("ready", "gone", Effect.succeed("no")),
        Effect.map(get("/readyz"), (it) => assert.strictEqual(it.status, 503))
      ))
      assert.strictEqual((yield* get("/readyz")).status, 200)
      yield* health.drain
      const drained = yield* get("/readyz")
      assert.deepStrictEqual([drained.status, drained.body.includes("[-]draining failed")], [503, true])
      assert.strictEqual((yield* get("/healthz")).status, 200)
    }).pipe(Effect.provide(program())))

  it.live("takes a check that hangs or dies for a problem", () =>
    Effect.gen(function*() {
      const health = yield* Health
      yield* health.add("ready", "hangs", Effect.never)
      yield* health.add("ready", "dies", Effect.die("a defect"))
      const { body, status } = yield* get("/readyz")
      assert.strictEqual(status, 503)
      assert.match(body, /\[-\]hangs failed: no answer within a second\n\[-\]dies failed: the check failed: .*a defect/)
    }).pipe(Effect.provide(program())))

  it.live("serves what else it is given, and nothing more", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* get("/extra")).body, "more")
      assert.strictEqual((yield* get("/other")).status, 404)
    }).pipe(Effect.provide(program(HttpRouter.add("GET", "/extra", Effect.succeed(HttpServerResponse.text("more")))))))
})

describe("/metrics", () => {
  const text = Effect.gen(function*() {
    yield* makeQueue({ name: "images" })
    yield* Metrics.touchWatch("pods")
    yield* Metric.update(Metrics.cloneSeconds, 3)
    const answer = yield* get("/metrics")
    assert.strictEqual(answer.type, "text/plain; version=0.0.4; charset=utf-8")
    return answer.body
  })

  it.live("has every series with known labels from the start", () =>
    Effect.gen(function*() {
      const body = yield* text
      const wanted = [
        "image_cloner_clones_total{result=\"not-found\"} 0",
        "image_cloner_workloads_not_rewritten{reason=\"tag-moved\"} 0",
        "image_cloner_blob_bytes_total{how=\"mounted\"} 0",
        "image_cloner_kube_requests_total{method=\"PATCH\",code=\"5xx\"} 0",
        "image_cloner_watch_restarts_total{resource=\"pods\",reason=\"expired\"} 0",
        "image_cloner_queue_depth{queue=\"images\"} 0",
        "image_cloner_registry_requests_total{host=\"other\",code=\"429\"} 0",
        "image_cloner_settings_rejected 0",
        "image_cloner_clone_duration_seconds_count 1",
        `image_cloner_build_info{version="${version}",node="${process.version}"} 1`
      ]
      assert.deepStrictEqual(wanted.filter((line) => !body.split("\n").includes(line)), [])
    }).pipe(Effect.provide(program())))

  it.live("has figures of the process that can be", () =>
    Effect.gen(function*() {
      const body = yield* text
      const value = (name: string) => Number(new RegExp(`^image_cloner_${name} (.*)$`, "m").exec(body)?.[1])
      assert.isAbove(value("process_resident_memory_bytes"), 20e6)
      assert.isAbove(value("process_heap_used_bytes"), 5e6)
      assert.isAbove(value("process_cpu_seconds_total"), 0.05)
      assert.isBelow(Math.abs(value("process_start_time_seconds") - Date.now() / 1000), 3600)
      assert.isAtLeast(value("event_loop_delay_p99_seconds"), 0)
      assert.isBelow(value("event_loop_delay_p99_seconds"), 60)
    }).pipe(Effect.provide(program())))

  it.live("says of every metric what it is", () =>
    Effect.gen(function*() {
      const body = yield* text
      const typed = [...body.matchAll(/^# TYPE (\S+) /gm)].map((it) => it[1])
      const helped = [...body.matchAll(/^# HELP (\S+) ./gm)].map((it) => it[1])
      assert.isAbove(typed.length, 30)
      assert.deepStrictEqual(typed, helped)
      assert.deepStrictEqual(typed, [...new Set(typed)])
      for (const name of typed) assert.match(String(name), /^image_cloner_[a-z0-9_]+$/)
    }).pipe(Effect.provide(program())))

  const promtool = process.env["PROMTOOL"] ?? "promtool"
  const installed = spawnSync(promtool, ["--version"]).status === 0

  it.live.skipIf(!installed)(
    "leaves promtool nothing to say (skipped where it is not installed)",
    () =>
      Effect.gen(function*() {
        const checked = spawnSync(promtool, ["check", "metrics"], { input: yield* text, encoding: "utf8" })
        assert.deepStrictEqual([checked.status, checked.stdout, checked.stderr], [0, "", ""])
      }).pipe(Effect.provide(program()))
  )
})
