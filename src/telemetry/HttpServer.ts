// The HTTP side of the program: /metrics, /healthz, /readyz, and what else is given (web/). Plain HTTP, for the inside of the cluster:
// reads only, and no text here has a login in it. Edge: whoever reaches the port may ask; who that is, is a NetworkPolicy's to say.
import { NodeHttpServer } from "@effect/platform-node"
import { Data, Effect, Layer } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import * as http from "node:http"
import { format, Health, type Report } from "./HealthChecks.ts"

/** The port cannot be had. Another one must be chosen. */
export class ListenError extends Data.TaggedError("ListenError")<{ readonly port: number; readonly cause: unknown }> {
  override get message() {
    return `cannot listen on port ${this.port}: ${String(this.cause)}; HTTP_PORT names another one, 0 takes a free one`
  }
}

const answer = (name: string, report: Report) =>
  HttpServerResponse.text(format(name, report), {
    status: report.ok ? 200 : 503,
    headers: { "cache-control": "no-store" }
  })

const health = Layer.unwrap(Effect.map(Health, (it) =>
  Layer.mergeAll(
    HttpRouter.add("GET", "/healthz", Effect.map(it.alive, (report) => answer("healthz", report))),
    HttpRouter.add("GET", "/readyz", Effect.map(it.ready, (report) => answer("readyz", report)))
  )))

/**
 * Listens on all addresses. Port 0 takes a free one; the address is logged, and is in the HttpServer that this provides.
 * `routes` are served beside the program's own.
 */
export const httpServer = (options: {
  readonly port: number
  readonly host?: string | undefined
  readonly routes?: Layer.Layer<never, never, HttpRouter.HttpRouter> | undefined
}): Layer.Layer<HttpServer.HttpServer, ListenError, Health> =>
  HttpRouter.serve(
    Layer.mergeAll(health, PrometheusMetrics.layerHttp(), options.routes ?? Layer.empty),
    { disableLogger: true, disableListenLog: true }
  ).pipe(
    Layer.provideMerge(Layer.effectDiscard(HttpServer.addressFormattedWith((address) =>
      Effect.logInfo(`metrics and health are at ${address}`)
    ))),
    Layer.provideMerge(
      NodeHttpServer.layer(() =>
        http.createServer(), {
        port: options.port,
        ...(options.host === undefined ? {} : { host: options.host }),
        gracefulShutdownTimeout: "2 seconds"
      })
    ),
    Layer.catchTag("ServeError", (error) =>
      Layer.effect(HttpServer.HttpServer, Effect.fail(new ListenError({ port: options.port, cause: error.cause }))))
  )
