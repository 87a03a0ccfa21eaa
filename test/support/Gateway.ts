// One front before two registries, a source and a backup, that counts what both are asked and strikes once: at the n-th
// request of the conversation, before it gets through, amid its bytes, or when its answer is lost. What the stroke is
// (somebody is killed, a registry is cut off) is the caller's. Edge: one conversation at a time; plain HTTP.
import { Effect, type Scope } from "effect"
import * as http from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { eventually } from "./Eventually.ts"

export type Side = "source" | "backup"

/**
 * `before`: the registry never sees the request. `amid`: half of the bytes have passed, of the request where it has a body,
 * else of the answer. `after`: the registry has done what it was asked, and nobody hears of it.
 */
export type Moment = "before" | "amid" | "after"

/** One request that came, in order of arrival. */
export interface Passing {
  readonly side: Side
  readonly method: string
  readonly url: string
  /** What the registry said; undefined where it was not asked or did not say. */
  status: number | undefined
}

export interface Stroke {
  readonly moment: Moment
  /** Which of the requests that `among` tells, from 1 on. */
  readonly at: number
  /** Default: every request. */
  readonly among?: (passing: Passing) => boolean
  readonly act: (side: Side) => void
}

export interface GatewayOptions {
  /** Hosts of the real ones. */
  readonly source: string
  readonly backup: string
  /** Called as a request comes, before anything of it is passed on, and again with the head of its answer. */
  readonly watch?: (passing: Passing, moment: "before" | "after") => void
}

export interface Gateway {
  /** `127.0.0.1:port` of the fronts. */
  readonly source: string
  readonly backup: string
  readonly passed: ReadonlyArray<Passing>
  /** Forgets what has passed, and counts from 1 again. */
  readonly arm: (stroke: Stroke | undefined) => void
  /** The request at which it struck. */
  readonly struck: () => Passing | undefined
  /** The registry is dead: its connections end in the middle of whatever they are at, and there are no new ones. */
  readonly cut: (side: Side) => void
  /** It is there again, at another host where it was given one. */
  readonly mend: (side: Side, host?: string) => void
  /** Until nothing is on its way any more. */
  readonly idle: Effect.Effect<void>
}

const portOf = (server: http.Server): number => {
  const { port } = server.address() as AddressInfo // listening on a port, so the address is not a pipe's
  return port
}

const halfOf = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length >> 1)

const collect = (from: http.IncomingMessage, then: (bytes: Buffer) => void): void => {
  const chunks: Array<Buffer> = []
  from.on("data", (chunk: Buffer) => chunks.push(chunk))
  from.on("end", () => then(Buffer.concat(chunks)))
}

class Front {
  dead = false
  readonly sockets = new Set<Socket>()
  host: string
  constructor(host: string) {
    this.host = host
  }
}

class Conversation {
  readonly passed: Array<Passing> = []
  readonly open = new Set<http.ClientRequest>()
  readonly agent = new http.Agent({ keepAlive: true })
  readonly fronts: Readonly<Record<Side, Front>>
  readonly #watch: GatewayOptions["watch"]
  #stroke: Stroke | undefined
  #counted = 0
  struck: Passing | undefined
  constructor(options: GatewayOptions) {
    this.fronts = { source: new Front(options.source), backup: new Front(options.backup) }
    this.#watch = options.watch
  }

  arm(stroke: Stroke | undefined): void {
    this.#stroke = stroke
    this.#counted = 0
    this.struck = undefined
    this.passed.length = 0
  }

  /** The stroke that falls at this request, which has just come. */
  #due(passing: Passing): Stroke | undefined {
    const stroke = this.#stroke
    if (stroke === undefined || stroke.among?.(passing) === false) return undefined
    return ++this.#counted === stroke.at ? stroke : undefined
  }

  readonly take = (side: Side, request: http.IncomingMessage, response: http.ServerResponse): void => {
    const { method = "", url = "" } = request
    const passing: Passing = { side, method, url, status: undefined }
    this.passed.push(passing)
    this.#watch?.(passing, "before")
    const stroke = this.#due(passing)
    const strike = () => {
      this.struck = passing
      stroke?.act(side)
    }
    if (stroke?.moment === "before") return strike()

    const [host = "", port = ""] = this.fronts[side].host.split(":")
    const inRequest = stroke?.moment === "amid" && Number(request.headers["content-length"] ?? 0) > 1
    const onward = http.request({ agent: this.agent, host, port, method, path: url, headers: request.headers })
    this.open.add(onward)
    onward.on("close", () => this.open.delete(onward))
    onward.on("error", () => response.destroy())
    // whoever asked is gone, and with him his connection to the registry
    response.on("close", () => response.writableFinished || onward.destroy())
    onward.on("response", (answer) => {
      passing.status = answer.statusCode
      this.#watch?.(passing, "after")
      answer.on("error", () => response.destroy())
      if (stroke?.moment === "after") {
        answer.resume()
        return strike()
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      if (stroke?.moment !== "amid" || inRequest) return answer.pipe(response)
      collect(answer, (bytes) => bytes.length > 1 ? response.write(halfOf(bytes), strike) : response.end(bytes, strike))
    })
    if (!inRequest) return void request.pipe(onward)
    collect(request, (bytes) => onward.write(halfOf(bytes), strike))
  }

  cut(side: Side): void {
    const front = this.fronts[side]
    front.dead = true
    for (const socket of front.sockets) socket.destroy()
  }
}

/** Runs until the scope ends. */
export const startGateway = (options: GatewayOptions): Effect.Effect<Gateway, never, Scope.Scope> =>
  Effect.gen(function*() {
    const conversation = new Conversation(options)
    const { agent, fronts, open } = conversation
    yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
    const listen = (side: Side) =>
      Effect.acquireRelease(
        Effect.callback<http.Server>((resume) => {
          const server = http.createServer((request, response) => conversation.take(side, request, response))
          const { sockets } = fronts[side]
          server.on("connection", (socket) => {
            sockets.add(socket)
            socket.on("close", () => sockets.delete(socket))
            // its port stays taken, or somebody else could get it meanwhile
            if (fronts[side].dead) socket.resetAndDestroy()
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) =>
          Effect.callback<void>((resume) => {
            server.close(() => resume(Effect.void))
            server.closeAllConnections()
          })
      )
    return {
      source: `127.0.0.1:${portOf(yield* listen("source"))}`,
      backup: `127.0.0.1:${portOf(yield* listen("backup"))}`,
      passed: conversation.passed,
      arm: (stroke) => conversation.arm(stroke),
      struck: () => conversation.struck,
      cut: (side) => conversation.cut(side),
      mend: (side, host) => {
        fronts[side].dead = false
        if (host !== undefined) fronts[side].host = host
      },
      idle: Effect.asVoid(eventually("something is still on its way", () => open.size === 0))
    }
  })
