// An API server that answers by a script, over real sockets: one answer a request, in order; after the last it is silent.
import { Clock, Duration, Effect, Layer, Logger, Metric, Redacted } from "effect"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import type { Access } from "../../src/kube/Access.ts"
import { WatchStates } from "../../src/kube/watch/WatchStates.ts"

interface Call {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

export type Answer = (call: Call, response: http.ServerResponse) => void

export const json = (status: number, body: unknown, headers: Record<string, string> = {}): Answer => (_, response) => {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
}

/** A `Status`, as the API server sends it. */
export const failure = (code: number, reason: string, message: string, details: object = {}) => ({
  kind: "Status",
  apiVersion: "v1",
  status: "Failure",
  code,
  reason,
  message,
  details
})

export const refuse = (code: number, reason: string, message = reason, headers: Record<string, string> = {}): Answer =>
  json(code, failure(code, reason, message), headers)

/** Lines of a watch, then: the stream ends, stays open, breaks off in the middle of a line, or the connection is reset. */
export const stream =
  (lines: ReadonlyArray<unknown>, then: "end" | "open" | "cut" | "reset"): Answer => (_, response) => {
    response.writeHead(200, { "content-type": "application/json" })
    response.flushHeaders()
    for (const line of lines) response.write(`${typeof line === "string" ? line : JSON.stringify(line)}\n`)
    if (then === "end") response.end()
    if (then === "cut") response.end("{\"type\":\"ADDED\",\"object\":{\"metad")
    if (then === "reset") setTimeout(() => response.socket?.resetAndDestroy(), 20)
  }

export const fakeApi = Effect.fnUntraced(function*(answers: ReadonlyArray<Answer>) {
  const calls: Array<Call> = []
  let next = 0
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost")
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const call: Call = {
        method: request.method ?? "",
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
        body: Buffer.concat(chunks).toString()
      }
      calls.push(call)
      answers[next++]?.(call, response)
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )
  // a listening TCP server has an address that is no string
  const { port } = server.address() as AddressInfo
  return { server: `http://127.0.0.1:${port}`, calls }
})

/** Time that goes fifty times as fast, so that waits between attempts take no time over real sockets. */
const fastClock = (factor: number): Layer.Layer<never> =>
  Layer.effect(
    Clock.Clock,
    Effect.map(Clock.Clock, (clock) => {
      const started = clock.currentTimeMillisUnsafe()
      const millis = () => started + (clock.currentTimeMillisUnsafe() - started) * factor
      const nanos = () => BigInt(Math.round(millis() * 1e6))
      // as on any machine: it began at another moment than the wall clock, and the two are never compared
      const uptime = () => BigInt(Math.round((millis() - started + 1e6) * 1e6))
      return {
        currentTimeMillisUnsafe: millis,
        currentTimeMillis: Effect.sync(millis),
        currentTimeNanosUnsafe: nanos,
        currentTimeNanos: Effect.sync(nanos),
        monotonicTimeNanosUnsafe: uptime,
        monotonicTimeNanos: Effect.sync(uptime),
        sleep: (duration) => clock.sleep(Duration.divideUnsafe(duration, factor))
      }
    })
  )

/** What an access sends as Authorization. */
export const authorization = (access: Access): string | undefined => {
  const header = access.headers["authorization"]
  return header === undefined ? undefined : Redacted.value(header)
}

/** What a test of the client or the watcher needs: metrics and states of its own, no logs, time that goes so many times as fast. */
export const testingAt = (factor: number) =>
  Layer.mergeAll(
    Layer.sync(Metric.MetricRegistry, () => new Map()),
    WatchStates.layer,
    Logger.layer([]),
    fastClock(factor)
  )

export const testing = testingAt(50)
