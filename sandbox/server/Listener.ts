// An HTTP(S) server on a free loopback port that lives as long as its scope, answers with Replies, carries out Faults,
// and can be switched off (connections reset, new ones refused) and on again on the same port.
import type { Scope } from "effect"
import { Cause, Clock, Data, Effect, FiberSet, Stream } from "effect"
import * as http from "node:http"
import * as https from "node:https"
import type { Socket } from "node:net"
import type { Body, Exchange, Reply } from "./Exchange.ts"
import * as Exchanges from "./Exchange.ts"
import type { Fault, Faults } from "./Faults.ts"
import * as FaultRules from "./Faults.ts"
import type { RequestLog, RequestRecord } from "./RequestLog.ts"
import * as RequestLogs from "./RequestLog.ts"

/** The port could not be had: it is taken, or loopback is not there. Nothing a retry on the same port soon mends. */
export class ListenError extends Data.TaggedError("ListenError")<{ readonly port: number; readonly cause: unknown }> {
  override get message() {
    return `cannot listen on 127.0.0.1:${this.port}: ${String(this.cause)}`
  }
}

/** Key and certificate chain, both PEM. */
export interface Tls {
  readonly cert: string
  readonly key: string
}

export interface ListenerOptions<R> {
  /** 0, the default, takes a free one. */
  readonly port?: number | undefined
  readonly tls?: Tls | undefined
  readonly handle: (exchange: Exchange) => Effect.Effect<Reply, never, R>
}

export interface Listener {
  readonly port: number
  /** "127.0.0.1:<port>" */
  readonly host: string
  /** "http://127.0.0.1:<port>", or https. */
  readonly url: string
  readonly log: RequestLog
  readonly faults: Faults
  /** Resets every connection and refuses new ones. */
  readonly switchOff: Effect.Effect<void>
  /** Listens again on the same port; nothing when it does already. */
  readonly switchOn: Effect.Effect<void, ListenError>
}

const find = <Tag extends Fault["_tag"]>(faults: ReadonlyArray<Fault>, tag: Tag) =>
  faults.find((it): it is Extract<Fault, { _tag: Tag }> => it._tag === tag)

/** How many bytes may pass before the fault strikes. */
const limitOf = (faults: ReadonlyArray<Fault>): number =>
  Math.min(find(faults, "Cut")?.after ?? Infinity, find(faults, "StallAfter")?.bytes ?? Infinity)

const writeChunk = (response: http.ServerResponse, chunk: Uint8Array): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    // A write on a closed socket calls back with an error: the fiber is interrupted by "close" then, so go on.
    response.write(chunk, () => resume(Effect.void))
  })

const chunksOf = (body: Body): Stream.Stream<Uint8Array, Exchanges.Reset> => {
  if (body._tag === "Bytes") return Stream.make(body.bytes)
  if (body._tag === "Live") return Stream.encodeText(body.chunks)
  return Stream.suspend(() => {
    const readable = body.open()
    return Stream.fromAsyncIterable<Uint8Array, unknown>(readable, (cause) => cause).pipe(
      Stream.orDie,
      Stream.ensuring(Effect.sync(() => readable.destroy()))
    )
  })
}

const send = Effect.fnUntraced(function*(
  response: http.ServerResponse,
  reply: Reply,
  faults: ReadonlyArray<Fault>,
  record: RequestRecord,
  withoutBody: boolean
) {
  record.status = reply.status
  response.writeHead(reply.status, { ...reply.headers })
  if (reply.body?._tag === "Live") response.flushHeaders()
  const limit = limitOf(faults)
  const corrupt = find(faults, "Corrupt")?.at
  if (reply.body !== undefined && !withoutBody) {
    yield* chunksOf(reply.body).pipe(
      Stream.takeWhile(() => record.sent < limit),
      Stream.runForEach((whole) => {
        let chunk = record.sent + whole.length > limit ? whole.subarray(0, limit - record.sent) : whole
        if (corrupt !== undefined && corrupt >= record.sent && corrupt < record.sent + chunk.length) {
          // A copy: the stored blob must stay as it is.
          chunk = Uint8Array.from(chunk)
          chunk.set([(chunk[corrupt - record.sent] ?? 0) ^ 1], corrupt - record.sent)
        }
        record.sent += chunk.length
        return writeChunk(response, chunk)
      })
    )
  }
  if (limit === Infinity) return yield* Effect.sync(() => response.end())
  if (find(faults, "StallAfter") !== undefined) return yield* Effect.never
  response.destroy()
})

