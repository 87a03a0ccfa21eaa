// The life of Node's HTTPS server: made without a certificate, listening once it has one, drained and closed. Edge: what it answers
// is not told here. Source: Node's documentation of http.Server and tls.Server.
import { Data, Duration, Effect } from "effect"
import * as https from "node:https"
import type { ServerLimits } from "./ServerLimits.ts"

/** The port cannot be had. Another one must be chosen. */
export class ListenError extends Data.TaggedError("ListenError")<{ readonly port: number; readonly cause: unknown }> {
  override get message() {
    return `the admission webhook cannot listen on port ${this.port}: ${String(this.cause)}; ` +
      "free the port, or name another one by WEBHOOK_PORT"
  }
}

/** A server that cannot do a handshake before setSecureContext. */
export const makeServer = (limits: ServerLimits): https.Server => {
  const server = https.createServer({
    maxHeaderSize: limits.maxHeaderSize,
    handshakeTimeout: limits.handshakeTimeout,
    headersTimeout: limits.headersTimeout,
    requestTimeout: limits.requestTimeout,
    keepAliveTimeout: limits.keepAliveTimeout,
    connectionsCheckingInterval: limits.checkInterval,
    noDelay: true
  })
  server.timeout = limits.stallTimeout
  server.maxConnections = limits.mostConnections
  return server
}

const portOf = (server: https.Server): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0 // text and null are for pipes and closed servers
}

/** Listens, and answers the port, which is another one where 0 was wanted. */
export const listen = (
  server: https.Server,
  where: { readonly port: number; readonly host?: string }
): Effect.Effect<number, ListenError> =>
  Effect.callback<number, ListenError>((resume) => {
    const refused = (cause: Error) => resume(Effect.fail(new ListenError({ port: where.port, cause })))
    server.once("error", refused)
    server.listen(where, () => {
      server.off("error", refused)
      resume(Effect.succeed(portOf(server)))
    })
  })

/**
 * Goes on answering for `drainFor`, since the cluster learns late that we are no longer there; then takes no new connections, and
 * gives those that are in use `closeWithin` milliseconds.
 */
export const drainAndClose = Effect.fnUntraced(function*(
  server: https.Server,
  drainFor: Effect.Effect<Duration.Input>,
  closeWithin: number
) {
  if (!server.listening) return
  yield* Effect.flatMap(drainFor, Effect.sleep)
  const closed = Effect.callback<void>((resume) => {
    server.close(() => resume(Effect.void))
    server.closeIdleConnections()
  })
  yield* Effect.interruptible(closed).pipe(
    Effect.timeoutOrElse({ duration: closeWithin, orElse: () => Effect.sync(() => server.closeAllConnections()) })
  )
})
