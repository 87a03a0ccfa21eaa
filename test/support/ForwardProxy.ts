// A forward proxy as HTTPS_PROXY and HTTP_PROXY name it: CONNECT tunnels and whole URLs, recorded. Every host's name leads to
// loopback, on the port that was asked for, so that tests can use names of their own.
import { Effect, type Scope } from "effect"
import * as http from "node:http"
import * as https from "node:https"
import { type AddressInfo, connect, type Socket } from "node:net"
import type { Tls } from "./FakeRegistry.ts"

export interface ForwardProxy {
  /** `http://127.0.0.1:port`, or https. */
  readonly origin: string
  /** `CONNECT host:port` and `GET http://host:port/path`. */
  readonly seen: ReadonlyArray<string>
  /** Proxy-Authorization of each. */
  readonly logins: ReadonlyArray<string | undefined>
  /** Any other header that had no business there. */
  readonly authorizations: ReadonlyArray<string>
}

export interface ForwardProxyOptions {
  readonly tls?: Tls
  /** Where names without a port lead to; the ports of their schemes are nobody's here. */
  readonly ports?: Readonly<Record<string, number>>
  /** Status of the answer to a CONNECT or a request; undefined lets it pass. `hang`: no answer at all. */
  readonly refuse?: (target: string, login: string | undefined) => number | "hang" | undefined
}

const portOf = (authority: string, otherwise: number): number => Number(/:(\d+)$/.exec(authority)?.[1] ?? otherwise)

/** Runs until the scope ends. */
export const startForwardProxy = (
  options: ForwardProxyOptions = {}
): Effect.Effect<ForwardProxy, never, Scope.Scope> =>
  Effect.gen(function*() {
    const seen: Array<string> = []
    const logins: Array<string | undefined> = []
    const authorizations: Array<string> = []
    const sockets = new Set<Socket>()
    const note = (what: string, headers: http.IncomingHttpHeaders): number | "hang" | undefined => {
      seen.push(what)
      const login = headers["proxy-authorization"]
      logins.push(login)
      return options.refuse?.(what, login)
    }
    const listener: http.RequestListener = (request, response) => {
      const refused = note(`${request.method} ${request.url}`, request.headers)
      if (refused === "hang") return
      if (refused !== undefined) return void response.writeHead(refused).end()
      const { "proxy-authorization": _, ...headers } = request.headers
      const url = new URL(request.url ?? "")
      const onward = http.request(
        {
          host: "127.0.0.1",
          port: options.ports?.[url.host] ?? url.port,
          method: request.method,
          path: url.pathname + url.search,
          headers
        },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(response)
        }
      )
      onward.on("error", () => response.destroy())
      request.pipe(onward)
    }
    const server = yield* Effect.acquireRelease(
      Effect.callback<http.Server>((resume) => {
        const made = options.tls === undefined
          ? http.createServer(listener)
          : https.createServer({ cert: options.tls.certificate, key: options.tls.key }, listener)
        made.on("connection", (socket) => {
          sockets.add(socket)
          socket.once("close", () => sockets.delete(socket))
        })
        made.on("connect", (request: http.IncomingMessage, socket: Socket) => {
          const refused = note(`CONNECT ${request.url}`, request.headers)
          if (request.headers.authorization !== undefined) authorizations.push(request.headers.authorization)
          socket.on("error", () => socket.destroy())
          if (refused === "hang") return
          if (refused !== undefined) return void socket.end(`HTTP/1.1 ${refused} No\r\ncontent-length: 0\r\n\r\n`)
          const onward = connect(portOf(request.url ?? "", 443), "127.0.0.1", () => {
            socket.write("HTTP/1.1 200 Connection established\r\n\r\n")
            socket.pipe(onward)
            onward.pipe(socket)
          })
          onward.on("error", () => socket.destroy())
          socket.on("close", () => onward.destroy())
        })
        made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
      }),
      (it) =>
        Effect.callback<void>((resume) => {
          it.close(() => resume(Effect.void))
          for (const socket of sockets) socket.destroy()
        })
    )
    // listening on a port, so the address is not a pipe's
    const { port } = server.address() as AddressInfo
    return {
      origin: `${options.tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
      seen,
      logins,
      authorizations
    }
  })
