// A plain HTTP proxy before one registry, that a test can make misbehave: it sees every request and may answer itself.
// Edge: forwards bytes as they are, in both directions; the registry's absolute Locations lead past it unless rewritten.
import { Effect, type Scope } from "effect"
import * as http from "node:http"
import * as https from "node:https"
import type { AddressInfo } from "node:net"

export interface Proxy {
  readonly host: string
  /** `METHOD /path?query range` of every request. */
  readonly seen: ReadonlyArray<string>
}

/** Decides about one request: true when it has answered (or will) itself. `forward` passes it on. */
export type Meddler = (
  request: http.IncomingMessage,
  response: http.ServerResponse,
  forward: (then?: (answer: http.IncomingMessage) => void) => void
) => void

/**
 * Runs until the scope ends.
 * @param before host and port
 * @param ca PEM of the authority of a server that wants TLS
 */
export const startProxy = (before: string, meddle: Meddler, ca?: string): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function*() {
    const seen: Array<string> = []
    const server = yield* Effect.acquireRelease(
      Effect.callback<http.Server>((resume) => {
        const made = http.createServer((request, response) => {
          seen.push(`${request.method} ${request.url} ${request.headers.range ?? ""}`.trim())
          meddle(request, response, (then) => {
            const [host = "", port = ""] = before.split(":")
            const onward = (ca === undefined ? http : https).request({
              ...(ca === undefined ? {} : { ca }),
              host,
              port,
              method: request.method,
              path: request.url,
              headers: request.headers
            }, (answer) => {
              if (then !== undefined) return then(answer)
              response.writeHead(answer.statusCode ?? 502, answer.headers)
              return answer.pipe(response)
            })
            onward.on("error", () => response.destroy())
            request.pipe(onward)
          })
        })
        made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
      }),
      (it) =>
        Effect.callback<void>((resume) => {
          it.close(() => resume(Effect.void))
          it.closeAllConnections()
        })
    )
    // listening on a port, so the address is not a pipe's
    const { port } = server.address() as AddressInfo
    return { host: `127.0.0.1:${port}`, seen }
  })