const answer = Effect.fnUntraced(function*<R>(
  handle: ListenerOptions<R>["handle"],
  exchange: Exchange,
  response: http.ServerResponse,
  faults: ReadonlyArray<Fault>,
  record: RequestRecord
) {
  for (const fault of faults) {
    if (fault._tag === "Delay") yield* Effect.sleep(fault.duration)
    if (fault._tag === "Stall") return yield* Effect.never
    if (fault._tag === "Refuse") return response.destroy()
    if (fault._tag === "CutUpload") {
      yield* Effect.callback<void>((resume) => {
        exchange.message.on("data", () => record.received >= fault.after && resume(Effect.void))
        exchange.message.once("close", () => resume(Effect.void)).resume()
      })
      return response.destroy()
    }
    if (fault._tag === "Respond") {
      const reply = Exchanges.text(fault.status, fault.body ?? "", { ...fault.headers })
      return yield* Effect.orDie(send(response, reply, [], record, exchange.method === "HEAD"))
    }
  }
  const reply = yield* handle(exchange)
  yield* send(response, reply, faults, record, exchange.method === "HEAD").pipe(
    Effect.catchTag("Reset", () => Effect.sync(() => response.destroy()))
  )
}, (effect, _handle, exchange, response) =>
  Effect.catchCause(effect, (cause) =>
    Effect.gen(function*() {
      // Interruption is the client going away; anything else is a defect of the sandbox and must be seen.
      if (Cause.hasInterruptsOnly(cause)) return
      yield* Effect.logError(`sandbox: ${exchange.method} ${exchange.path} died`, cause)
      if (response.headersSent) response.destroy()
      else response.writeHead(500, { "content-length": "0" }).end()
    })))

/** Listens until the scope closes; then every connection is reset. */
export const make = Effect.fnUntraced(function*<R>(
  options: ListenerOptions<R>
): Effect.fn.Return<Listener, ListenError, Scope.Scope | R> {
  const log = RequestLogs.make(20_000)
  const faults = FaultRules.make()
  const run = yield* FiberSet.makeRuntime<R>()
  const clock = yield* Clock.Clock
  const sockets = new Set<Socket>()

  const onRequest = (message: http.IncomingMessage, response: http.ServerResponse) => {
    const target = message.url ?? "/"
    const mark = target.indexOf("?")
    const search = mark < 0 ? "" : target.slice(mark + 1)
    const exchange: Exchange = {
      method: (message.method ?? "GET").toUpperCase(),
      path: mark < 0 ? target : target.slice(0, mark),
      query: new URLSearchParams(search),
      search,
      headers: message.headers,
      message
    }
    const record = log.begin(exchange, clock.currentTimeMillisUnsafe())
    message.prependListener("data", (chunk: Uint8Array) => {
      record.received += chunk.length
    })
    // Listening for data starts the flow: it is stopped until the route asks.
    message.pause()
    const fiber = run(answer(options.handle, exchange, response, faults.meet(exchange), record))
    response.once("close", () => {
      record.endedAt = clock.currentTimeMillisUnsafe()
      fiber.interruptUnsafe()
    })
  }

  const server = options.tls === undefined
    ? http.createServer(onRequest)
    : https.createServer({ cert: options.tls.cert, key: options.tls.key }, onRequest)
  // Longer than a client's pool keeps an idle connection, so that it is never the server that closes first.
  server.keepAliveTimeout = 120_000
  server.requestTimeout = 0
  server.on("connection", (socket: Socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
    socket.on("error", () => socket.destroy())
  })

  const listen = (port: number): Effect.Effect<number, ListenError> =>
    Effect.callback<number, ListenError>((resume) => {
      const onError = (cause: Error) => resume(Effect.fail(new ListenError({ port, cause })))
      server.once("error", onError)
      server.listen(port, "127.0.0.1", () => {
        server.off("error", onError)
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : port))
      })
    })
  const close: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (!server.listening) return resume(Effect.void)
    server.close(() => resume(Effect.void))
    for (const socket of sockets) socket.resetAndDestroy()
  })

  const port = yield* Effect.acquireRelease(listen(options.port ?? 0), () => close)
  const host = `127.0.0.1:${port}`
  return {
    port,
    host,
    url: `${options.tls === undefined ? "http" : "https"}://${host}`,
    log,
    faults,
    switchOff: close,
    switchOn: Effect.suspend(() => server.listening ? Effect.void : Effect.asVoid(listen(port)))
  }
})
