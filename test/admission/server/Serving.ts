// A webhook server of its own for a test, with a certificate of its own, and the clients that speak to it.
import { Effect, Logger, Option, Redacted, SubscriptionRef } from "effect"
import * as https from "node:https"
import * as tls from "node:tls"
import type { ServingPair } from "../../../src/admission/certificates/ServingPair.ts"
import type { Handler, Observation } from "../../../src/admission/server/ReviewExchange.ts"
import { webhookServer, type WebhookServerOptions } from "../../../src/admission/server/WebhookServer.ts"
import { makeCertificates, type Pair } from "../../kube/Certificates.ts"
import { reviewOf } from "../Reviews.ts"

export const servingPair = (pair: Pair, notAfter = 4_000_000_000_000): ServingPair => ({
  certificate: pair.cert,
  key: Redacted.make(pair.key),
  notAfter
})

/** Everything that is logged, as texts. */
export const recording = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  return { lines, layer: Logger.layer([logger]) }
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: string
}

/** What paths of this server end in. */
export const token = "secret-of-the-cluster"

export interface Call {
  readonly path?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  readonly agent?: https.Agent
}

const call = (
  port: number,
  ca: string,
  { agent, body, headers, method = "POST", path = `/mutate/${token}?timeout=10s` }: Call
) =>
  new Promise<Answer>((resolve, reject) => {
    const request = https.request({
      port,
      ca,
      host: "127.0.0.1",
      path,
      method,
      agent: agent ?? false,
      headers: { "content-type": "application/json", ...headers }
    }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("error", reject)
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString()
        }))
    })
    request.on("error", reject)
    request.end(body ?? JSON.stringify(reviewOf()))
  })

/** The response of an AdmissionReview. */
export const responseOf = (answer: Answer): Readonly<Record<string, unknown>> => JSON.parse(answer.body).response

/** A connection that says what it is told to, and collects what it hears until it ends. */
const speak = (port: number, ca: string) => {
  const socket = tls.connect({ port, ca, host: "127.0.0.1" })
  const chunks: Array<Buffer> = []
  socket.on("data", (chunk: Buffer) => chunks.push(chunk))
  socket.on("error", () => undefined) // how it ended is in what was heard
  return {
    socket,
    heard: () => Buffer.concat(chunks).toString(),
    ended: Effect.callback<string>((resume) => {
      const end = () => resume(Effect.succeed(Buffer.concat(chunks).toString()))
      if (socket.destroyed) end()
      else socket.once("close", end)
    })
  }
}

export interface ServingOptions extends Partial<Omit<WebhookServerOptions, "handlers" | "pair">> {
  readonly handler?: Handler
  /** None at first. */
  readonly unpaired?: boolean
}

export const serve = Effect.fnUntraced(function*({ handler, unpaired, ...options }: ServingOptions = {}) {
  const certificates = yield* Effect.promise(makeCertificates)
  const { ca, client, server } = certificates
  const pair = yield* SubscriptionRef.make(unpaired === true ? Option.none() : Option.some(servingPair(server)))
  const observed: Array<Observation> = []
  const scope = yield* Effect.scope
  const webhook = yield* webhookServer({
    port: 0,
    host: "127.0.0.1",
    drainFor: Effect.succeed(0),
    run: (_, effect) => Effect.asVoid(Effect.forkIn(effect, scope)),
    handlers: new Map([["/mutate", handler ?? (() => Effect.succeed({}))]]),
    tokens: new Set([token]),
    observe: (it) => Effect.sync(() => void observed.push(it)),
    ...options,
    pair
  })
  return {
    ...webhook,
    /** Another pair of the same authority. */
    other: client,
    server,
    ca,
    pair,
    observed,
    post: (it: Call = {}) => Effect.flatMap(webhook.port, (port) => Effect.tryPromise(() => call(port, ca, it))),
    speak: Effect.flatMap(webhook.port, (port) =>
      Effect.acquireRelease(
        Effect.sync(() => speak(port, ca)),
        ({ socket }) => Effect.sync(() => void socket.destroy())
      ))
  }
})

/** An agent of the scope. */
export const keepAlive = (options: https.AgentOptions = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => new https.Agent({ keepAlive: true, ...options })),
    (agent) => Effect.sync(() => agent.destroy())
  )

/** The head of a request as it goes over the wire. */
export const head = (headers: Readonly<Record<string, string | number>>): string =>
  [
    `POST /mutate/${token} HTTP/1.1`,
    "host: webhook",
    "content-type: application/json",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    "",
    ""
  ].join("\r\n")
