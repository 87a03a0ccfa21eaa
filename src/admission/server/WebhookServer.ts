// WebhookServer: the HTTPS server of the webhooks, on node:https itself: nothing stands between its limits and the socket. It listens once
// there is a certificate, takes a new one without closing a connection, and goes on answering for a while when it is told to end.
// Source of the times: apiserver's and controller-runtime's (pkg/webhook, internal/httpserver). Edge: knows no images.
import {
  Clock,
  Data,
  Deferred,
  Duration,
  Effect,
  FiberSet,
  Option,
  Redacted,
  Result,
  Stream,
  SubscriptionRef
} from "effect"
import { type IncomingMessage, type ServerResponse } from "node:http"
import * as https from "node:https"
import type { Run } from "../../settings/SettingsRef.ts"
import type { Check } from "../../telemetry/HealthChecks.ts"
import type { ServingPair } from "../certificates/ServingCertificates.ts"
import { answerReview, type Handler, type HttpAnswer, type Outcome, reject, routeOf } from "./AnswerReview.ts"
import { makeReadBody } from "./ReadBody.ts"
import { selfCheck } from "./SelfCheck.ts"
import { ServerLimits } from "./ServerLimits.ts"
import { isPair } from "./ServedPair.ts"

/** The port cannot be had. */
export class WebhookListenError extends Data.TaggedError("WebhookListenError")<{
  readonly port: number
  readonly cause: unknown
}> {
  override get message() {
    return `the webhooks cannot listen on port ${this.port}: ${String(this.cause)}; WEBHOOK_PORT names another one`
  }
}

export interface Observed {
  readonly path: string
  readonly outcome: Outcome
  readonly millis: number
}

export interface Options {
  /** 0: a free one. */
  readonly port: number
  readonly host?: string
  readonly pair: SubscriptionRef.SubscriptionRef<Option.Option<ServingPair>>
  readonly handlers: ReadonlyMap<string, Handler>
  readonly run: Run
  /** Told of every answer. */
  readonly observe?: (observed: Observed) => Effect.Effect<void>
}

export interface WebhookServer {
  /** The port that it listens on, once it does. */
  readonly port: Effect.Effect<number, WebhookListenError>
  /** Whether it answers a handshake with the certificate that it should have. */
  readonly check: Check
}

const secureContextOf = ({ certificate, key }: ServingPair): https.ServerOptions => ({
  cert: certificate,
  key: Redacted.value(key),
  minVersion: "TLSv1.2"
})

const send = (response: ServerResponse, { body, headers, status }: HttpAnswer, closes: boolean): void => {
  if (response.destroyed) return
  response.writeHead(status, {
    ...headers,
    "content-length": String(Buffer.byteLength(body)),
    "cache-control": "no-store",
    ...(closes ? { connection: "close" } : {})
  })
  response.end(body)
}

/** Makes the function that answers one request; `closing` tells whether connections are to end with their answer. */
const makeServe = Effect.fnUntraced(function*({ handlers, observe }: Options, closing: () => boolean) {
  const limits = yield* ServerLimits
  const readBody = makeReadBody(limits)

  const answer = Effect.fnUntraced(function*(request: IncomingMessage): Effect.fn.Return<HttpAnswer | undefined> {
    const route = routeOf(
      { method: request.method ?? "", url: request.url ?? "", headers: request.headers },
      handlers
    )
    if (Result.isFailure(route)) return route.failure
    const body = yield* readBody(request)
    switch (body._tag) {
      case "Gone":
        return undefined
      case "TooLarge":
        return reject(413, `more than ${limits.bodyBytes} bytes are not read`)
      case "Busy":
        return reject(503, "too much is being read at once", { "retry-after": "1" })
      case "Read":
        return yield* answerReview(body.text, route.success, limits.decision)
    }
  })

  return Effect.fnUntraced(function*(request: IncomingMessage, response: ServerResponse) {
    const started = yield* Clock.monotonicTimeNanos
    const answered = yield* answer(request)
    if (answered === undefined) return
    // what was not read to its end would be taken for the next request
    const unread = !request.complete
    send(response, answered, closing() || unread)
    if (unread) request.socket.destroySoon()
    if (observe === undefined) return
    const millis = Number((yield* Clock.monotonicTimeNanos) - started) / 1e6
    const path = (request.url ?? "").split("?", 1)[0] ?? ""
    yield* observe({ path: handlers.has(path) ? path : "other", outcome: answered.outcome, millis })
  })
})

/** Listens until the scope ends, and drains then. */
export const webhookServer = Effect.fnUntraced(function*(options: Options) {
  const limits = yield* ServerLimits
  const listening = yield* Deferred.make<number, WebhookListenError>()
  let closing = false
  // older than the server: its last answers are given while it ends
  const fork = yield* FiberSet.makeRuntime()
  const serve = yield* makeServe(options, () => closing)
  const served = { current: Option.none<ServingPair>() }

  const server = https.createServer({
    keepAliveTimeout: Duration.toMillis(limits.keepAlive),
    headersTimeout: Duration.toMillis(limits.headersTimeout),
    requestTimeout: Duration.toMillis(limits.requestTimeout),
    maxHeaderSize: limits.headerBytes,
    noDelay: true,
    connectionsCheckingInterval: Math.min(5000, Duration.toMillis(limits.headersTimeout))
  }, (request, response) => void fork(serve(request, response)))
  server.maxConnections = limits.connections

  yield* Effect.acquireRelease(Effect.succeed(server), () =>
    Effect.gen(function*() {
      if (!server.listening) return
      closing = true
      yield* Effect.sleep(limits.drain)
      const closed = Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeIdleConnections()
      })
      yield* Effect.timeoutOption(closed, limits.lastAnswers)
      server.closeAllConnections()
    }))

  const listen = Effect.callback<void>((resume) => {
    server.once("error", (cause) => {
      Deferred.doneUnsafe(listening, Effect.fail(new WebhookListenError({ port: options.port, cause })))
      resume(Effect.void)
    })
    server.listen(options.port, options.host, () => {
      const address = server.address()
      // one of a TCP server is no text
      const port = typeof address === "object" && address !== null ? address.port : options.port
      Deferred.doneUnsafe(listening, Effect.succeed(port))
      resume(Effect.void)
    })
  })

  const take = Effect.fnUntraced(function*(pair: Option.Option<ServingPair>) {
    if (Option.isNone(pair)) return
    if (!isPair(pair.value)) {
      return yield* Effect.logError("a certificate of the webhooks does not fit its key; the last one stays in use")
    }
    server.setSecureContext(secureContextOf(pair.value))
    served.current = pair
    if (!server.listening) yield* listen
  })

  yield* options.run(
    "webhook certificate",
    SubscriptionRef.changes(options.pair).pipe(Stream.runForEach(take), Effect.andThen(Effect.never))
  )

  const webhook: WebhookServer = {
    port: Deferred.await(listening),
    check: Effect.suspend(() => {
      if (closing) return Effect.succeed("it is about to end")
      if (Option.isNone(served.current)) return Effect.succeed("there is no certificate yet")
      const { certificate } = served.current.value
      return Deferred.await(listening).pipe(
        Effect.flatMap((port) => selfCheck({ host: options.host ?? "127.0.0.1", port, certificate })),
        Effect.catch((error) => Effect.succeed(error.message))
      )
    })
  }
  return webhook
})
